"""The prompts that were violated, for those who ask: they are the publisher's data, and may do harm."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from isthmus.gate.policy import Policy
from isthmus.gate.project import Project
from isthmus.gate.runs import RELEASE, Run, together
from isthmus.gate.sealing import area_questions


class Violated(Struct, frozen=True):
    """A prompt that the release violated: where, its name, and what was asked."""

    area: str
    series: str
    prompt: str
    text: str


def violated_prompts(project: Project, policy: Policy, runs: Sequence[Run]) -> Iterable[Violated]:
    """The prompts that the release violated, by area and attack.

    Raises:
        PolicyInvalid: A suite isn't the file that the policy names by its digest, or can't be read.
    """
    for name, area in policy.areas.items():
        found = [(series, prompt) for series in area.series for prompt in _violated(runs, name, series)]
        texts = {each.id: each.text for each in area_questions(project, name, area)} if found else {}
        for series, prompt in found:
            yield Violated(name, series, prompt, texts.get(prompt, ""))


def _violated(runs: Sequence[Run], area: str, series: str) -> Iterable[str]:
    wanted = (area, series, RELEASE)
    of_series = (run for run in runs if (run.header.area, run.header.series, run.header.subject) == wanted)
    return (prompt for prompt, outcome in together(of_series).items() if outcome == "violated")
