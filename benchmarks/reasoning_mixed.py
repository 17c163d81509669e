"""What the likeliest answer adds to a vote: sampled answers alone, and with the greedy one among them.

    python -m benchmarks.reasoning_mixed --data FOLDER

The answers are those of the estimator's benchmark: the 0.5B on rows 0 to 199 of GSM8K's train split, greedy
(live/home_0.5b.jsonl.gz) and three samples each at temperature 0.7 (results/estimator-samples.jsonl), of
which it is kept what they came to, their length and their mean log-probability. The votes are the product's.
"""

import argparse
import gzip
import json
from hashlib import sha256
from pathlib import Path
from statistics import fmean

from benchmarks.estimator_data import HASHES
from benchmarks.reasoning_replay import Outcome
from benchmarks.reasoning_statistics import paired, summary
from benchmarks.results import RESULTS, environment, save
from isthmus.reasoning.samples import Ballot, Sample
from isthmus.reasoning.vote import Vote, VoteRules
from isthmus.scoring import comes_to, quantity

GREEDY = "live/home_0.5b.jsonl.gz"
MIXES = {"3 samples": (0, 3), "greedy and 2 samples": (1, 2), "greedy and 3 samples": (1, 3)}


def measure(data, into):
    if sha256((data / GREEDY).read_bytes()).hexdigest() != HASHES[GREEDY]:
        print(f"note: {GREEDY} is not the file that the reported figures stand for")
    answered = _answered(data)
    greedy = {row: Outcome(right, first[0][0].tokens, 0.0) for row, (right, _, first, _) in answered.items()}
    found = {"greedy": summary(greedy), "one sample": summary(_alone(answered))}
    for name, (likeliest, samples) in MIXES.items():
        for weighting in ("count", "logprob"):
            outcomes = {
                row: _vote(gold, [*first[:likeliest], *drawn[:samples]], weighting)
                for row, (_, gold, first, drawn) in answered.items()
            }
            found[f"{name}, {weighting}"] = summary(outcomes) | {"over_greedy": paired(outcomes, greedy)}
    for name, each in found.items():
        gain = each.get("over_greedy", {})
        told = f"{gain['difference']:+.1%} {gain['difference_95']} over greedy" if gain else ""
        print(f"{name:32} {each['accuracy']:.1%} of {each['questions']}, {each['tokens']:.0f} tokens  {told}")
    result = {
        "benchmark": "reasoning-mixed",
        "environment": environment(),
        "data": {GREEDY: HASHES[GREEDY]},
        "policies": found,
    }
    save("reasoning-mixed", result, into)


def _answered(data):
    """Of each row that has samples: whether greedy is right, the gold value, its vote and the samples'."""
    drawn = map(json.loads, (RESULTS / "estimator-samples.jsonl").read_text().splitlines())
    samples = {each["row"]: each["samples"] for each in drawn}
    found = {}
    for home in map(json.loads, gzip.decompress((data / GREEDY).read_bytes()).splitlines()):
        if home["row"] not in samples:
            continue
        value = comes_to(home["text"])
        greedy = _cast(value, len(home["logprobs"]), fmean(home["logprobs"]), home["finish"])
        votes = [
            _cast(each["answer"], each["tokens"], each["mean_logprob"], each["finish"])
            for each in samples[home["row"]]
        ]
        found[home["row"]] = float(home["correct"]), quantity(home["gold"]), [greedy], votes
    return found


def _cast(value, tokens, mean_logprob, finish):
    """A sample whose text isn't kept, and what it votes for."""
    return Sample("…", tokens, mean_logprob, finish), Ballot(value if finish == "stop" else None)


def _vote(gold, cast, weighting):
    vote = Vote("number", VoteRules(len(cast), len(cast), stopping="never", weighting=weighting))
    for sample, ballot in cast:
        vote.add(sample, ballot)
    leader = next(iter(vote.standing.candidates), None)
    value = quantity(leader.value) if leader else None
    return Outcome(float(value is not None and value == gold), sum(sample.tokens for sample, _ in cast), 0.0)


def _alone(answered):
    """One sample, as it is on average."""
    found = {}
    for row, (_, gold, _, drawn) in answered.items():
        each = [_vote(gold, [cast], "count") for cast in drawn]
        found[row] = Outcome(fmean(one.right for one in each), fmean(one.tokens for one in each), 0.0)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args()
    measure(given.data, given.into)


if __name__ == "__main__":
    main()
