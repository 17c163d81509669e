"""A run's report: what ``bench report`` shows in all its forms, and ``isthmus recommend`` reads."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from isthmus.evals.cases import Example, Handoff, examples, handoffs
from isthmus.evals.comparing import Comparison, comparisons
from isthmus.evals.figures import Figures, figures
from isthmus.evals.plans import Plan
from isthmus.evals.results import Result, of_cell


class Report(Struct, frozen=True, kw_only=True):
    """All that there is to say of a run.

    ``overhead`` is the share of the wall time during which no model was at work. The plan's files are told by
    their names, without folders.
    """

    name: str
    at: datetime
    plan: Plan
    figures: tuple[Figures, ...]
    comparisons: tuple[Comparison, ...]
    handoffs: tuple[Handoff, ...]
    examples: tuple[Example, ...]
    overhead: float | None
    environment: dict[str, str]


def summarise(
    name: str,
    plan: Plan,
    sizes: Mapping[str, int],
    results: Sequence[Result],
    *,
    overhead: float | None = None,
    environment: Mapping[str, str] | None = None,
    most: int = 6,
) -> Report:
    """The report of a run.

    Args:
        name: The run's.
        plan: What was to be measured.
        sizes: How many problems each cell has, by its slug.
        results: What there is of it.
        overhead: As `Report` has it.
        environment: Machine and versions.
        most: How many examples of each kind are shown.
    """
    cells = list(plan.cells)
    found = {cell.slug: of_cell(results, cell) for cell in cells}
    attempts = plan.terms.attempts
    return Report(
        name=name,
        at=datetime.now(UTC).replace(microsecond=0),
        plan=_without_folders(plan),
        figures=tuple(figures(cell, found[cell.slug], sizes[cell.slug], attempts) for cell in cells),
        comparisons=tuple(comparisons(cells, found)),
        handoffs=tuple(handoffs(cells, found, most)),
        examples=tuple(examples(cells, found, most)),
        overhead=overhead,
        environment=dict(environment or {}),
    )


def _without_folders(plan: Plan) -> Plan:
    """A plan that others may see: the folders that its files lie in say more about the person."""
    sources = (replace(each, path=Path(each.path).name) for each in plan.sources)
    return replace(plan, sources=tuple(sources))


def efficient(some: Sequence[Figures]) -> list[Figures]:
    """The frontier: those that nothing beats in accuracy at the same cost or less, the cheapest first."""
    best: list[Figures] = []
    known = [each for each in some if each.answered]
    for each in sorted(known, key=lambda one: (one.cost_per_100_usd, -one.accuracy.value)):
        if not best or each.accuracy.value > best[-1].accuracy.value:
            best.append(each)
    return best
