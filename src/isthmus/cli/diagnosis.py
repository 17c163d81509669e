"""What `isthmus doctor` makes of what it found: which build is used and why, and what to do next.

Nothing here looks at the machine; that is done before, so that each rule can be tested by what it is told.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from isthmus.cli.amounts import size
from isthmus.configuration import Configuration, Source
from isthmus.engines.builds import EngineBuild, Trial, engines_folder
from isthmus.engines.installing import tools_hint
from isthmus.engines.neighbours import Neighbour
from isthmus.engines.recipes import Recipe
from isthmus.errors import SandboxUnavailable, SettingsError
from isthmus.machine import Gpu, Machine
from isthmus.sandbox.probe import Bubblewrap

LITTLE_DISK_BYTES = 2 << 30
LITTLE_MEMORY_BYTES = 1 << 30

PROVIDERS = {
    "OPENAI_API_KEY": ("openai", "https://api.openai.com/v1"),
    "ANTHROPIC_API_KEY": ("anthropic", "https://api.anthropic.com/v1"),
    "GEMINI_API_KEY": ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai"),
    "XAI_API_KEY": ("xai", "https://api.x.ai/v1"),
    "MOONSHOT_API_KEY": ("moonshot", "https://api.moonshot.ai/v1"),
    "DEEPSEEK_API_KEY": ("deepseek", "https://api.deepseek.com/v1"),
    "MISTRAL_API_KEY": ("mistral", "https://api.mistral.ai/v1"),
    "GROQ_API_KEY": ("groq", "https://api.groq.com/openai/v1"),
    "TOGETHER_API_KEY": ("together", "https://api.together.xyz/v1"),
    "OPENROUTER_API_KEY": ("openrouter", "https://openrouter.ai/api/v1"),
}
"""Where the key in a variable is usually good: what the provider is called, and its address."""


class Advice(Struct, frozen=True):
    """Something to know, and why it matters; ``do`` is what to type or paste, if there is something."""

    text: str
    why: str
    do: str = ""


class Facts(Struct, frozen=True):
    """All that was found.

    ``model`` is what the builds were measured on, ``recipe`` a build that would suit the machine better, and
    ``missing`` what following it takes; ``keys`` are the provider keys' variables that are set.
    """

    machine: Machine
    trials: tuple[Trial, ...]
    model: str | None
    measured: datetime
    used: EngineBuild | SettingsError
    recipe: Recipe | None
    missing: tuple[str, ...]
    neighbours: tuple[Neighbour, ...]
    keys: tuple[str, ...]
    configuration: Configuration
    sandbox: Bubblewrap | SandboxUnavailable

    @property
    def home(self) -> Path:
        """The folder of models and engines."""
        return self.configuration.settings.home_path


def because(facts: Facts) -> str:
    """Why that build is used."""
    settings, sources = facts.configuration.settings, facts.configuration.sources
    wanted = settings.engine.build
    if wanted != "auto":
        return f"engine.build names it ({sources.get('engine.build', Source('default'))})"
    if isinstance(facts.used, EngineBuild) and facts.used.seconds is not None:
        measured = sum(trial.build.seconds is not None for trial in facts.trials)
        return "the fastest that was measured" if measured > 1 else "the only one that was measured"
    return "nothing has been measured yet"


def advise(facts: Facts) -> list[Advice]:
    """What the person should know, the most pressing first."""
    rules = (_ailing, _unmeasured, _better, _disturbed, _space, _settings, _runners, _keys, _sandbox)
    return [advice for rule in rules for advice in rule(facts)]


# ---------------------------------------------------------------- builds


def _ailing(facts: Facts) -> Iterator[Advice]:
    if isinstance(facts.used, SettingsError):
        yield Advice(
            facts.used.message, "No model can be loaded while the settings name a build that isn't here."
        )
    for trial in facts.trials:
        if trial.works:
            continue
        illegal = "SIGILL" in trial.verdict
        why = (
            "It uses an instruction that this processor doesn't have, or that a virtual machine announces "
            "and then refuses. It was tried in a process of its own and is never chosen."
            if illegal
            else "It was tried in a process of its own and is never chosen by itself."
        )
        ours = trial.build.path.startswith(str(engines_folder(facts.home)))
        yield Advice(
            f"the build {trial.build.name} {trial.verdict}", why, f"rm -r {trial.build.path}" if ours else ""
        )


def _unmeasured(facts: Facts) -> Iterator[Advice]:
    if facts.model is None:
        yield Advice(
            "no model is here, so the builds were only loaded, not measured",
            "The fastest build and number of threads are chosen by measurement, on the smallest model here.",
            "isthmus pull smollm2:135m && isthmus doctor",
        )


def _better(facts: Facts) -> Iterator[Advice]:
    recipe = facts.recipe
    if recipe is not None:
        typed = recipe.command(engines_folder(facts.home) / recipe.name)
        first = f"; making it takes {' and '.join(facts.missing)}" if facts.missing else ""
        yield Advice(
            f"there is a build that would suit this machine better, {recipe.name}: {recipe.why}{first}",
            f"--install does what this would, and then tries it out: {typed}",
            f"{tools_hint()} && isthmus doctor --install" if first else "isthmus doctor --install",
        )
    elif (gpu := _idle_gpu(facts)) is not None:
        driver = f" (driver {gpu.driver})" if gpu.driver else ""
        yield Advice(
            f"nothing here uses the {gpu.name}{driver}",
            "No build on this machine drives it, and xllamacpp has none for this driver. "
            "A newer driver (NVIDIA: 570 or later), or a llama-server on the PATH that uses it, would do.",
        )


def _idle_gpu(facts: Facts) -> Gpu | None:
    """A GPU, where no build that works drives any."""
    driven = any(trial.works and trial.build.device for trial in facts.trials)
    return next(iter(facts.machine.gpus), None) if not driven else None


def _disturbed(facts: Facts) -> Iterator[Advice]:
    worst = max((trial.others for trial in facts.trials if trial.disturbed), default=None)
    if worst is not None:
        yield Advice(
            f"other programs took up to {worst:.0%} of the processors while this was measured",
            "The speeds are too low, and the order of the builds may be chance. "
            "The number of threads was left at one a core.",
            "isthmus doctor --refresh",
        )


# ---------------------------------------------------------------- room


def _space(facts: Facts) -> Iterator[Advice]:
    machine = facts.machine
    if machine.disk_free_bytes < LITTLE_DISK_BYTES:
        yield Advice(
            f"{size(machine.disk_free_bytes)} are free on the disk of {facts.home}",
            "A small model takes 0.5 to 5 GB, a large one tens of them.",
            "export ISTHMUS_HOME=/a/folder/on/another/disk",
        )
    if machine.available_bytes < LITTLE_MEMORY_BYTES:
        yield Advice(
            f"{size(machine.available_bytes)} of memory are available",
            "Weights, context and buffers of a model have to fit; `isthmus plan MODEL` says what it takes.",
        )


# ---------------------------------------------------------------- settings


def _settings(facts: Facts) -> Iterator[Advice]:
    settings, machine = facts.configuration.settings, facts.machine
    engine = settings.engine
    if engine.threads > machine.cpu.threads:
        yield _in_the_way(
            facts,
            "engine.threads",
            f"is {engine.threads}, and {machine.cpu.threads} can run at once",
            "Threads that wait for each other's turn halt all of them.",
        )
    if engine.memory_mb << 20 > machine.memory_bytes:
        yield _in_the_way(
            facts,
            "engine.memory_mb",
            f"allows {size(engine.memory_mb << 20)}, and there are {size(machine.memory_bytes)}",
            "What doesn't fit is read from the disk again and again, or the system ends the worker.",
        )
    if engine.gpu_layers == 0 and machine.gpus:
        yield _in_the_way(
            facts,
            "engine.gpu_layers",
            f"is 0, so the {machine.gpus[0].name} isn't used",
            "Layers on a GPU are several times as fast. -1 puts as many there as fit.",
        )
    if settings.offline:
        yield _in_the_way(
            facts, "offline", "is on", "No model can be fetched, no build installed, and nothing handed off."
        )
    if settings.handoff.local_only and settings.handoff.order:
        yield _in_the_way(
            facts,
            "handoff.local_only",
            f"is on, so nothing is handed off to {settings.handoff.order[0]}",
            "The hard switch wins over any mode, flag, header or model name.",
        )


def _in_the_way(facts: Facts, name: str, text: str, why: str) -> Advice:
    return Advice(f"{name} {text} ({facts.configuration.sources.get(name, Source('default'))})", why)


# ---------------------------------------------------------------- runners, keys


def _runners(facts: Facts) -> Iterator[Advice]:
    settings = facts.configuration.settings
    declared = {provider.base_url.rstrip("/") for provider in settings.runners.values()}
    for each in facts.neighbours:
        if each.kind == "ollama" and each.store is not None and each.models:
            yield Advice(
                "Ollama's models can be used here without fetching them again",
                "They are linked into the store, not copied, and hashed like all others.",
                "isthmus import-ollama",
            )
        at_home = [model for model in each.models if not model.endswith(("-cloud", ":cloud"))]
        addresses = {each.base_url, each.base_url.replace("127.0.0.1", "localhost")}
        if each.running and at_home and not addresses & declared:
            yield Advice(
                f"{each.title} runs here; declared local, it answers as a model of yours: "
                f"isthmus ask --model {each.kind}/{at_home[0]}",
                "An address declared local is inside the trust line: nothing leaves the machine.",
                f"[providers.{each.kind}]\n"
                f'base_url = "{each.base_url}"\nmodel = {json.dumps(at_home[0])}\nlocal = true',
            )


def _keys(facts: Facts) -> Iterator[Advice]:
    providers = facts.configuration.settings.providers
    used = {provider.key_env for provider in providers.values()}
    for name, provider in providers.items():
        if provider.key_env and name not in facts.configuration.keys:
            yield Advice(
                f"{provider.key_env}, which holds the key of providers.{name}, isn't set",
                "Without its key the provider refuses what is handed off to it.",
                f"export {provider.key_env}=...",
            )
    unused = [key for key in facts.keys if key not in used]
    if unused and not any(not provider.local for provider in providers.values()):
        name, base_url = PROVIDERS[unused[0]]
        yield Advice(
            f"{unused[0]} is set; questions beyond the local model could go there, each with your consent",
            "Nothing leaves this machine unless a provider is declared and handoff.mode allows it.",
            f'[handoff]\nmode = "ask"\nprovider = "{name}"\n\n[providers.{name}]\n'
            f'base_url = "{base_url}"\nmodel = "..."\nkey_env = "{unused[0]}"',
        )


def _sandbox(facts: Facts) -> Iterator[Advice]:
    if isinstance(facts.sandbox, SandboxUnavailable):
        yield Advice(
            f"code that a model writes can't be run here: {facts.sandbox.message}",
            "Answers that calculate with a program, benchmarks of code and agents run code in a sandbox and "
            "nowhere else. All the rest works without one.",
            facts.sandbox.hint or "",
        )
