"""The first hand-off, live: ten easy facts should stay home, ten hard sums be handed over.

Home is the starter (0.5B); the hosted side is a second `isthmus serve` with the 1.5B, over real HTTP. The
threshold is the default, fixed before this was run; it was set with a look at how the estimate spreads over
2,000 rows of the same split, so this shows that the path works and is no measure of the estimate.

The sums are rows of GSM8K's train split, taken by a stride fixed before too (openai/grade-school-math, MIT;
train.jsonl, 7,473 rows, of which a beginning will do), given by --data; the facts are below.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from benchmarks.results import environment, save, verdict
from benchmarks.served import isthmus_serve
from isthmus.ledger import Ledger, open_database

FACTS = [
    ("What is the capital of France?", "paris"),
    ("Which planet is known as the Red Planet?", "mars"),
    ("Who wrote Romeo and Juliet?", "shakespeare"),
    ("What is the chemical symbol for water?", "h2o"),
    ("In which country is the Great Wall?", "china"),
    ("What is the largest ocean on Earth?", "pacific"),
    ("What colour do you get when you mix blue and yellow?", "green"),
    ("What is the opposite of hot?", "cold"),
    ("Which language is spoken in Brazil?", "portuguese"),
    ("What is the capital of Japan?", "tokyo"),
]
STRIDE = 37
"""Every 37th question, from the 201st on: rows 0 to 199 are those that the estimate was fitted on."""


def questions(data):
    """Ten facts and ten sums: kind, name, text, and what the right answer holds."""
    raw = data.read_bytes()
    text = (gzip.decompress(raw) if data.suffix == ".gz" else raw).decode()
    numbered = list(enumerate(json.loads(line) for line in text.splitlines()))[200::STRIDE][:10]
    yield from (("easy", question, question, gold) for question, gold in FACTS)
    for number, row in numbered:
        yield "hard", f"row {number}", row["question"], row["answer"].split("####")[1].strip().lower()


def measure(data, home, away_home, home_model, away_model):
    """Ask all twenty by `isthmus ask`, through one home server, streamed."""
    data = Path(data)
    rows = []
    with tempfile.TemporaryDirectory() as folder, isthmus_serve(away_home, "-m", away_model.name) as away:
        Path(folder, "isthmus.toml").write_text(
            f"""
            model = "{home_model.name}"
            max_tokens = 300
            temperature = 0
            [handoff]
            mode = "auto"
            provider = "big"
            [providers.big]
            base_url = "{away.base_url}"
            model = "{away_model.name}"
            input_usd_per_mtok = 0.15
            output_usd_per_mtok = 0.60
            """
        )
        variables = {**os.environ, "ISTHMUS_HOME": str(home)}
        with isthmus_serve(home, folder=folder):
            for kind, name, question, gold in questions(data):
                done = subprocess.run(
                    [sys.executable, "-m", "isthmus", "ask", question],
                    cwd=folder,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                rows.append({"kind": kind, "question": name, "right": gold in done.stdout.lower()})
                print(f"  {kind}: {question[:60]!r}", flush=True)
    database = open_database(Path(home) / "ledger.sqlite3")
    recorded = Ledger(database).questions(len(rows))
    database.dispose()
    for row, record in zip(rows, reversed(recorded), strict=True):
        row |= {
            "target": record.target,
            "reason": record.reason,
            "p_local_wrong": record.evidence.get("p_local_wrong"),
            "cost_usd": str(record.cost_usd),
            "first_token_s": record.first_token_s,
        }
    kept = sum(row["kind"] == "easy" and row["target"] == "local" for row in rows)
    handed = sum(row["kind"] == "hard" and row["target"] == "hosted" for row in rows)
    print(
        f"easy kept home: {kept} of 10 ({verdict(kept >= 8)}); hard handed over: {handed} of 10 "
        f"({verdict(handed >= 8)}); right: {sum(row['right'] for row in rows)} of 20"
    )
    save(
        "handoff-first",
        {
            "benchmark": "handoff",
            "environment": environment(),
            "data": {"name": "GSM8K, train split", "sha256": sha256(data.read_bytes()).hexdigest()},
            "home": home_model.name,
            "hosted": away_model.name,
            "threshold": 0.5,
            "easy_kept": kept,
            "hard_handed_over": handed,
            "rows_in_ledger": len(recorded),
            "met": {"easy kept >= 8": kept >= 8, "hard handed over >= 8": handed >= 8},
            "rows": rows,
        },
    )
