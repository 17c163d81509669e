"""Effort for whatever model is at home: thoughts told apart where it thinks, worked for where it doesn't."""

from msgspec.structs import replace

from isthmus.engines.runner import RunnerEngine
from isthmus.generator import Generator
from isthmus.reasoning.reasoner import Reasoner
from isthmus.reasoning.thinking import Thinking
from isthmus.reasoning.workshop import SandboxWorkshop
from isthmus.settings import Settings

_IN_TIME = 0.8
"""The share of an answer's time that may be thought: the rest is for the answer."""


class WithEffort:
    """Makes of a model what answers questions of any effort; where none is asked for it costs almost nothing.

    Args:
        settings: What effort may cost, and how many slots there are.
        deadline_s: How long an answer may take in all; 0: as long as it takes.
    """

    def __init__(self, settings: Settings, *, deadline_s: float = 0.0) -> None:
        reasoning = settings.reasoning
        limits = [each for each in (reasoning.time_limit_s, _IN_TIME * deadline_s) if each]
        self._settings = replace(
            reasoning,
            wave=min(reasoning.wave, settings.engine.parallel),
            time_limit_s=min(limits, default=0.0),
        )
        self._always_s = _IN_TIME * deadline_s
        self._workshop = SandboxWorkshop() if reasoning.python else None

    def __call__(self, home: Generator) -> Generator:
        """The model, with effort."""
        # Not all runners write several answers to one request, and none says whether it does.
        batched = not isinstance(home, RunnerEngine) or home.batched
        thinking = Thinking(home, effort_s=self._settings.time_limit_s, always_s=self._always_s)
        return Reasoner(thinking, self._settings, batched=batched, workshop=self._workshop)
