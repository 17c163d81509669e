"""Second opinions: k short samples for each of some grade-school problems, from a model that is being served.

    python -m benchmarks.estimator_samples --data train.jsonl.gz --rows 0:200 --base-url http://127.0.0.1:4774/v1

The data are GSM8K's train split (openai/grade-school-math, MIT). What is kept of a sample is what it came to,
its mean log-probability and its length; a row is written as it comes, and those that are there are kept.
"""

import argparse
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from urllib.request import Request, urlopen

from benchmarks.results import RESULTS
from isthmus.scoring import final_answer, quantity

INSTRUCTION = "\nThink step by step, then give the final answer as \\boxed{number}."
LONGEST = 400


def body(question, model, samples):
    return {
        "model": model,
        "messages": [{"role": "user", "content": question + INSTRUCTION}],
        "n": samples,
        "temperature": 0.7,
        "max_tokens": LONGEST,
        "logprobs": True,
    }


def kept(choice):
    """What a sample came to, and how sure it was."""
    text = choice["message"]["content"] or ""
    scores = [token["logprob"] for token in choice["logprobs"]["content"]]
    final = final_answer(text) if choice["finish_reason"] == "stop" else None
    value = quantity(final.text) if final else None
    return {
        "answer": None if value is None else str(value),
        "finish": choice["finish_reason"],
        "tokens": len(scores),
        "mean_logprob": round(sum(scores) / max(1, len(scores)), 4),
        "least_logprob": round(min(scores, default=0), 3),
    }


def ask(base_url, given):
    request = Request(
        f"{base_url}/chat/completions", json.dumps(given).encode(), {"content-type": "application/json"}
    )
    with urlopen(request, timeout=3600) as response:
        return json.load(response)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="GSM8K's train.jsonl, or its gzip")
    parser.add_argument("--rows", default="0:200")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="qwen2.5-coder:0.5b")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--into", type=Path, default=RESULTS / "estimator-samples.jsonl")
    given = parser.parse_args()
    first, end = map(int, given.rows.split(":"))
    raw = given.data.read_bytes()
    lines = (gzip.decompress(raw) if given.data.suffix == ".gz" else raw).decode().splitlines()
    there = given.into.read_text().splitlines() if given.into.exists() else []
    done = {json.loads(line)["row"] for line in there}
    writing = Lock()

    def one(row):
        question = json.loads(lines[row])["question"]
        answer = ask(given.base_url, body(question, given.model, given.samples))
        found = {"row": row, "samples": [kept(choice) for choice in answer["choices"]]}
        with writing, given.into.open("a") as file:
            file.write(json.dumps(found) + "\n")

    with ThreadPoolExecutor(given.clients) as pool:
        list(pool.map(one, [row for row in range(first, min(end, len(lines))) if row not in done]))


if __name__ == "__main__":
    main()
