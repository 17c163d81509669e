"""How well the estimator tells whom to ask: APGR, CPT50 and CPT80 on public results; a decision's time.

    make bench-handoff DATA=FOLDER        or  python -m benchmarks.estimator --data FOLDER [--repeats N]

The product's own code learns and scores, as `isthmus handoff calibrate` and `score` do. No row is scored by a
profile that saw it: folds and splits are drawn by seed, and everything (means, idf, penalties, components) is
learnt inside them. FOLDER is described in `benchmarks.estimator_data`.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from benchmarks.estimator_builtin import HELD, make, sets
from benchmarks.estimator_chart import chart
from benchmarks.estimator_curve import apgr, calls_for, curve, measures, oracle
from benchmarks.estimator_data import HASHES, check, live_rows, routellm_rows
from benchmarks.estimator_opinions import bands, samples_there
from benchmarks.results import RESULTS, environment, save, write
from isthmus.handoff.estimator import Profile, builtin
from isthmus.handoff.estimator.agreement import AGREEMENT
from isthmus.handoff.estimator.answer import answer_features
from isthmus.handoff.estimator.profile import QUESTION_RIGHT, QUESTION_WRONG
from isthmus.handoff.estimator.tokens import token_features
from isthmus.handoff.estimator.training import learn, stage_heads

LABELS = 1500
SPLITS = 8
FOLDS = 10
SETTINGS = ("prompt only", "after the local answer", "after the local answer and three samples")
TARGETS = {
    "MMLU, prompt only, 1,500 labels": 0.63,
    "GSM8K, prompt only, 10-fold": 0.62,
    "GSM8K, after the local answer, no labels": 0.65,
    "GSM8K, after the local answer, 10-fold": 0.77,
    "built-in profile on a set it never saw (GSM8K, prompt only)": 0.55,
    "live, after the local answer and three samples, 10-fold": 0.65,
}


def truths(rows):
    return np.array([row.weak_correct for row in rows]), np.array([row.strong_correct for row in rows])


def judged(profile, rows):
    """Scores by the question, by the local answer where there is one, and by samples where there are some."""
    scores = []
    for row in rows:
        before = profile.before(row.prompt)
        after = agreed = before
        if row.answer:
            after = profile.after(before, msgspec.structs.replace(row.answer, samples=()))
            agreed = profile.after(before, row.answer)
        scores.append((before.score, after.score, agreed.score))
    return np.array(scores).T


def pooled(rows, seed, folds=FOLDS):
    """Scores of all rows, each by a profile learnt from the other folds."""
    fold = np.random.default_rng(seed).permutation(len(rows)) % folds
    scores = np.empty((3, len(rows)))
    for each in range(folds):
        profile = Profile(learn([row for row, at in zip(rows, fold, strict=True) if at != each], "fold").data)
        held = np.flatnonzero(fold == each)
        scores[:, held] = judged(profile, [rows[place] for place in held])
    return scores


def split(rows, seed):
    """Measures of a profile learnt from some rows, on all others."""
    order = np.random.default_rng(seed).permutation(len(rows))
    profile = Profile(learn([rows[place] for place in order[:LABELS]], "split").data)
    rest = [rows[place] for place in order[LABELS:]]
    return measures(judged(profile, rest)[0], *truths(rest))


def summed(found):
    """Mean, standard deviation and the 95% interval of the mean (normal) of each measure over repeats."""
    result = {"repeats": len(found)}
    for name in found[0]:
        values = np.array([each[name] for each in found])
        spread = values.std(ddof=1) if len(values) > 1 else 0.0
        half = 1.96 * spread / len(values) ** 0.5
        result[name] = {
            "mean": round(float(values.mean()), 4),
            "sd": round(float(spread), 4),
            "interval_95": [round(float(values.mean() - half), 4), round(float(values.mean() + half), 4)],
        }
    return result


def over_rows(score, rows, draws=1000):
    """The bootstrap's 95% interval of APGR over rows: what other questions of this kind might have given."""
    weak, strong = truths(rows)
    chooser = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        drawn = chooser.integers(0, len(rows), len(rows))
        if strong[drawn].mean() > weak[drawn].mean():
            found.append(apgr(score[drawn], weak[drawn], strong[drawn]))
    return [round(float(each), 3) for each in np.quantile(found, [0.025, 0.975])]


