"""How figures are worded in every form of a report."""

import math

from isthmus.evals.comparing import Comparison
from isthmus.evals.figures import Attempts, Figures, Share
from isthmus.evals.statistics import Interval


def percent(value: float) -> str:
    """A share; nothing where it is unknown."""
    return "" if math.isnan(value) else f"{value:.1%}"


def between(found: Share | Interval) -> str:
    """Where a share may lie."""
    return f"{found.low:.1%} to {found.high:.1%}"


def with_interval(found: Share | Interval) -> str:
    """A share with its interval."""
    return f"{percent(found.value)} ({between(found)})" if not math.isnan(found.value) else ""


def points(found: Interval) -> str:
    """A difference of two shares, in percentage points, with its interval."""
    low, middle, high = (100 * each for each in (found.low, found.value, found.high))
    return f"{middle:+.1f} points ({low:+.1f} to {high:+.1f})"


def cost(figures: Figures) -> str:
    """What a hundred answers cost."""
    return f"${figures.cost_per_100_usd:.4f}" if figures.cost_usd else "$0"


def handed_over(figures: Figures) -> str:
    """The share that a hosted model answered, where one was asked."""
    return percent(figures.handed_over.value) if figures.subject.handoff in ("auto", "always") else ""


def p_value(comparison: Comparison) -> str:
    """McNemar's p; nothing where it doesn't apply."""
    if comparison.p_value is None:
        return ""
    return "< 0.0001" if comparison.p_value < 1e-4 else f"{comparison.p_value:.4f}"


def attempts(found: Attempts) -> tuple[str, str, str]:
    """A row on what several attempts are worth."""
    return str(found.k), with_interval(found.any_right), with_interval(found.all_right)


def remarks(figures: Figures) -> list[str]:
    """What must be said beside a cell's figures."""
    said: list[str] = []
    if figures.errors:
        said.append(f"{figures.errors} failed ({'; '.join(figures.error_texts[:2])})")
    if figures.missing:
        said.append(f"{figures.missing} not answered yet")
    if figures.cut:
        said.append(f"{figures.cut} cut off at the token limit")
    said += [f"{count} to be handed over, kept home: {why}" for why, count in figures.kept_home.items()]
    return said
