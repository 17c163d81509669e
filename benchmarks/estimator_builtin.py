"""Make the profile that comes with Isthmus, the same each time.

    python -m benchmarks.estimator_builtin --data FOLDER

FOLDER holds routellm/mmlu.csv.gz (questions of MMLU with both models' results, from lm-sys/RouteLLM,
Apache-2.0) and live/*.jsonl.gz with gsm8k_train.jsonl.gz (a 0.5B's and a 1.5B's answers to 200 questions of
GSM8K's train split, MIT). Three samples of each of those answers are among the results. RouteLLM's GSM8K is
left out, so that the profile can be tried on a set it never saw.
"""

import argparse
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.estimator_data import live_rows, routellm_rows
from benchmarks.estimator_opinions import SAMPLES, samples_there
from benchmarks.estimator_seeds import answered_rows as answered_seeds
from benchmarks.estimator_seeds import rows as seeds
from isthmus.handoff.estimator.fitting import Penalties
from isthmus.handoff.estimator.profile import Provenance
from isthmus.handoff.estimator.rows import parse_row
from isthmus.handoff.estimator.training import learn

HELD = Penalties(features=100.0, words=4.0)
BUCKETS = 4096
MMLU_ROWS = 1500
SEED_WEIGHT = 4
THRESHOLD = 0.65
"""Where the hosted model is right in 85% of cases, this hands over what home gets wrong in 45% and more."""
INTO = Path(__file__).parent.parent / "src" / "isthmus" / "handoff" / "estimator" / "builtin.json"


def sets(data):
    """What it is learnt from, by name."""
    mmlu = routellm_rows(data, "mmlu")
    chosen = np.random.default_rng(0).permutation(len(mmlu))[:MMLU_ROWS]
    return {
        "mmlu": [mmlu[place] for place in chosen],
        "live": live_rows(data, samples_there()),
        "seeds": [parse_row(each, "seeds", labelled=True) for each in seeds()] * SEED_WEIGHT,
        "answered seeds": [parse_row(each, "seeds", labelled=True) for each in answered_seeds()],
    }


def make(rows, name="builtin"):
    """A profile of these rows, held near common sense and calibrated to nobody's models."""
    learnt = learn(rows, name, buckets=BUCKETS, held=HELD).data
    thresholds = dict.fromkeys(("estimate", "watch", "check"), THRESHOLD)
    return msgspec.structs.replace(learnt, calibrated=False, thresholds=thresholds, top_logprobs=5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--into", type=Path, default=INTO)
    given = parser.parse_args()
    parts = sets(given.data)
    rows = [row for part in parts.values() for row in part]
    live = sorted((given.data / "live").glob("*.jsonl.gz"))
    files = [given.data / "routellm" / "mmlu.csv.gz", *live, SAMPLES]
    provenance = Provenance(
        made_at=datetime.now(UTC).date().isoformat(),
        made_by="python -m benchmarks.estimator_builtin",
        data=(
            f"MMLU ({MMLU_ROWS} questions), Mixtral-8x7B-Instruct and GPT-4-1106-preview, from RouteLLM",
            "GSM8K train split (200 questions), answers of Qwen2.5-Coder-Instruct 0.5B and 1.5B",
            "three samples of each of the 0.5B's answers, temperature 0.7",
            f"questions by hand ({len(parts['seeds']) // SEED_WEIGHT}), counted {SEED_WEIGHT} times",
            f"questions and answers by hand ({len(parts['answered seeds'])})",
        ),
        sha256=tuple(sha256(path.read_bytes()).hexdigest() for path in files),
        rows=len(rows),
        notes="calibrated to nobody's models; RouteLLM's GSM8K is left out, and can be measured on",
    )
    profile = msgspec.structs.replace(make(rows), provenance=provenance)
    given.into.write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n")
    print(f"{given.into}: {given.into.stat().st_size:,} bytes, {len(rows)} rows")


if __name__ == "__main__":
    main()
