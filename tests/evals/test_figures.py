from decimal import Decimal

import msgspec
import pytest

from isthmus.evals.figures import figures
from isthmus.evals.plans import Cell
from isthmus.evals.report.words import remarks
from isthmus.evals.statistics import clopper_pearson
from tests.evals.made import BOTH, HOME, SOURCE, results


def figures_of(outcomes, subject=HOME, size=None, attempts=1, **more):
    found = results(subject, outcomes, **more)
    return figures(
        Cell(SOURCE, subject), found, size or len(outcomes.split() if attempts > 1 else outcomes), attempts
    )


def test_errors_are_neither_right_nor_wrong_and_what_is_missing_is_told():
    found = figures_of("rrwe", size=6)
    assert (found.right, found.wrong, found.errors, found.missing) == (2, 1, 1, 2)
    assert found.accuracy.of == 3
    assert found.error_texts == ("the endpoint is gone",)


def test_one_attempt_each_has_the_exact_interval():
    found = figures_of("rrrw").accuracy
    exact = clopper_pearson(3, 4)
    assert (found.method, found.low, found.high) == ("exact", exact.low, exact.high)


def test_attempts_at_one_problem_are_not_independent():
    found = figures_of("rr ww rr ww rr ww", attempts=2)
    exact = clopper_pearson(6, 12)
    assert found.accuracy.method == "cluster bootstrap"
    assert found.accuracy.high - found.accuracy.low > exact.high - exact.low
    assert [each.k for each in found.attempts] == [1, 2]
    assert found.attempts[1].any_right.value == found.attempts[1].all_right.value == 0.5


def test_subjects_are_clusters_but_one_alone_tells_nothing_apart():
    assert figures_of("rrww", clusters="aabb").accuracy.method == "cluster bootstrap"
    assert figures_of("rrww", clusters="aaaa").accuracy.method == "exact"


def test_costs_and_who_answered_are_summed():
    found = figures_of("rrww", BOTH, handed={0, 3}, cost="0.003")
    assert found.cost_usd == Decimal("0.006")
    assert found.cost_per_100_usd == pytest.approx(0.15)
    assert (found.handed_over.count, found.handed_over.of) == (2, 4)
    assert found.answered_by == "tiny and gpt"


def test_an_empty_cell_has_figures_too():
    found = figures_of("", size=5)
    assert (found.answered, found.missing, found.cost_per_100_usd) == (0, 5, 0)


def test_a_hybrid_whose_hosted_side_was_gone_is_told_of():
    found = results(BOTH, "rw")
    gone = msgspec.structs.replace(found[0].spent, reason="provider_failed")
    found[0] = msgspec.structs.replace(found[0], spent=gone)
    made = figures(Cell(SOURCE, BOTH), found, 2, 1)
    assert made.kept_home == {"provider_failed": 1}
    assert remarks(made) == ["1 to be handed over, kept home: provider_failed"]