def in_folds(rows, repeats, name):
    """Each setting, 10-fold pooled over repeats, and the scores (repeats x settings x rows)."""
    weak, strong = truths(rows)
    runs = []
    for seed in range(repeats):
        runs.append(pooled(rows, seed))
        print(
            f"  {name}, repeat {seed}: " + ", ".join(f"{apgr(s, weak, strong):.3f}" for s in runs[-1]),
            flush=True,
        )
    found = []
    for setting in range(3):
        result = summed([measures(scores[setting], weak, strong) for scores in runs])
        result["apgr_over_rows_95"] = over_rows(runs[0][setting], rows)
        calls = [calls_for(0.95, scores[setting], weak, strong) for scores in runs]
        result["calls_for_95_percent_of_hosted"] = round(float(np.mean(calls)), 3)
        found.append(result)
    return found, np.array(runs)


# ---------------------------------------------------------------- families


def families(row):
    """The names of the features that each family of stage 3 has."""
    answer = answer_features(row.prompt, row.answer)
    form = {name for name in answer if name.startswith("answer ")}
    sums = {name for name in answer if name.startswith(("sums", "numbers ", "final ", "result "))}
    tokens = set(token_features(row.answer))
    entropy = {name for name in tokens if name.startswith(("entropy", "open "))}
    return {
        "the question": {QUESTION_WRONG, QUESTION_RIGHT},
        "form": form,
        "sums done again": sums,
        "doubt, loops, code": set(answer) - form - sums,
        "token log-probabilities": tokens - entropy,
        "entropy": entropy,
        "agreement of samples": {AGREEMENT},
    }


def ablation(rows, seeds=5):
    """APGR with all features, without each family, with it alone: 5-fold, on unseen rows; a mean of seeds."""
    weak, strong = truths(rows)
    parts = families(rows[0])
    known = {name for names in parts.values() for name in names}
    found = {"all": []} | {f"{how} {part}": [] for part in parts for how in ("without", "only")}
    for seed in range(seeds):
        values = learn(rows, "ablation", seed=seed).values

        def score(kept, values=values, seed=seed):
            chosen = [{name: value for name, value in each.items() if name in kept} for each in values]
            if not any(chosen):
                return None
            _, heads = stage_heads(chosen, (~weak, strong), seed)
            return apgr(sum(1 / (1 + np.exp(-each.logits)) for each in heads), weak, strong)

        found["all"].append(score(known))
        for part, names in parts.items():
            found[f"without {part}"].append(score(known - names))
            found[f"only {part}"].append(score(names))
    return {name: round(float(np.mean(each)), 3) for name, each in found.items() if each[0] is not None}


# ---------------------------------------------------------------- the built-in profile


def never_seen(data):
    """Built-in profiles, each learnt without the set that it is measured on."""
    parts = sets(data)
    tried = {"gsm8k": (builtin(), routellm_rows(data, "gsm8k"))}
    for name, rows in (("mmlu", routellm_rows(data, "mmlu")), ("live", parts["live"])):
        others = [row for part, own in parts.items() if part != name for row in own]
        others += routellm_rows(data, "gsm8k")
        tried[name] = Profile(make(others)), rows
    result = {}
    for name, (profile, rows) in tried.items():
        by_question, by_answer, _ = judged(profile, rows)
        result[name] = {"prompt_only": _rounded(measures(by_question, *truths(rows)))}
        result[name]["prompt_only"]["apgr_over_rows_95"] = over_rows(by_question, rows)
        if rows[0].answer:
            result[name]["after_answer"] = _rounded(measures(by_answer, *truths(rows)))
            result[name]["after_answer"]["apgr_over_rows_95"] = over_rows(by_answer, rows)
    return result


def pace(rows, decisions=4000):
    """Milliseconds of one decision by the question (median, 99th percentile), and how many a core makes."""
    profile, prompts = builtin(), [row.prompt for row in rows]
    for prompt in prompts[:100]:
        profile.before(prompt)
    took = []
    began = time.process_time()
    for place in range(decisions):
        start = time.perf_counter()
        profile.before(prompts[place % len(prompts)])
        took.append(time.perf_counter() - start)
    spent = time.process_time() - began
    return {
        "p50_ms": round(1000 * median(took), 3),
        "p99_ms": round(1000 * float(np.quantile(took, 0.99)), 3),
        "cpu_ms": round(1000 * spent / decisions, 3),
        "decisions_per_s_of_cpu": round(decisions / spent),
    }


