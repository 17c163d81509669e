"""``isthmus doctor``: what this machine can run, with which engine build, and what to do next."""

import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import moment, size
from isthmus.cli.diagnosis import PROVIDERS, Advice, Facts, advise, because
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.configuration import Configuration
from isthmus.engines.builds import EngineBuild, Trial, chosen, write_measurements
from isthmus.engines.examination import examine
from isthmus.engines.installing import install
from isthmus.engines.neighbours import Neighbour, find_neighbours
from isthmus.engines.recipes import Recipe, missing_tools, recipes
from isthmus.errors import EngineError, FetchError, SettingsError, StorageError
from isthmus.machine import Gpu, Machine, survey
from isthmus.sandbox.probe import Bubblewrap, probe
from isthmus.settings import Settings
from isthmus.trust import trust_in

WIDTH = 100
_FEW = 5


def doctor(
    as_json: Json = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what was tried, and why each finding matters.")
    ] = False,
    install_build: Annotated[
        bool, typer.Option("--install", help="Install the engine build that suits this machine best.")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Measure again what is known already.")] = False,
) -> None:
    """See what this machine can run, how fast, and what to do next.

    Each engine build is tried out in a process of its own, measured on the smallest model here, and the
    fastest is used from then on. What was measured is kept until the processor or a build changes.
    """
    found = configuration.load()
    with ProgressDisplay() as progress:
        facts = _find(found, progress, refresh=refresh)
        if install_build:
            facts = _install(facts, progress)
    if as_json:
        console.write_json(_as_tree(facts))
    else:
        _write(facts, explain=explain)


# ---------------------------------------------------------------- finding


def _find(found: Configuration, progress: ProgressDisplay, *, refresh: bool) -> Facts:
    settings = found.settings
    home = settings.home_path
    with ThreadPoolExecutor(1) as pool:  # runners may take a second to answer, or not to
        neighbours = pool.submit(find_neighbours, Path.home())
        machine = survey(home)
        measurements = examine(home, machine.cpu, progress, refresh=refresh, trust=trust_in(settings))
    try:
        write_measurements(home, measurements)
    except StorageError as error:
        console.note(f"what was measured can't be kept: {error.message}", error.hint)
    recipe = _recipe(machine, measurements.trials)
    return Facts(
        machine=machine,
        trials=measurements.trials,
        model=measurements.model,
        measured=measurements.when,
        used=_used(settings),
        recipe=recipe,
        missing=tuple(missing_tools(recipe)) if recipe else (),
        neighbours=tuple(neighbours.result()),
        keys=tuple(configuration.variables_set(PROVIDERS)),
        configuration=found,
        sandbox=probe(),
    )


def _used(settings: Settings) -> EngineBuild | SettingsError:
    try:
        return chosen(settings.home_path, settings.engine.build)
    except SettingsError as error:
        return error


def _recipe(machine: Machine, trials: tuple[Trial, ...]) -> Recipe | None:
    """The best build that isn't here yet, unless one that is here does the same."""
    here = {trial.build.name for trial in trials}
    driven = any(trial.works and trial.build.device for trial in trials)
    wanted = [recipe for recipe in recipes(machine, trials[0].build.version) if recipe.name not in here]
    return next((recipe for recipe in wanted if recipe.cmake or not driven), None)


def _install(facts: Facts, progress: ProgressDisplay) -> Facts:
    recipe, found = facts.recipe, facts.configuration
    if recipe is None:
        console.say("There is no build that would suit this machine better than those that are here.")
        return facts
    if found.settings.offline:
        raise FetchError(
            f"the build {recipe.name} can't be fetched: offline is on ({found.sources['offline']})",
            hint="isthmus config show",
        )
    install(recipe, found.settings.home_path, progress)
    facts = _find(found, progress, refresh=False)
    made = next(trial for trial in facts.trials if trial.build.name == recipe.name)
    if not made.works:
        raise EngineError(
            f"the build {recipe.name} was made, but {made.verdict}, so it isn't used",
            hint=f"rm -r {made.build.path}",
        )
    return facts


# ---------------------------------------------------------------- telling


def _as_tree(facts: Facts) -> dict[str, Any]:
    used = facts.used
    return {
        "machine": facts.machine,
        "builds": facts.trials,
        "measured_on": facts.model,
        "measured": facts.measured,
        "used": used.name if isinstance(used, EngineBuild) else None,
        "because": because(facts),
        "recipe": facts.recipe,
        "runners": facts.neighbours,
        "keys": facts.keys,
        "sandbox": _sandbox(facts),
        "advice": advise(facts),
    }


