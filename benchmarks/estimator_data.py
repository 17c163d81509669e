"""The public measurements that the estimator is measured on, read from a folder.

routellm/gsm8k.csv.gz, routellm/mmlu.csv.gz: per-question results of lm-sys/RouteLLM (Apache-2.0);
live/home_0.5b.jsonl.gz, live/hosted_1.5b.jsonl.gz: answers with token log-probabilities to rows of
gsm8k_train.jsonl.gz (openai/grade-school-math, MIT).
"""

import gzip
import json
from hashlib import sha256

from isthmus.handoff.estimator.rows import parse_row, read_rows

HASHES = {
    "routellm/gsm8k.csv.gz": "7cc7c680a10403be4f64257b26ed5ba66bd3462a7e7734bff05bc84decd31bf1",
    "routellm/mmlu.csv.gz": "e898463d85eae0604e65b67000baa8005afdd0a21057b440812cf33f51464289",
    "live/home_0.5b.jsonl.gz": "1d441d740d1a578fc2d8ea82f46959b226d5166c5c566df50e62e9836210f574",
    "live/hosted_1.5b.jsonl.gz": "3d1d396d3bc9e4673c753624078d87a4e7bb34b034b831da67726a2137123d99",
}
"""Of the files that the reported figures were measured on."""


def check(data):
    """Say which files are not those that the reported figures stand for."""
    found = {name: sha256((data / name).read_bytes()).hexdigest() for name in HASHES}
    return [name for name, digest in found.items() if digest != HASHES[name]]


def routellm_rows(data, name):
    """Rows of one of RouteLLM's benchmarks: "gsm8k" (with the weak model's answers) or "mmlu"."""
    return list(read_rows(data / "routellm" / f"{name}.csv.gz", labelled=True).rows)


def live_objects(data, samples=None):
    """The live answers as rows of a calibration file; ``samples`` by row number, where there are some."""
    questions = _lines(data / "gsm8k_train.jsonl.gz")
    home, hosted = (_lines(data / "live" / name) for name in ("home_0.5b.jsonl.gz", "hosted_1.5b.jsonl.gz"))
    return [
        {
            "prompt": questions[local["row"]]["question"],
            "weak_correct": local["correct"],
            "strong_correct": away["correct"],
            "weak_response": local["text"],
            "logprobs": local["logprobs"],
            "entropy": local["entropy"],
            "finish": local["finish"],
            "samples": (samples or {}).get(local["row"], []),
        }
        for local, away in zip(home, hosted, strict=True)
    ]


def live_rows(data, samples=None):
    return [parse_row(each, "live", labelled=True) for each in live_objects(data, samples)]


def _lines(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
