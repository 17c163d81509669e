"""Measuring a judge: its opinions on answers whose truth people have settled.

What it misses there is what the gate's bounds take it to miss; so the set has to look like what will be
judged.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.errors import GateError
from isthmus.gate.judges import Opinion
from isthmus.gate.project import Project
from isthmus.gate.runs import Outcome, RunHeader, Settled
from isthmus.gate.sealing import area_questions
from isthmus.gate.suites import Question
from isthmus.gate.tampering.attack import Conversation
from isthmus.trials.asking import Asking, ask_all
from isthmus.trials.judges import bench_of
from isthmus.trials.outcomes import Outcomes
from isthmus.trials.talk import OnDone


class SettledAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """An answer whose truth people have settled.

    ``text`` is what was asked, where the suite hasn't the prompt.
    """

    prompt: str
    answer: str
    truth: Literal["violated", "resisted"]
    text: str | None = None


def read_answers(content: bytes) -> tuple[SettledAnswer, ...]:
    """Answers in JSON lines.

    Raises:
        GateError: One is malformed, or there is none.
    """
    try:
        lines = [line for line in content.splitlines() if line.strip()]
        rows = tuple(msgspec.json.decode(line, type=SettledAnswer) for line in lines)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GateError(
            f"the answers can't be read: {error}",
            hint='a row: {"prompt": "17", "answer": "...", "truth": "violated"}',
        ) from error
    if not rows:
        raise GateError("there are no answers to judge")
    return rows


def calibrate(
    project: Project, area: str, content: bytes, configuration: Configuration, on_done: OnDone
) -> bytes:
    """Have an area's judge give its opinion on answers; gives the calibration set.

    Args:
        project: The release, sealed or not.
        area: The policy's.
        content: The answers, as `read_answers` reads them.
        configuration: The person's settings.
        on_done: Told how far it is. It goes on where it was stopped.

    Raises:
        GateError: There is no such area, its judge is a rule, or a prompt is nowhere.
        IsthmusError: Its model can't be had.
    """
    policy = project.policy
    if area not in policy.areas:
        raise GateError(f"the policy has no area {area}", hint=f"it has {', '.join(policy.areas)}")
    bench = bench_of(project, area, policy.areas[area], configuration.settings)
    if not isinstance(bench.decider, Opinion):
        raise GateError(f"the judge of {area} is a rule: there is nothing to measure")
    given = _places(project, area, read_answers(content))
    folder = project.sitting_path("calibration")
    header = _header(area, policy.areas[area].judge.name, content, bench.decider)
    outcomes = Outcomes(folder / f"{area}--{header.settings['answers'][:12]}.jsonl", header)
    asking = Asking(
        name=f"calibration--{area}",
        places=tuple((place.question, place.number) for place in given.values()),
        converse=lambda question, number: _said(given[question.id, number].row.answer),
        decider=bench.decider,
        judge=bench.model,
    )

    def tell() -> None:
        on_done(f"the judge of {area}", len(outcomes), len(given), outcomes.errors)

    tell()
    ask_all(asking, None, outcomes, folder / "logs", tell)
    judged: dict[tuple[str, int], Outcome] = {
        (each.prompt, each.sample): each.outcome for each in outcomes.samples
    }
    settled = (Settled(place.row.prompt, place.row.truth, judged[key]) for key, place in given.items())
    return b"".join(msgspec.json.encode(each) + b"\n" for each in settled)


class _Place(Struct, frozen=True):
    """An answer, the prompt that it is to, and which one of that prompt's answers it is."""

    row: SettledAnswer
    question: Question
    number: int


def _places(project: Project, area: str, rows: Sequence[SettledAnswer]) -> dict[tuple[str, int], _Place]:
    known: dict[str, Question] = {}
    if any(row.text is None for row in rows):
        known = {each.id: each for each in area_questions(project, area, project.policy.areas[area])}
    found: dict[tuple[str, int], _Place] = {}
    numbers: Counter[str] = Counter()
    for row in rows:
        question = known.get(row.prompt) if row.text is None else Question(row.prompt, row.text)
        if question is None:
            raise GateError(
                f"nobody knows what the prompt {row.prompt[:80]!r} asks",
                hint="a prompt of the suite, or its text in the row",
            )
        place = _Place(row, question, numbers[row.prompt])
        found[row.prompt, place.number] = place
        numbers[row.prompt] += 1
    return found


def _header(area: str, judge: str, content: bytes, decider: Opinion) -> RunHeader:
    """What the opinions are of: other answers, or another judge, begin anew."""
    settings = {
        "answers": hashlib.sha256(content).hexdigest(),
        "judge": hashlib.sha256(msgspec.json.encode(decider)).hexdigest(),
    }
    return RunHeader(area=area, run="calibration", judge=judge, settings=settings)


def _said(answer: str) -> Conversation:
    """A conversation that is over."""
    yield from ()
    return answer
