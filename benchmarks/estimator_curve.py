"""CPT50, CPT80 and APGR of a score, as RouteLLM's evals/evaluate.py defines them (arXiv 2406.18665).

Eleven thresholds from the score's deciles; at each, questions at or above it go to the strong model (at the
last one, only those above). CPT is interpolated linearly on accuracy, APGR integrated by the trapezoid rule.
"""

import numpy as np


def curve(score, weak, strong):
    """Share of strong calls and accuracy at each of the thresholds (points x 2), in the share's order."""
    score, weak, strong = np.asarray(score, float), np.asarray(weak, float), np.asarray(strong, float)
    thresholds = np.unique(np.quantile(score, np.linspace(0, 1, 11)))
    last = len(thresholds) - 1
    called = [score > each if place == last else score >= each for place, each in enumerate(thresholds)]
    points = sorted((chosen.mean(), np.where(chosen, strong, weak).mean()) for chosen in called)
    return np.array(points)


def measures(score, weak, strong):
    """CPT50 and CPT80 in percent of calls, and APGR."""
    points = curve(score, weak, strong)
    low, high = np.mean(weak, dtype=float), np.mean(strong, dtype=float)
    cpt = [100 * np.interp(low + part * (high - low), points[:, 1], points[:, 0]) for part in (0.5, 0.8)]
    return {"cpt50": cpt[0], "cpt80": cpt[1], "apgr": area(points, low, high)}


def area(points, low, high):
    """APGR of a curve: which part of the gap in accuracy it recovers, on average over shares."""
    share, accuracy = points.T
    return float(np.trapezoid(accuracy - low, share) / ((high - low) * (share[-1] - share[0])))


def apgr(score, weak, strong):
    return measures(score, weak, strong)["apgr"]


def oracle(weak, strong):
    """The score of somebody who knows both outcomes; what is alike is told apart at random."""
    gain = np.asarray(strong, float) - np.asarray(weak, float)
    return gain + np.random.default_rng(0).uniform(0, 1e-6, len(gain))


def calls_for(quality, score, weak, strong):
    """The least share of strong calls that reaches so much of the strong model's accuracy; None: never."""
    order = np.argsort(-np.asarray(score, float), kind="stable")
    gain = (np.asarray(strong, float) - np.asarray(weak, float))[order]
    accuracy = np.concatenate([[0.0], np.cumsum(gain)]) / len(gain) + np.mean(weak, dtype=float)
    reached = np.flatnonzero(accuracy >= quality * np.mean(strong, dtype=float) - 1e-12)
    return reached[0] / len(gain) if len(reached) else None