def _rounded(found):
    return {name: round(float(value), 4) for name, value in found.items()}


def second_opinions(rows, scores):
    """What each band of doubt comes to: means over repeats."""
    tried = [bands(after, agreed, *truths(rows)) for _, after, agreed in scores]
    found = {
        band: _rounded({name: np.mean([each[band][name] for each in tried]) for name in first})
        for band, first in tried[0].items()
    }
    return {"rows_with_samples": sum(bool(row.answer.samples) for row in rows), "by_band": found}


def ceiling(rows):
    weak, strong = truths(rows)
    best = oracle(weak, strong)
    return {
        "weak": round(float(weak.mean()), 4),
        "strong": round(float(strong.mean()), 4),
        "only_strong_right": round(float((strong & ~weak).mean()), 4),
        "only_weak_right": round(float((weak & ~strong).mean()), 4),
        **_rounded(measures(best, weak, strong)),
        "calls_for_95_percent_of_hosted": calls_for(0.95, best, weak, strong),
    }


def measure(data, repeats, splits, into):
    for name in check(data):
        print(f"note: {name} is not the file that the reported figures stand for")
    mmlu, gsm8k = routellm_rows(data, "mmlu"), routellm_rows(data, "gsm8k")
    live = live_rows(data, samples_there())
    result = {"benchmark": "estimator", "environment": environment(), "data": HASHES, "held": list(HELD)}
    result["decision"] = pace(mmlu)
    result["never_seen"] = never_seen(data)
    print(
        json.dumps({"decision": result["decision"], "never seen": result["never_seen"]}, indent=1), flush=True
    )
    settings, curves = {}, {}
    found, scores = in_folds(live, repeats, "live")
    settings |= {f"live, {setting}, 10-fold": each for setting, each in zip(SETTINGS, found, strict=True)}
    curves["live: 0.5B at home, 1.5B away"] = (scores[0], live)
    result["second_opinions"] = second_opinions(live, scores)
    settings["MMLU, prompt only, 1,500 labels"] = summed([split(mmlu, seed) for seed in range(splits)])
    found, scores = in_folds(gsm8k, repeats, "gsm8k")
    settings |= {
        f"GSM8K, {setting}, 10-fold": each for setting, each in zip(SETTINGS[:2], found[:2], strict=True)
    }
    curves["GSM8K: Mixtral at home, GPT-4 away"] = (scores[0], gsm8k)
    result["settings"] = settings
    result["ceilings"] = {"MMLU": ceiling(mmlu), "GSM8K": ceiling(gsm8k), "live": ceiling(live)}
    result["ablation"] = {"GSM8K": ablation(gsm8k), "live": ablation(live)}
    result["met"] = targets_met(result)
    print(json.dumps(result["met"], indent=1))
    save("estimator", result, into)
    write(into / "estimator.svg", chart({name: _lines(*each) for name, each in curves.items()}))


def targets_met(result):
    unseen = result["never_seen"]["gsm8k"]
    reached = {name: each["apgr"]["mean"] for name, each in result["settings"].items()}
    reached["GSM8K, after the local answer, no labels"] = unseen["after_answer"]["apgr"]
    reached["built-in profile on a set it never saw (GSM8K, prompt only)"] = unseen["prompt_only"]["apgr"]
    met = {f"{name} >= {least}": reached[name] >= least for name, least in TARGETS.items()}
    pace = result["decision"]
    return met | {
        "decision p50 <= 1 ms": pace["p50_ms"] <= 1,
        "decisions a second >= 2,000": pace["decisions_per_s_of_cpu"] >= 2000,
    }


def _lines(scores, rows):
    """The curves of one chart: share of calls and accuracy of each way to choose."""
    weak, strong = truths(rows)
    ways = {"by the question": scores[0], "by the local answer": scores[1]}
    if any(row.answer.samples for row in rows):
        ways["and by three samples"] = scores[2]
    ways["oracle"] = oracle(weak, strong)
    lines = {name: curve(score, weak, strong).tolist() for name, score in ways.items()}
    return {"random": [[0, float(weak.mean())], [1, float(strong.mean())]], **lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=20, help="of the 10-fold runs")
    parser.add_argument("--splits", type=int, default=SPLITS, help="of MMLU")
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args()
    measure(given.data, given.repeats, given.splits, given.into)


if __name__ == "__main__":
    main()
