"""EleutherAI's lm-eval and `isthmus bench` over the same endpoint and rows: do they judge alike?

    python -m venv peer && peer/bin/pip install 'lm-eval[api]==0.4.13'
    python -m benchmarks lm-eval --data train.jsonl --lm-eval peer/bin/lm-eval

Both ask `isthmus serve` over HTTP, greedily, one question at a time, the same words (lm_eval_gsm8k.yaml). The
server is started anew for each of them: what it has cached changes the last digits of its sums, and with them
now and then a word. So the answers should be the same to the letter; where a verdict differs all the same,
both extracts are in the result.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from hashlib import sha256
from itertools import islice
from pathlib import Path

from benchmarks.results import RESULTS, environment, save
from benchmarks.served import isthmus_serve
from isthmus.evals.data import digests_of

ROWS = range(1400, 1450)
TASK = Path(__file__).with_name("lm_eval_gsm8k.yaml")
FILTERS = ("flexible-extract", "boxed")
MAX_TOKENS = 400
SETTINGS = """
[engine]
parallel = 1
[providers.here]
base_url = "{url}"
local = true
"""


def measure(data, home, model, program, into=RESULTS):
    """Ask all rows twice, and compare.

    Args:
        data: GSM8K's train.jsonl, or a beginning of it.
        home: The server's folder, which holds the model.
        model: The model.
        program: Where lm-eval is.
        into: Where the result goes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _cut_out(Path(data), folder / "rows.jsonl")
        (folder / "isthmus.toml").write_text("[engine]\nparallel = 1\n")
        with isthmus_serve(home, "-m", model.name, folder=folder) as server:
            theirs = ask_lm_eval(program, server, model.name, folder)
        with isthmus_serve(home, "-m", model.name, folder=folder) as server:
            ours = ask_isthmus(server, model.name, folder)
    save("lm-eval", {**_facts(data, model, program), **compare(theirs, ours)}, into)


def _cut_out(data, into):
    """Write the rows to a file of their own."""
    with gzip.open(data, "rt") if data.suffix == ".gz" else data.open() as file:
        into.write_text("".join(islice(file, ROWS.start, ROWS.stop)))


# ---------------------------------------------------------------- asking


def ask_lm_eval(program, server, model, folder):
    """What lm-eval makes of each row, by its number: the answer, and by filter the extract and verdict."""
    (folder / TASK.name).write_text(TASK.read_text().replace("rows.jsonl", str(folder / "rows.jsonl")))
    address = f"model={model},base_url={server.base_url}/chat/completions,num_concurrent=1"
    words = [
        *("run", "--model", "local-chat-completions", "--model_args", address),
        *("--tasks", "gsm8k_rows", "--include_path", str(folder), "--apply_chat_template"),
        *("--output_path", str(folder / "lm-eval"), "--log_samples"),
    ]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    key = {"OPENAI_API_KEY": server.secret.reveal() or "none"}
    _done([program, *words], folder, {**os.environ, **offline, **key})
    (log,) = (folder / "lm-eval").rglob("samples_*.jsonl")
    found = {}
    for line in log.read_text().splitlines():
        sample = json.loads(line)
        row = found.setdefault(ROWS.start + sample["doc_id"], {"text": sample["resps"][0][0]})
        row[sample["filter"]] = {
            "extracted": sample["filtered_resps"][0],
            "right": bool(sample["exact_match"]),
        }
    return found


def ask_isthmus(server, model, folder):
    """What `isthmus bench` makes of each row, by its number."""
    (folder / "isthmus.toml").write_text(SETTINGS.format(url=server.base_url))
    rows, run = folder / "rows.jsonl", folder / "run"
    words = [
        *("bench", "run", "gsm8k", "--data", rows.name, "--sha256", sha256(rows.read_bytes()).hexdigest()),
        *("-m", f"here/{model}", "--max-tokens", str(MAX_TOKENS), "--into", run.name, "--json"),
    ]
    others = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_")}
    home = {"ISTHMUS_HOME": str(folder / "home")}
    _done([sys.executable, "-m", "isthmus", *words], folder, {**others, **home})
    results = map(json.loads, (run / "results.jsonl").read_text().splitlines())
    return {
        ROWS.start + int(each["problem"]): {
            "gold": each["gold"],
            "text": each["answer"],
            "extracted": each.get("extracted"),
            "outcome": each["outcome"],
        }
        for each in results
    }


def _done(command, folder, variables):
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = "\n".join((ended.stdout + ended.stderr).splitlines()[-15:])
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{last}")


# ---------------------------------------------------------------- comparing


def compare(theirs, ours):
    """How often both say the same, by filter of lm-eval's, and each row where they don't."""
    if theirs.keys() != ours.keys() or len(ours) != len(ROWS):
        raise SystemExit(f"not all rows are answered: {len(theirs)} and {len(ours)} of {len(ROWS)}")
    return {
        "rows": len(ours),
        "right": {
            "isthmus": sum(each["outcome"] == "right" for each in ours.values()),
            **{name: sum(each[name]["right"] for each in theirs.values()) for name in FILTERS},
        },
        "same_answer": sum(_same_text(theirs[row], ours[row]) for row in ours),
        "same_verdict": {name: sum(_agree(theirs[row], ours[row], name) for row in ours) for name in FILTERS},
        "differences": [
            _difference(row, theirs[row], ours[row])
            for row in ours
            if not all(_agree(theirs[row], ours[row], name) for name in FILTERS)
        ],
        "verdicts": {row: _short(theirs[row], ours[row]) for row in ours},
    }


def _agree(their, our, name):
    return their[name]["right"] == (our["outcome"] == "right")


def _same_text(their, our):
    return their["text"].strip() == our["text"].strip()


def _difference(row, their, our):
    """A row on which they differ: what each took the answer to say, and how it ends."""
    return {
        "row": row,
        "gold": our["gold"],
        "same_answer": _same_text(their, our),
        "isthmus": {"extracted": our["extracted"], "outcome": our["outcome"]},
        **{name: their[name] for name in FILTERS},
        "ends": our["text"][-160:],
    }


def _short(their, our):
    return [our["outcome"], *("right" if their[name]["right"] else "wrong" for name in FILTERS)]


def _facts(data, model, program):
    """What it was measured with."""
    python = str(Path(program).with_name("python"))
    asked = [python, "-c", "from importlib.metadata import version; print(version('lm_eval'))"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    return {
        "benchmark": "lm-eval",
        "environment": {**environment(), "lm_eval": told.stdout.strip()},
        "data": {"name": "GSM8K, train split", "sha256": digests_of(Path(data))[-1]},
        "asked": f"rows {ROWS.start} to {ROWS.stop - 1}, greedy, at most {MAX_TOKENS} tokens, one at a time",
        "model": model.name,
    }
