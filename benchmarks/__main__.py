"""Run the benchmarks: see the package's docstring."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import anyio

from benchmarks import (
    agents,
    faults,
    gateway,
    handoff,
    live,
    lm_eval,
    redaction,
    redaction_answers,
    redaction_reading,
    report,
    several,
    speed,
    startup,
    throughput,
)
from benchmarks.contestants import (
    ISTHMUS,
    LLAMA_CPP_PYTHON,
    LLAMA_SERVER,
    PEERS,
    XLLAMACPP,
    XLLAMACPP_SLOTS,
    Contestant,
)
from benchmarks.results import RESULTS
from benchmarks.rows import Rows
from benchmarks.workloads import QUICK, Sizes
from isthmus.store import Store, find, pull

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "isthmus"
SCRATCH = ROOT / "build" / "benchmarks"
"""Where a quick run writes: its figures say nothing."""
TINY, STARTER, LARGER = "smollm2:135m", "qwen2.5-coder:0.5b", "qwen2.5-coder:1.5b"
MODELS = {"tiny": TINY, "0.5b": STARTER, "1.5b": LARGER}


def have(name):
    """A model, fetched if need be and kept for the next run."""

    async def fetch():
        return await pull(
            find(name),
            Store(CACHE),
            offline=False,
            hf_endpoint="https://huggingface.co",
            on_progress=lambda progress: None,
            on_notice=lambda notice: print(notice.text),
        )

    return anyio.run(fetch)


def home_with(folder, *models):
    """A home that holds these models."""
    for model in models:
        Store(Path(folder)).add_file(model.path, model.name, lambda progress: None)
    return folder


def run_gateway(given):
    tiny = have(TINY)
    with tempfile.TemporaryDirectory() as home:
        gateway.measure(tiny, home_with(home, tiny), given.rounds)


def run_throughput(given):
    throughput.measure(given.litellm, given.rounds, given.seconds)


def run_startup(given):
    for name in (TINY, STARTER):
        model = have(name)
        with tempfile.TemporaryDirectory() as home:
            startup.measure(model, home_with(home, model), given.rounds)


def run_handoff(given):
    home_model, away_model = have(STARTER), have(LARGER)
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as away:
        homes = home_with(home, home_model), home_with(away, away_model)
        handoff.measure(given.data, *homes, home_model, away_model)


def run_agents(given):
    models = have(STARTER), have(LARGER)
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as away:
        homes = home_with(home, models[0]), home_with(away, models[1])
        agents.measure(homes, models, given.into or RESULTS)


def run_live(given):
    models = have(STARTER), have(LARGER)
    if given.report:
        live.tell(given.data, models, into=given.into or RESULTS, waits=given.waits)
        return
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as away:
        homes = home_with(home, models[0]), home_with(away, models[1])
        into, rows = given.into or RESULTS, live.ROWS[: given.count]
        live.measure(given.data, homes, models, rows=rows, into=into, resume=given.resume, waits=given.waits)


def run_lm_eval(given):
    starter = have(STARTER)
    with tempfile.TemporaryDirectory() as fresh:
        home = home_with(given.home or fresh, starter)
        lm_eval.measure(given.data, home, starter, given.lm_eval, given.into or RESULTS)


def run_faults(given):
    tiny = have(TINY)
    with tempfile.TemporaryDirectory() as home:
        faults.measure(tiny, home_with(home, tiny), given.faults, given.into or RESULTS, given.seed)


def run_redaction(given):
    redaction.measure(
        given.texts, given.seed, given.recognisers, given.answers, given.format_answers, given.into or RESULTS
    )


def run_redaction_answers(given):
    redaction_answers.ask(given.base_url, given.model, given.answers, given.count, given.seed, given.formats)


def run_redaction_reading(given):
    into = given.into or RESULTS
    redaction_reading.measure(
        given.base_url, given.model, given.seed, given.split, count=given.texts, into=into
    )


def run_speed(given):
    into = given.into or (SCRATCH if given.quick else RESULTS)
    if given.report:
        report.report(Rows(into / "speed.jsonl"), into)
        return
    models = [have(MODELS[name]) for name in given.models or (["tiny"] if given.quick else MODELS)]
    with tempfile.TemporaryDirectory() as fresh:
        home = home_with(given.home or fresh, *models)
        rows = speed.measure(
            models,
            contestants(given, home),
            into=into,
            sizes=QUICK if given.quick else Sizes(),
            rounds=given.rounds or (2 if given.quick else None),
            resume=given.resume,
        )
    report.report(rows, into)


def contestants(given, home):
    """Isthmus, and the peers that were named or are there."""
    programs = {
        XLLAMACPP: given.xllamacpp,
        XLLAMACPP_SLOTS: given.xllamacpp,
        LLAMA_CPP_PYTHON: given.llama_cpp_python,
        LLAMA_SERVER: given.llama_server or shutil.which("llama-server"),
    }
    wanted = given.peers or [
        peer for peer in (XLLAMACPP, LLAMA_CPP_PYTHON, LLAMA_SERVER) if programs[peer] is not None
    ]
    for peer in wanted:
        if programs[peer] is None:
            raise SystemExit(f"where is {peer}? say so with --{peer} PATH")
    return [Contestant(ISTHMUS, home=str(home)), *(Contestant(peer, str(programs[peer])) for peer in wanted)]


def run_several(given):
    models = [have(MODELS[name]) for name in given.models or MODELS]
    into = given.into or RESULTS
    with tempfile.TemporaryDirectory() as fresh:
        several.measure(models, home_with(given.home or fresh, *models), given.minutes, into)


def run_all(given):
    run_gateway(given)
    run_startup(given)


def parsed(words):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, side by side with a peer."
    )
    parser.set_defaults(run=run_all, rounds=8)
    commands = parser.add_subparsers(metavar="BENCHMARK")

    def command(name, run, summary):
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run)
        return added

    for name, run, summary in (
        ("all", run_all, "all that need no data and take minutes: gateway, startup"),
        ("gateway", run_gateway, "through `isthmus serve` against llama.cpp's server itself"),
        ("startup", run_startup, "`isthmus ask` and `isthmus --help`"),
    ):
        command(name, run, summary).add_argument("--rounds", type=int, default=8)
    alone = command("throughput", run_throughput, "the gateway alone, beside LiteLLM's proxy")
    alone.add_argument("--litellm", metavar="PROGRAM", help="LiteLLM's proxy, from an environment of its own")
    alone.add_argument("--rounds", type=int, default=5)
    alone.add_argument("--seconds", type=int, default=5, help="how long each cell is asked, in each round")
    handed = command("handoff", run_handoff, "easy facts stay home, hard sums are handed over")
    handed.add_argument("--data", type=Path, required=True, help="GSM8K's train.jsonl")
    crossing = command("agents", run_agents, "an agent that crosses over and comes back (minutes)")
    crossing.add_argument("--into", type=Path, help="where the result goes")
    lived = command("live", run_live, "the hand-off over HTTP: quality, share, cost and wait (80 minutes)")
    lived.add_argument("--data", type=Path, required=True, help="GSM8K's train.jsonl")
    lived.add_argument("--into", type=Path, help="where results go")
    lived.add_argument("--count", type=int, help="how many questions; by default all hundred")
    lived.add_argument("--resume", action="store_true", help="go on with the rows that are there")
    lived.add_argument("--report", action="store_true", help="ask nothing: report the rows that are there")
    lived.add_argument("--waits", action="store_true", help="only the waits for the first visible token")
    judged = command("lm-eval", run_lm_eval, "the same verdicts as lm-eval's, row by row (12 minutes)")
    judged.add_argument("--data", type=Path, required=True, help="GSM8K's train.jsonl")
    judged.add_argument("--lm-eval", metavar="PROGRAM", required=True, help="from an environment of its own")
    judged.add_argument("--home", type=Path, help="an Isthmus home with an engine; by default a fresh one")
    judged.add_argument("--into", type=Path, help="where the result goes")
    broken = command("faults", run_faults, "injected faults of providers and workers, under load")
    broken.add_argument("--faults", type=int, default=1000)
    broken.add_argument("--seed", type=int, default=1)
    broken.add_argument("--into", type=Path, help="where results go")
    _redaction_options(command)
    _speed_options(command("speed", run_speed, "Isthmus against other servers of the same models"))
    many = command("several", run_several, "three models in turn under 1.4 GB, eight clients")
    many.add_argument("--minutes", type=float, default=5)
    _common_options(many)
    return parser.parse_args(words)


def _redaction_options(command):
    hidden = command("redaction", run_redaction, "what redaction finds, what comes back, how long it takes")
    hidden.add_argument("--texts", type=int, default=5000)
    hidden.add_argument("--seed", type=int, default=1)
    hidden.add_argument("--recognisers", nargs="+", default=["builtin", "rampart"])
    hidden.add_argument("--answers", type=Path, help="rows that `redaction-answers` wrote")
    hidden.add_argument("--format-answers", type=Path, help="the same, of several formats")
    hidden.add_argument("--into", type=Path, help="where the result goes")
    read = command("redaction-reading", run_redaction_reading, "names and addresses that the model finds")
    read.add_argument(
        "--base-url", help="of the model's API; without it, the rows that are there are reported"
    )
    read.add_argument("--model", default=STARTER)
    read.add_argument("--texts", type=int, default=redaction_reading.TEXTS)
    read.add_argument("--seed", type=int, default=1)
    read.add_argument("--split", choices=("tune", "report"), default="report")
    read.add_argument("--into", type=Path, help="where rows and the result go")
    asked = command("redaction-answers", run_redaction_answers, "ask a model three hundred redacted prompts")
    asked.add_argument("--base-url", required=True, help="of a hosted model's API")
    asked.add_argument("--model", default=LARGER)
    asked.add_argument("--answers", type=Path, required=True, help="where rows go")
    asked.add_argument("--count", type=int, default=300)
    asked.add_argument("--seed", default="report")
    asked.add_argument("--formats", nargs="+", choices=redaction_answers.FORMATS, default=["<>"])


def _speed_options(added):
    _common_options(added)
    added.add_argument("--peers", nargs="+", choices=PEERS, help="by default those that are there")
    added.add_argument("--rounds", type=int, help="for all; by default fewer for larger models")
    added.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it works; into build/benchmarks"
    )
    added.add_argument("--resume", action="store_true", help="go on with the rows that are there")
    added.add_argument(
        "--report", action="store_true", help="measure nothing: write the report from the rows"
    )
    added.add_argument("--xllamacpp", metavar="PYTHON", default=sys.executable, help="a Python that has it")
    added.add_argument("--llama-cpp-python", metavar="PYTHON", help="a Python that has it, with its server")
    added.add_argument("--llama-server", metavar="PATH", help="by default that on the PATH, if any")


def _common_options(added):
    added.add_argument("--models", nargs="+", choices=MODELS)
    added.add_argument(
        "--home", type=Path, help="an Isthmus home with engines of its own; by default a fresh one"
    )
    added.add_argument("--into", type=Path, help="where results go")


if __name__ == "__main__":
    given = parsed(sys.argv[1:])
    given.run(given)
