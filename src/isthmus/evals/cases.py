"""Examples: where the hand-off helped and hurt, and where models disagree."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from isthmus.evals.plans import Cell, Subject
from isthmus.evals.results import Outcome, Result

_SHOWN_TEXT = 6_000


class Case(Struct, frozen=True, kw_only=True):
    """A problem that the hand-off changed: the answer from home, and the one with the hand-off in force."""

    suite: str
    problem: str
    question: str
    gold: str
    home: str
    home_why: str
    handed: str
    handed_why: str
    model: str
    cost_usd: Decimal


class Handoff(Struct, frozen=True, kw_only=True):
    """Where the hand-off helped (wrong at home, right with it) and where it hurt, for one subject."""

    suite: str
    label: str
    helped: int
    hurt: int
    handed_over: int
    helpful: tuple[Case, ...]
    harmful: tuple[Case, ...]


class Said(Struct, frozen=True):
    """What one subject made of a problem."""

    label: str
    outcome: Outcome
    answer: str
    why: str


class Example(Struct, frozen=True, kw_only=True):
    """One problem, and what each subject made of it."""

    suite: str
    problem: str
    question: str
    gold: str
    said: tuple[Said, ...]


def handoffs(cells: Sequence[Cell], found: Mapping[str, Sequence[Result]], most: int) -> Iterator[Handoff]:
    """Each hybrid beside the same model alone, where both were measured, with ``most`` cases each way."""
    for cell in cells:
        if cell.subject.handoff != "auto":
            continue
        alone = Cell(cell.source, Subject(cell.subject.model, cell.subject.effort))
        if alone.slug not in found:
            continue
        home = {each.key: each for each in found[alone.slug]}
        pairs = [(home[each.key], each) for each in found[cell.slug] if each.key in home and each.handed_over]
        helpful = [pair for pair in pairs if pair[0].outcome == "wrong" and pair[1].outcome == "right"]
        harmful = [pair for pair in pairs if pair[0].outcome == "right" and pair[1].outcome == "wrong"]
        yield Handoff(
            suite=cell.source.name,
            label=cell.subject.label,
            helped=len(helpful),
            hurt=len(harmful),
            handed_over=sum(each.handed_over for each in found[cell.slug]),
            helpful=tuple(_case(cell, *pair) for pair in helpful[:most]),
            harmful=tuple(_case(cell, *pair) for pair in harmful[:most]),
        )


def _case(cell: Cell, home: Result, handed: Result) -> Case:
    return Case(
        suite=cell.source.name,
        problem=home.problem,
        question=home.question[:_SHOWN_TEXT],
        gold=home.gold[:_SHOWN_TEXT],
        home=home.answer[:_SHOWN_TEXT],
        home_why=home.why,
        handed=handed.answer[:_SHOWN_TEXT],
        handed_why=handed.why,
        model=handed.spent.model,
        cost_usd=handed.spent.cost_usd,
    )


def examples(cells: Sequence[Cell], found: Mapping[str, Sequence[Result]], most: int) -> Iterator[Example]:
    """For each suite ``most`` problems: those on which the subjects disagree first, then those got wrong."""
    for source in dict.fromkeys(cell.source for cell in cells):
        beside = [cell for cell in cells if cell.source == source]
        firsts = {
            cell.subject.label: {each.problem: each for each in found[cell.slug] if each.attempt == 1}
            for cell in beside
        }
        problems = list(dict.fromkeys(name for known in firsts.values() for name in known))
        problems.sort(key=lambda name: _dullness([known.get(name) for known in firsts.values()]))
        for name in problems[:most]:
            said = {label: known[name] for label, known in firsts.items() if name in known}
            some = next(iter(said.values()))
            yield Example(
                suite=source.name,
                problem=name,
                question=some.question[:_SHOWN_TEXT],
                gold=some.gold[:_SHOWN_TEXT],
                said=tuple(
                    Said(label, each.outcome, each.answer[:_SHOWN_TEXT], each.why)
                    for label, each in said.items()
                ),
            )


def _dullness(results: Sequence[Result | None]) -> int:
    """Disagreement first, then what all got wrong, then what all got right; the order is otherwise kept."""
    outcomes = {each.outcome for each in results if each is not None}
    if len(outcomes) > 1:
        return 0
    return 2 if outcomes == {"right"} else 1
