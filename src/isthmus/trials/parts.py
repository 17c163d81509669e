"""What a sitting is made of: who is asked which area's prompts, untampered or under which attack."""

from collections.abc import Collection, Iterator

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.plans import slug
from isthmus.gate.policy import UNTAMPERED, Area, Policy
from isthmus.gate.runs import BASELINE, CONTROL, RELEASE


class Part(Struct, frozen=True):
    """One run: a subject, an area, and a series."""

    area: str
    subject: str = RELEASE
    series: str = UNTAMPERED

    @property
    def label(self) -> str:
        """As people are told of it."""
        attack = "" if self.series == UNTAMPERED else f", {self.series}"
        return f"{self.area}{attack}, {self.subject}"

    @property
    def slug(self) -> str:
        """As its file is called."""
        return f"{self.area}--{self.series}--{slug(self.subject)}"


class Wanted(Struct, frozen=True):
    """Which parts of a sitting somebody asked for; empty: all."""

    areas: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


def parts_of(policy: Policy, wanted: Wanted) -> list[Part]:
    """The runs that a policy asks for, as far as they are wanted; of areas judged elsewhere, only if named.

    An area's control comes first: where the judge doesn't see it fail, hours of others would prove nothing.

    Raises:
        UsageError: The policy has no such area, attack or baseline.
    """
    _require_known("area", wanted.areas, policy.areas)
    _require_known("attack", wanted.series, {each for area in policy.areas.values() for each in area.series})
    known = {subject for area in policy.areas.values() for subject in (CONTROL, *_asked(area))}
    _require_known("subject", wanted.subjects, known)
    areas = {name: each for name, each in policy.areas.items() if wanted.areas or not each.judge.elsewhere}
    found = (part for name, area in areas.items() for part in _of_area(name, area))
    return [part for part in found if _is_wanted(part, wanted)]


def _of_area(name: str, area: Area) -> Iterator[Part]:
    yield Part(name, CONTROL)
    for series in area.series:
        for subject in _asked(area):
            yield Part(name, subject, series)


def _asked(area: Area) -> tuple[str, ...]:
    return (RELEASE, *(f"{BASELINE}{name}" for name in area.baselines))


def _is_wanted(part: Part, wanted: Wanted) -> bool:
    return (
        part.area in (wanted.areas or (part.area,))
        and part.series in (wanted.series or (part.series,))
        and part.subject in (wanted.subjects or (part.subject,))
    )


def _require_known(what: str, named: Collection[str], known: Collection[str]) -> None:
    for each in named:
        if each not in known:
            raise UsageError(f"the policy has no {what} {each}", hint=f"it has {', '.join(sorted(known))}")