def _write(facts: Facts, *, explain: bool) -> None:
    console.write_fields(_machine(facts.machine) | {"Sandbox": _sandbox(facts) or "none"})
    console.write()
    header = ("BUILD", "VERSION", "FOR", "PREFILL", "DECODE", "THREADS", "VERDICT")
    console.write_table(header, [_row(trial) for trial in facts.trials])
    if explain:
        _write_trials(facts)
    if isinstance(facts.used, EngineBuild):
        console.write(f"\n{facts.used.name} is used: {because(facts)}.")
    if facts.neighbours:
        console.write()
        console.write_table(("RUNNER", "ADDRESS", "MODELS"), [_runner(each) for each in facts.neighbours])
    if facts.keys:
        console.write(f"\nProvider keys in the environment: {', '.join(facts.keys)}")
    for advice in advise(facts):
        _write_advice(advice, explain=explain)


def _machine(machine: Machine) -> dict[str, str]:
    cpu = machine.cpu
    gpus = ", ".join(_gpu(gpu) for gpu in machine.gpus)
    return {
        "CPU": f"{cpu.model}, {cpu.cores} cores, {cpu.threads} threads",
        "Instructions": " ".join(cpu.features),
        "Memory": f"{size(machine.memory_bytes)}, {size(machine.available_bytes)} available",
        "GPU": gpus or "none found",
        "Disk": f"{size(machine.disk_free_bytes)} free",
        "System": f"{machine.system} {machine.architecture}",
    }


def _sandbox(facts: Facts) -> str | None:
    """What code that a model writes runs in."""
    if not isinstance(facts.sandbox, Bubblewrap):
        return None
    groups = "with" if facts.sandbox.groups else "without"
    return f"bubblewrap {facts.sandbox.version}, {groups} control groups"


def _gpu(gpu: Gpu) -> str:
    if not gpu.memory_bytes:
        return gpu.name
    shared = " of the main memory" if gpu.unified else ""
    return f"{gpu.name}, {size(gpu.memory_bytes)}{shared}, {size(gpu.free_bytes)} free"


def _row(trial: Trial) -> tuple[str, ...]:
    build = trial.build
    return (
        build.name,
        build.version or "unknown",
        build.device or _best_instructions(build.instructions),
        _speed(build.prefill_tokens_per_s),
        _speed(build.decode_tokens_per_s),
        str(build.threads or ""),
        trial.verdict,
    )


def _best_instructions(features: tuple[str, ...]) -> str:
    """The widest instruction set that a build uses, which names it."""
    for name in ("AVX512", "AVX_VNNI", "AVX2", "AVX", "SVE", "MATMUL_INT8", "DOTPROD", "NEON"):
        if name in features:
            return name
    return ""


def _speed(tokens_per_s: float | None) -> str:
    return f"{tokens_per_s:.0f} tokens/s" if tokens_per_s else ""


def _runner(each: Neighbour) -> tuple[str, str, str]:
    more = f" and {len(each.models) - _FEW} more" if len(each.models) > _FEW else ""
    models = ", ".join(each.models[:_FEW]) + more
    return each.title, each.base_url if each.running else "not running", models


def _write_trials(facts: Facts) -> None:
    on = f" on {facts.model}, {moment(facts.measured)}" if facts.model else ""
    console.write(f"\nWhat was tried, each in a process of its own{on}:")
    for trial in facts.trials:
        tried = "; ".join((*trial.tried, *([] if trial.works else [f"it {trial.verdict}"])))
        console.write(f"  {trial.build.name}: {console.printable(tried)}")
        if trial.build.instructions:
            console.write(f"    built for {' '.join(trial.build.instructions)}")


def _write_advice(advice: Advice, *, explain: bool) -> None:
    console.write()
    console.write(_wrapped(f"- {advice.text}", first=""))
    if explain:
        console.write(_wrapped(advice.why, first="  "))
    if advice.do:
        console.write(textwrap.indent(console.printable(advice.do), "      "))


def _wrapped(text: str, first: str) -> str:
    """A paragraph; what may be copied from it isn't broken at its hyphens."""
    return textwrap.fill(
        console.printable(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent="  ",
        break_on_hyphens=False,
        break_long_words=False,
    )
