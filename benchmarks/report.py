"""The speed run as it is read: speed.json, speed.md and speed.svg, from the rows."""

import msgspec

from benchmarks.charts import speed_chart
from benchmarks.contestants import ISTHMUS
from benchmarks.results import save, verdict, write
from benchmarks.summaries import EQUAL, summarise
from benchmarks.workloads import EXPLAINED, Sizes


def report(rows, into):
    """Write all three, and say which goals are met."""
    if not rows.rows:
        raise SystemExit(f"{rows.path} has no rows: run `python -m benchmarks speed` first")
    run, found = rows.runs[-1], summarise(rows.rows)
    save(
        "speed", {"benchmark": "speed", "environment": run.environment, "servers": run.servers, **found}, into
    )
    write(into / "speed.md", table(found, run))
    if found["cells"]:
        write(into / "speed.svg", speed_chart(found))
    for goal, figures in found["goals"].items():
        missed = [f"{name}: {each['figure']}" for name, each in figures.items() if not each["met"]]
        print(f"{goal}: {verdict(not missed)}{' (' + '; '.join(missed) + ')' if missed else ''}")


def table(found, run):
    """The report as Markdown."""
    servers = list(run.servers)
    workloads = dict.fromkeys(cell["workload"] for cell in found["cells"])
    lines = ["# Speed", "", *_preface(found["checks"], run)]
    for workload in workloads:
        cells = [cell for cell in found["cells"] if cell["workload"] == workload]
        lines += ["", f"## {_begun(workload)}", "", f"{_begun(EXPLAINED[workload])}.", ""]
        lines += _speed_table(cells, servers)
    if found["memory"]:
        lines += ["", "## Memory", "", f"MiB (PSS) of what holds the model, {EXPLAINED['memory']}.", ""]
        lines += _memory_table(found["memory"], servers)
    lines += ["", "## Goals", "", *_goal_table(found["goals"])]
    return "\n".join(lines) + "\n"


def _preface(checks, run):
    machine = run.environment
    if run.sizes != msgspec.to_builtins(Sizes()):
        yield "**A quick run with small prompts and answers: it shows that the benchmark works, no more.**"
        yield ""
    yield (
        f"Measured by `{machine['command']}` on {machine['machine']}, {machine['cores']} cores, "
        f"{machine['at']}. Tokens/s are medians over rounds; ratios are medians of the rounds' own, with "
        "bootstrapped 95% intervals where there is more than one round."
    )
    yield ""
    for name, each in run.servers.items():
        yield f"- {name}: {each['version']}. Had to be set: {each['set']}."
    yield ""
    yield (
        f"Of {checks['requests']} requests {checks['failed']} failed, and "
        f"{checks['answers_that_ended_early']} answers ended before their limit. The servers that waited for "
        f"their turn used {100 * checks['cpu_share_of_idle_servers']:.1f}% of one core."
    )


def _speed_table(cells, servers):
    yield from _header(
        *("model", "clients", *servers, "first token, s"), "Isthmus / best peer", f"at least {EQUAL}"
    )
    for cell in cells:
        rates = [_rate(cell["tokens_per_s"].get(server)) for server in servers]
        first = " / ".join(
            f"{cell['first_token_s'][server]:.2f}" for server in (ISTHMUS, cell["best_peer"]) if server
        )
        met = _yes(cell["ratio"]["median"] >= EQUAL) if cell["ratio"] else ""
        yield _line(
            cell["model"], cell["clients"], *rates, first, _ratio(cell["ratio"], cell["best_peer"]), met
        )


def _memory_table(cells, servers):
    yield from _header("model", "context", *servers, "Isthmus's own process", "worker / least peer")
    for each in cells:
        sizes = [each["worker_mb"].get(server, "") for server in servers]
        ratio = f"{each['ratio']:.3f} ({each['least_peer']})"
        yield _line(each["model"], each["context_length"], *sizes, each["isthmus_itself_mb"], ratio)


def _goal_table(goals):
    yield from _header("goal", "for", "figure", "met")
    for goal, figures in goals.items():
        for name, each in figures.items():
            yield _line(goal, name, each["figure"], _yes(each["met"]))


def _begun(text):
    return text[:1].upper() + text[1:]


def _rate(spread):
    return "" if spread is None else f"{spread['median']:.1f}"


def _ratio(ratio, peer):
    if ratio is None:
        return ""
    spread = "" if ratio["interval_95"] is None else " [{:.2f}, {:.2f}]".format(*ratio["interval_95"])
    return f"{ratio['median']:.2f}{spread} ({peer})"


def _yes(met):
    return "yes" if met else "**no**"


def _header(*names):
    return [_line(*names), _line(*("---" for _ in names))]


def _line(*values):
    return "| " + " | ".join(str(value) for value in values) + " |"
