"""Against SciPy, against brute force, and against figures that were published."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isthmus.evals.statistics import (
    binomial_tail,
    clopper_pearson,
    cluster_bootstrap,
    mcnemar,
    paired_bootstrap,
    pass_at_k,
    pass_hat_k,
    problems_for_difference,
    problems_for_margin,
)

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.floats(0.0, 1.0))
def test_the_binomial_tail_is_scipys(count, p):
    k, n = count
    assert binomial_tail(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-9, abs=1e-12)


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_exact_interval_is_scipys(count, confidence):
    k, n = count
    theirs = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
    ours = clopper_pearson(k, n, confidence)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert ours.low <= ours.value <= ours.high


def test_of_nothing_nothing_is_known():
    found = clopper_pearson(0, 0)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0, 1)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemars_p_is_the_exact_binomial_tests(only_first, only_second):
    n = only_first + only_second
    theirs = stats.binomtest(only_first, n, 0.5).pvalue if n else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(theirs, rel=1e-9)


def test_the_bootstrap_of_single_trials_is_near_the_normal_interval():
    values = [[1.0]] * 60 + [[0.0]] * 40
    found = cluster_bootstrap(values)
    spread = 1.96 * math.sqrt(0.6 * 0.4 / 100)
    assert found.value == 0.6
    assert (found.low, found.high) == pytest.approx((0.6 - spread, 0.6 + spread), abs=0.015)


def test_clusters_that_agree_within_themselves_widen_the_interval():
    clustered = cluster_bootstrap([[1.0] * 10] * 6 + [[0.0] * 10] * 4)
    single = cluster_bootstrap([[1.0]] * 60 + [[0.0]] * 40)
    assert clustered.high - clustered.low > 2.5 * (single.high - single.low)


def test_where_all_are_right_the_interval_still_has_a_width():
    found = cluster_bootstrap([[1.0, 1.0]] * 10)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(clopper_pearson(10, 10).low)


def test_the_cluster_bootstrap_covers_the_truth_about_as_often_as_it_says():
    """60 worlds of 40 problems with 4 attempts each, whose chances differ from problem to problem."""
    generator = np.random.default_rng(1)
    covered = 0
    for world in range(60):
        chances = generator.beta(1, 1, size=40)
        attempts = generator.random((40, 4)) < chances[:, None]
        found = cluster_bootstrap(attempts.astype(float).tolist(), seed=world)
        covered += found.low <= 0.5 <= found.high
    assert covered >= 52  # of 60: 57 are expected


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
@settings(max_examples=30)
def test_a_difference_is_the_mean_difference_and_turns_with_its_sides(pairs):
    first, second = [[float(a)] for a, _ in pairs], [[float(b)] for _, b in pairs]
    found, turned = paired_bootstrap(first, second), paired_bootstrap(second, first)
    assert found.value == pytest.approx(sum(a - b for a, b in pairs) / len(pairs))
    assert found.low <= found.value + 1e-9
    assert found.value <= found.high + 1e-9
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))


def test_pairing_narrows_what_two_intervals_apart_would_leave():
    shared = np.random.default_rng(3).random(100) < 0.5
    first = [[float(each)] for each in shared]
    second = [[float(each and number % 10 != 0)] for number, each in enumerate(shared)]
    found = paired_bootstrap(first, second)
    alone = cluster_bootstrap(first)
    assert found.low > 0
    assert found.high - found.low < alone.high - alone.low


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n))))
def test_pass_at_k_counts_the_draws_of_k_attempts(case):
    from itertools import combinations

    right, attempts, k = case
    draws = list(combinations([True] * right + [False] * (attempts - right), k))
    assert pass_at_k(right, attempts, k) == pytest.approx(sum(map(any, draws)) / len(draws))
    assert pass_hat_k(right, attempts, k) == pytest.approx(sum(map(all, draws)) / len(draws))


@pytest.mark.parametrize(("right", "attempts", "k"), [(3, 2, 1), (-1, 2, 1), (1, 2, 3), (1, 2, 0)])
def test_attempts_that_cannot_be_are_refused(right, attempts, k):
    with pytest.raises(ValueError, match="attempts"):
        pass_at_k(right, attempts, k)


@pytest.mark.parametrize(("share", "margin"), [(0.5, 0.1), (0.9, 0.05), (0.0, 0.1)])
def test_as_many_problems_as_planned_put_the_interval_within_the_margin(share, margin):
    needed = problems_for_margin(share, margin)

    def width(n):
        found = clopper_pearson(round(share * n), n)
        return max(found.high - found.value, found.value - found.low)

    assert width(needed) <= margin < width(needed * 3 // 4)


@pytest.mark.parametrize(("only_first", "only_second"), [(0.25, 0.1), (0.4, 0.2), (0.2, 0.05)])
def test_as_many_problems_as_planned_show_the_difference_about_as_often(only_first, only_second):
    """Connor's formula against the test itself, in 2,000 worlds; McNemar's exact test is a little weaker."""
    n = problems_for_difference(only_first, only_second, power=0.8)
    shares = [only_first, only_second, 1 - only_first - only_second]
    worlds = np.random.default_rng(0).multinomial(n, shares, size=2000)
    seen = np.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in worlds])
    assert 0.72 <= seen <= 0.86


def test_a_difference_of_nothing_needs_more_problems_than_there_are():
    with pytest.raises(ValueError, match="differ"):
        problems_for_difference(0.2, 0.2)
