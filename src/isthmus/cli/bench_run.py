"""``isthmus bench run`` and ``frontier``: suites on models."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.bench_progress import RunDisplay
from isthmus.cli.bench_show import show
from isthmus.cli.options import Json, MaxTokensOption, TemperatureOption
from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.running import run
from isthmus.cli.session import show_notice
from isthmus.configuration import Configuration
from isthmus.errors import UsageError
from isthmus.evals.data import Dataset, Source, load, locate
from isthmus.evals.environment import environment
from isthmus.evals.folders import Facts, RunFolder
from isthmus.evals.plans import Plan, Subject, Terms
from isthmus.messages import Effort, HandoffMode
from isthmus.naming import parse_model

SuitesArgument = Annotated[
    list[str], typer.Argument(metavar="SUITE...", help="Suites by name, or JSON-lines files of your own.")
]
DataOption = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="[SUITE=]PATH", help="Where a suite's published file is. Repeatable."),
]
HashOption = Annotated[
    list[str] | None,
    typer.Option("--sha256", metavar="[SUITE=]HASH", help="The hash that the data must have. Repeatable."),
]
RowsOption = Annotated[
    list[str] | None,
    typer.Option("--rows", metavar="[SUITE=]A:B", help="Only these of its problems, as slices. Repeatable."),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="A model's name, a GGUF file, or RUNNER/MODEL. Repeatable."),
]
EffortsOption = Annotated[
    list[str] | None, typer.Option("--effort", "-e", help="An effort to measure at. Repeatable.")
]
AttemptsOption = Annotated[int, typer.Option("--attempts", min=1, help="Attempts at each problem.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the first attempt; the others' follow it.")]
JudgeOption = Annotated[
    str | None,
    typer.Option("--judge", metavar="MODEL", help="Who judges what no rule can; hosted: the hosted model."),
]
IntoOption = Annotated[
    Path | None, typer.Option("--into", metavar="FOLDER", help="The run's folder; by default one of its own.")
]


def run_suites(
    suites: SuitesArgument,
    data: DataOption = None,
    models: ModelsOption = None,
    efforts: EffortsOption = None,
    handoffs: Annotated[
        list[str] | None,
        typer.Option("--handoff", help="off: home alone, auto: both, always: hosted alone. Repeatable."),
    ] = None,
    rows: RowsOption = None,
    sha256: HashOption = None,
    attempts: AttemptsOption = 1,
    seed: SeedOption = 0,
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    judge: JudgeOption = None,
    into: IntoOption = None,
    as_json: Json = False,
) -> None:
    """Run suites on models, and report what came of it.

    Each model is run at each effort, with each hand-off mode. The same command goes on where it was stopped,
    and tries again what failed.
    """
    datasets = datasets_of(suites, data, sha256, rows)
    subjects = _subjects(models, efforts, handoffs or ["off"])
    terms = Terms(attempts, seed, temperature, max_tokens, judge)
    _carry_out(datasets, Plan(tuple(datasets), subjects, terms), into, as_json=as_json)


def frontier(
    suite: Annotated[str, typer.Argument(help="A suite by name, or a JSON-lines file of your own.")],
    data: DataOption = None,
    models: ModelsOption = None,
    efforts: EffortsOption = None,
    rows: RowsOption = None,
    sha256: HashOption = None,
    attempts: AttemptsOption = 1,
    seed: SeedOption = 0,
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    judge: JudgeOption = None,
    into: IntoOption = None,
    as_json: Json = False,
) -> None:
    """Run home alone, hosted alone and both over one suite: accuracy against cost.

    It is bench run with --handoff off, auto and always; the report draws the frontier.
    """
    datasets = datasets_of([suite], data, sha256, rows)
    subjects = _subjects(models, efforts, ["off", "auto"])
    hosted = Subject(subjects[0].model, None, "always")
    terms = Terms(attempts, seed, temperature, max_tokens, judge)
    _carry_out(datasets, Plan(tuple(datasets), (*subjects, hosted), terms), into, as_json=as_json)


def _carry_out(datasets: Mapping[Source, Dataset], plan: Plan, into: Path | None, *, as_json: bool) -> None:
    from isthmus.evals.judging import HOSTED
    from isthmus.evals.provider import configured
    from isthmus.evals.reporting import make_report
    from isthmus.evals.running import run as carry_out

    config = configuration.load()
    for subject in plan.subjects:
        configured(subject.model, subject.handoff)
    if plan.terms.judge == HOSTED:
        configured("default", "always")
    check_sandbox(datasets)
    _have_models(plan, config)
    folder = RunFolder(into or config.settings.home_path / "bench" / plan.name)
    sizes = {cell.slug: len(datasets[cell.source].problems) for cell in plan.cells}
    folder.begin(plan, Facts(_command(), environment(config.settings), sizes))
    console.say(f"{sum(sizes.values()) * plan.terms.attempts} answers in all; they are kept in {folder.path}")
    try:
        with RunDisplay() as display:
            carry_out(
                plan,
                folder,
                datasets,
                lambda cell, done, errors: display(
                    f"{cell.source.name}, {cell.subject.label}",
                    done,
                    sizes[cell.slug] * plan.terms.attempts,
                    errors,
                ),
            )
    except KeyboardInterrupt:
        console.note("stopped; what is answered is kept", "the same command goes on")
        raise
    show(make_report(folder, fresh=True), folder, as_json=as_json)


def check_sandbox(datasets: Mapping[Source, Dataset]) -> None:
    """Refuse what runs a model's code, where that can't be done safely.

    Raises:
        SandboxUnavailable: There is no sandbox here, and why.
    """
    from isthmus.sandbox import unavailable

    if any(each.runs_code for each in datasets.values()) and (why := unavailable()) is not None:
        raise why


def _have_models(plan: Plan, config: Configuration) -> None:
    """Fetch what isn't here yet, so that a name that nobody knows is told of before the first answer."""
    from isthmus.evals.judging import HOSTED
    from isthmus.runtime.assembly import Talk, have_weights

    names, judge = [each.model for each in plan.subjects], plan.terms.judge
    if judge is not None and judge != HOSTED:
        names.append(judge)
    for name in dict.fromkeys(names):
        ref = parse_model(name, config.settings.runners)
        if ref.kind != "runner":
            with ProgressDisplay() as progress:
                run(have_weights(ref, config, Talk(progress, show_notice)))


