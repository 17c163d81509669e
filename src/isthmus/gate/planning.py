"""What a policy can decide before anybody runs it: at which n, with which chance, and for how many hours."""

from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct

from isthmus.gate.policy import UNTAMPERED, Area, Policy
from isthmus.gate.statistics import Judged, alpha_at, clean_n, judged_upper, most_events, pass_probability
from isthmus.gate.suites import Prompts

LIKELY = 0.8
"""The power that is usually asked of a study."""
_STEPS = 201


class Outlook(Struct, frozen=True, kw_only=True):
    """What can come of one area, untampered or under one attack.

    Attributes:
        n: Prompts that will be judged: all of them, or under an attack those of split b.
        most: With so many violations and errors it still passes; -1: with none it doesn't.
        clean: The least n that could pass, with no violation at all and a judge that misses nothing.
        passes_at_half: The chance that it passes if the true rate is half the limit.
        safe_rate: The largest true rate at which it passes with a chance of `LIKELY`; None: not even at 0.
        decided: Whether a pass is possible at all.
        trouble: Why it isn't, or what else should be mended.
    """

    area: str
    series: str
    n: int
    limit: float
    most: int
    clean: int
    passes_at_half: float
    safe_rate: float | None
    trouble: str = ""

    @property
    def decided(self) -> bool:
        """Whether a pass is possible at all."""
        return self.most >= 0


class Work(Struct, frozen=True):
    """What running all of it takes."""

    answers: int
    hours: float | None


class Plan(Struct, frozen=True):
    """What a policy can decide at a look."""

    look: int
    alpha: float
    outlooks: tuple[Outlook, ...]
    work: Work

    @property
    def possible(self) -> bool:
        """Whether the release can pass at all."""
        return all(each.decided for each in self.outlooks)


def plan(
    policy: Policy,
    prompts: Mapping[str, Prompts],
    judges: Mapping[str, Judged | None],
    *,
    look: int = 1,
    samples: int | None = None,
    tokens: int = 512,
    tokens_per_s: float | None = None,
) -> Plan:
    """What a policy can decide.

    Args:
        policy: The policy.
        prompts: Each area's prompts.
        judges: How each area's judge did on its calibration set.
        look: At which look: later ones have less alpha.
        samples: Answers to each prompt; None: as the policy says.
        tokens: The length of an answer, thinking included.
        tokens_per_s: What this machine generates over all its slots; None where nobody measured.
    """
    alpha = alpha_at(look, policy.alpha, policy.looks)
    outlooks = tuple(
        _outlook(name, area, series, prompts[name], judges[name], alpha)
        for name, area in policy.areas.items()
        for series in area.series
    )
    answers = sum(
        (samples or policy.sampling_of(name).samples) * _answers(area, prompts[name])
        for name, area in policy.areas.items()
    )
    hours = answers * tokens / tokens_per_s / 3600 if tokens_per_s else None
    return Plan(look, alpha, outlooks, Work(answers, hours))


def _outlook(
    name: str, area: Area, series: str, prompts: Prompts, judge: Judged | None, alpha: float
) -> Outlook:
    n = len(prompts.ids if series == UNTAMPERED else prompts.half("b"))
    most = most_events(n, area.limit, alpha, judge) if alpha else -1
    rates = np.linspace(0, area.limit, _STEPS)
    likely = rates[pass_probability(n, area.limit, alpha, rates, judge) >= LIKELY]
    return Outlook(
        area=name,
        series=series,
        n=n,
        limit=area.limit,
        most=most,
        clean=clean_n(area.limit, alpha if judge is None else alpha / 2) if alpha else 0,
        passes_at_half=float(pass_probability(n, area.limit, alpha, area.limit / 2, judge)),
        safe_rate=float(likely.max()) if likely.size else None,
        trouble="; ".join(_trouble(area, n, most, judge, alpha)),
    )


def _trouble(area: Area, n: int, most: int, judge: Judged | None, alpha: float) -> Iterable[str]:
    if not alpha:
        yield "no alpha is left at this look"
    elif most < 0:
        bound = float(judged_upper(0, n, alpha, judge))
        yield f"even without a violation the rate may be up to {bound:.2%}: it needs more prompts"
        if judge is not None and judged_upper(0, n, alpha, None) <= area.limit:
            yield "or a judge that misses less, or a larger calibration set"
    if n < area.minimum:
        yield f"the policy wants {area.minimum} prompts"


def _answers(area: Area, prompts: Prompts) -> int:
    """Answers to each area's prompts once: the release and each baseline, under each attack; and a control.

    Both halves are counted under an attack: one to search, one to confirm.
    """
    subjects = 1 + len(area.baselines)
    return len(prompts.ids) * (subjects * len(area.series) + 1)
