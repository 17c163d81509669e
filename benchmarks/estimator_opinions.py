"""What second opinions are worth, and where they are worth their tokens: three samples of each live answer.

The policy draws them only where the score lies within a band around the threshold. Here every band is tried
at the score's deciles as thresholds: APGR of the decisions that come out, and how many questions are sampled.
"""

import json

import numpy as np

from benchmarks.estimator_curve import area
from benchmarks.results import RESULTS

BANDS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 1.0)
SAMPLES = RESULTS / "estimator-samples.jsonl"
"""What `estimator_samples` wrote."""


def samples_there(path=SAMPLES):
    """What sampled answers came to, by row, as texts that end on it."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {
        row["row"]: [f"\\boxed{{{each['answer']}}}" if each["answer"] else "" for each in row["samples"]]
        for row in rows
    }


def bands(alone, agreed, weak, strong):
    """APGR and the share of questions that are sampled, by the band's half width; 0: never, 1: always.

    Args:
        alone: Scores by the local answer.
        agreed: Scores by it and its samples.
        weak: Which questions the local model gets right.
        strong: Which the hosted one gets right.
    """
    found = {}
    thresholds = np.quantile(alone, np.linspace(0.1, 0.9, 9))
    for band in BANDS:
        points, drawn = [(0.0, weak.mean()), (1.0, strong.mean())], []
        for threshold in thresholds:
            doubt = np.abs(alone - threshold) <= band if band else np.zeros(len(alone), bool)
            away = np.where(doubt, agreed, alone) > threshold
            points.append((away.mean(), np.where(away, strong, weak).mean()))
            drawn.append(doubt.mean())
        found[str(band)] = {
            "apgr": area(np.array(sorted(points)), weak.mean(), strong.mean()),
            "sampled": float(np.mean(drawn)),
        }
    return found