def _command() -> str:
    """What was typed, without folders: they say more about the person than about the run."""
    return shlex.join(["isthmus", *(word if "/" not in word else Path(word).name for word in sys.argv[1:])])


# ---------------------------------------------------------------- what is asked for


def datasets_of(
    suites: Sequence[str], data: list[str] | None, sha256: list[str] | None, rows: list[str] | None
) -> dict[Source, Dataset]:
    """The problems of the suites that a command names.

    Raises:
        UsageError: There is no such suite, file or row.
        DigestMismatch: A file is not the one that it should be.
    """
    paths, hashes, ranges = (_by_suite(given, suites) for given in (data, sha256, rows))
    sources = [
        locate(name, Path(paths[name]) if name in paths else None, hashes.get(name), ranges.get(name))
        for name in dict.fromkeys(suites)
    ]
    return {source: load(source) for source in sources}


def _by_suite(given: list[str] | None, suites: Sequence[str]) -> dict[str, str]:
    """``SUITE=VALUE`` by suite; a lone VALUE is the only suite's."""
    found: dict[str, str] = {}
    for each in given or ():
        name, mark, value = each.partition("=")
        if not (mark and name in suites):
            if len(suites) > 1:
                raise UsageError(f"{each!r} doesn't say for which suite", hint=f"{suites[0]}={each}")
            name, value = suites[0], each
        found[name] = value
    return found


def _subjects(
    models: list[str] | None, efforts: list[str] | None, handoffs: Sequence[str]
) -> tuple[Subject, ...]:
    for effort in efforts or ():
        if effort not in get_args(Effort):
            raise UsageError(f"{effort!r} is no effort", hint=f"one of {', '.join(get_args(Effort))}")
    for mode in handoffs:
        if mode not in get_args(HandoffMode):
            raise UsageError(f"{mode!r} is no hand-off mode", hint="one of off, auto, always")
    names = models or [configuration.load().settings.model]
    return tuple(
        Subject(model, cast("Effort | None", effort), cast("HandoffMode", mode))
        for model, effort, mode in product(names, efforts or [None], handoffs)
    )
