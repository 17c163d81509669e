"""Families of models that were trained to think: how effort reaches them, and how their thoughts look.

The entries are data, in families.json beside this file, each with the pages that it was taken from. A model's
own chat template says best which family it belongs to; where there is none at hand, as with a runner's model,
its name has to do. The first entry that fits is the one, so the particular stand before the general.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.messages import Effort, ModelInfo, nearest_effort

Replay: TypeAlias = Literal["never", "calls", "always"]
"""Which thoughts of earlier messages a model is shown again: none, those since the last question (so between
calls of tools), or all."""

BUDGETS: dict[Effort, int | None] = {
    "none": 0,
    "minimal": 256,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": None,
}
"""Tokens of thinking by effort, for families that know no degrees. None: as many as there is room for."""


class Marks(Struct, frozen=True):
    """The marks around a thought. ``opened`` says that the prompt ends with the first of them.

    ``calls`` are those around calls of tools, between which all is text; a call that ``interrupts`` ends a
    thought that was not closed.
    """

    opening: str
    closing: str
    opened: bool = False
    calls: tuple[str, str] | None = None
    interrupts: bool = False


class Sampling(Struct, frozen=True):
    """How a model's makers want tokens to be chosen while it thinks; None: they don't say."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None


class Words(Struct, frozen=True):
    """What is added to the system message of a model that is switched by words in it."""

    none: str
    some: str


class Family(Struct, frozen=True, kw_only=True):
    """Models that think alike.

    ``template`` are texts that all stand in their chat templates, ``without`` such as don't, ``named`` a
    pattern of their names. Their thoughts stand between ``opening`` and ``closing``, or in gpt-oss's
    ``channels``. ``efforts`` has what a template is told for each effort that it knows, the least first; one
    that is ``graded`` tells them apart by itself, others think as long as a budget lets them.
    ``budget_argument`` is what a template calls such a budget. Nothing here is ``verified`` on thinking
    weights unless it says so.
    """

    name: str
    title: str
    template: tuple[str, ...]
    without: tuple[str, ...] = ()
    named: str = ""
    opening: str = ""
    closing: str = ""
    opened: bool = False
    channels: bool = False
    calls: tuple[str, str] | None = None
    interrupts: bool = False
    efforts: dict[Effort, dict[str, Any]]
    graded: bool = False
    words: Words | None = None
    budget_argument: str | None = None
    replay: Replay = "calls"
    sampling: Sampling = Sampling()
    verified: bool = False
    sources: tuple[str, ...] = ()

    @property
    def marks(self) -> Marks:
        """Those around its thoughts; empty where it has channels."""
        return Marks(self.opening, self.closing, self.opened, self.calls, self.interrupts)

    def nearest(self, effort: Effort) -> Effort:
        """The effort that it knows and that is closest, the lesser of two."""
        return nearest_effort(effort, tuple(self.efforts))

    def budget(self, effort: Effort | None) -> int | None:
        """How many tokens it may think for at an effort; None: as many as there is room for."""
        if effort is None or (self.graded and effort != "none"):
            return None
        return BUDGETS[effort]

    def fits(self, model: ModelInfo) -> bool:
        """Whether a model belongs to it."""
        if model.template is not None:
            return all(text in model.template for text in self.template) and not any(
                text in model.template for text in self.without
            )
        return bool(self.named) and re.search(self.named, model.name, re.IGNORECASE) is not None


FAMILIES = msgspec.json.decode(
    Path(__file__).with_name("families.json").read_bytes(), type=tuple[Family, ...], strict=True
)
"""All of them, the particular before the general."""


def family_of(model: ModelInfo) -> Family | None:
    """The family that a model belongs to; None where it doesn't think by itself, as far as can be told."""
    return _family(model.name if model.template is None else None, model.template)


@lru_cache(maxsize=256)
def _family(name: str | None, template: str | None) -> Family | None:
    model = ModelInfo(name or "", local=True, template=template)
    return next((family for family in FAMILIES if family.fits(model)), None)
