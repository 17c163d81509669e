"""What effort buys: every policy replayed on one pool of samples, beside greedy answers and OptiLLM.

    make bench-reasoning DATA=FOLDER        or  python -m benchmarks.reasoning --data FOLDER

Nothing is drawn here: `benchmarks.reasoning_draw` fills the pool, over hours, and this replays what is in it
by the product's own `Reasoner`, in a minute, however far it has come; how many questions a figure stands for
is said beside it. Code is run in the sandbox alone. Seconds are reckoned from the tokens and widths of each
replay by the pace that `benchmarks.reasoning_pace` measured on a quiet machine. FOLDER is described in
`benchmarks.reasoning_data`.
"""

import argparse
from pathlib import Path

import anyio

from benchmarks.reasoning_chart import chart
from benchmarks.reasoning_data import FILES, HASHES, check, gsm8k, mbpp
from benchmarks.reasoning_optillm import optillm_outcomes
from benchmarks.reasoning_pace import pace_of
from benchmarks.reasoning_policies import DRAWN, FIXED_CURVE, POLICIES, VARIANTS
from benchmarks.reasoning_pool import Pool
from benchmarks.reasoning_replay import one_of, replay
from benchmarks.reasoning_statistics import calibration, paired, summary
from benchmarks.results import RESULTS, environment, save, verdict, write

ROWS = {
    ("gsm8k", "qwen2.5-coder:0.5b"): 200,
    ("gsm8k", "qwen2.5-coder:1.5b"): 100,
    ("mbpp", "qwen2.5-coder:0.5b"): 60,
    ("mbpp", "qwen2.5-coder:1.5b"): 60,
}
"""How many questions the whole pool has."""
SETS = {"gsm8k": gsm8k, "mbpp": mbpp}
CODE = ("greedy", "self-consistency", "fixed", "adaptive")
"""The policies that programs are compared by."""
LEAST = 10
"""Questions below which nothing is reported."""
SERVED = "adaptive"
"""What the product does at effort high."""


async def replayed(data, pool, into):
    """The outcomes of every policy, for each set and model of which the pool has enough."""
    found = {}
    for (name, model), rows in ROWS.items():
        questions, pace = SETS[name](data, rows), pace_of(model, into)
        policies = POLICIES if name == "gsm8k" else {each: POLICIES[each] for each in CODE}
        outcomes = {
            each: await replay(policy, questions, pool, model, pace) for each, policy in policies.items()
        }
        if name == "gsm8k":
            outcomes["one sample"] = await one_of(DRAWN["self-consistency"], questions, pool, model, pace)
        outcomes |= optillm_outcomes(into, name, model, questions)
        kept = {each: reached for each, reached in outcomes.items() if len(reached) >= LEAST}
        served = len(outcomes[SERVED])
        few = "" if served >= LEAST else ", too few to say anything"
        print(f"{name}, {model}: {served} of {rows} questions{few}", flush=True)
        if "greedy" in kept and SERVED in kept:
            found[name, model] = kept
    return found


def judged(name, model, outcomes):
    """Summaries, paired differences, and which targets were reached."""
    greedy, served = outcomes["greedy"], outcomes[SERVED]
    result = {
        "set": name,
        "model": model,
        "planned": ROWS[name, model],
        "policies": {each: summary(rows) for each, rows in outcomes.items()},
        "over_greedy": {each: paired(rows, greedy) for each, rows in outcomes.items() if each != "greedy"},
        "agreement": calibration(served),
    }
    gain = result["over_greedy"][SERVED]
    met = {"high over greedy: the interval is above zero": gain["difference_95"][0] > 0}
    if "fixed" in outcomes:
        result["over_fixed"] = {
            each: paired(outcomes[each], outcomes["fixed"]) for each in outcomes if each in VARIANTS
        }
        stopping = result["over_fixed"][SERVED]
        if name == "gsm8k":
            met["adaptive within 1 point of fixed k = 8"] = stopping["difference"] >= -0.01
            met["adaptive at no more than 60% of its tokens"] = stopping["tokens_ratio"] <= 0.6
    result["optillm"] = {
        each: beside_optillm(outcomes, each) for each in outcomes if each.startswith("OptiLLM")
    }
    for each, found in result["optillm"].items():
        met[f"at least as good as {each} at equal tokens"] = found["difference"] >= 0
    return result | {"met": met}


def beside_optillm(outcomes, name):
    """The policy of ours that takes nearly as many tokens as OptiLLM on the same questions, and no more.

    Where all of ours take more, it is the one that takes least.
    """
    theirs = outcomes[name]
    ours = [SERVED, *FIXED_CURVE, "fixed", "medium", "low"]
    compared = {each: paired(outcomes[each], theirs) for each in ours if each in outcomes}
    spent = {each: found["tokens_ratio"] for each, found in compared.items()}
    within = [each for each in spent if spent[each] <= 1.0]
    chosen = max(within, key=spent.get) if within else min(spent, key=spent.get)
    return {"policy": chosen, **compared[chosen]}


def told(result):
    """A line a policy, and the targets."""
    print(f"\n{result['set']}, {result['model']}")
    for name, each in result["policies"].items():
        over = result["over_greedy"].get(name)
        gain = f"{over['difference']:+.1%} {over['difference_95']} over greedy" if over else ""
        print(
            f"  {name:24} {each['accuracy']:6.1%} of {each['questions']:3}  {each['tokens']:7.0f} tokens"
            f"  {each['seconds'] or 0:6.1f} s  {gain}"
        )
    for name, good in result["met"].items():
        print(f"  {name}: {verdict(good)}")


def measure(data, pool, into):
    for name in check(data):
        print(f"note: {name} is not the file that the reported figures stand for")
    found = anyio.run(replayed, data, Pool(pool), into)
    results = [judged(*key, outcomes) for key, outcomes in found.items()]
    for result in results:
        told(result)
    hashes = {FILES[name]: digest for name, digest in HASHES.items()}
    save(
        "reasoning",
        {"benchmark": "reasoning", "environment": environment(), "data": hashes, "results": results},
        into,
    )
    if results:
        write(into / "reasoning.svg", chart(results))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pool", type=Path, default=RESULTS / "reasoning-pool.jsonl")
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args()
    measure(given.data, given.pool, given.into)


if __name__ == "__main__":
    main()
