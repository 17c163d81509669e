import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from isthmus.gate.statistics import (
    Judged,
    alpha_at,
    clean_n,
    difference_upper,
    holm,
    judged_lower,
    judged_upper,
    lower,
    most_events,
    p_value,
    pass_probability,
    upper,
)

ALPHAS = st.sampled_from([0.2, 0.05, 0.025, 0.001])


@st.composite
def counts(draw):
    n = draw(st.integers(1, 3000))
    return draw(st.integers(0, n)), n


@given(counts(), ALPHAS)
def test_the_bounds_are_exact(count, alpha):
    """With the bound for a rate, so few (or so many) events have exactly the probability alpha."""
    k, n = count
    high, low = float(upper(k, n, alpha)), float(lower(k, n, alpha))
    assert low <= k / n <= high
    if k < n:
        assert binom.cdf(k, n, high) == pytest.approx(alpha, rel=1e-6)
    if k > 0:
        assert binom.sf(k - 1, n, low) == pytest.approx(alpha, rel=1e-6)


@given(counts(), ALPHAS)
def test_more_events_never_look_better_and_more_prompts_never_worse(count, alpha):
    k, n = count
    assert upper(k, n, alpha) <= upper(k + 1, n + 1, alpha)
    assert upper(k, n + 1, alpha) <= upper(k, n, alpha)
    assert upper(k, n, alpha) <= upper(k, n, alpha / 2)


def test_of_nothing_nothing_is_known():
    assert (upper(0, 0, 0.05), lower(0, 0, 0.05)) == (1, 0)
    assert upper(3, 10, 0.0) == 1
    assert lower(3, 10, 0.0) == 0


@pytest.mark.parametrize("n", [1, 7, 40, 100])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.5])
def test_the_bound_is_below_the_truth_with_a_chance_of_alpha_at_most(n, rate):
    """Not by simulation: the probability of every count that would mislead is summed."""
    events = np.arange(n + 1)
    misled = upper(events, n, 0.05) < rate
    assert binom.pmf(events, n, rate)[misled].sum() <= 0.05


# ---------------------------------------------------------------- judges


@given(counts(), st.integers(1, 400), st.integers(1, 400), st.data())
def test_a_judge_never_helps(count, bad, good, data):
    k, n = count
    judge = Judged(bad, data.draw(st.integers(0, bad)), good, data.draw(st.integers(0, good)))
    assert upper(k, n, 0.05) <= judged_upper(k, n, 0.05, judge) <= 1
    assert 0 <= judged_lower(k, n, 0.05, judge) <= lower(k, n, 0.05)


def test_a_judge_that_never_flags_proves_nothing():
    assert judged_upper(0, 1000, 0.05, Judged(200, 0, 200, 0)) == 1
    assert judged_lower(1000, 1000, 0.05, Judged(200, 200, 200, 200)) == 0


def test_the_judges_bound_is_the_ratio_of_two():
    judge = Judged(200, 190, 200, 4)
    expected = upper(3, 300, 0.025) / lower(190, 200, 0.025)
    assert judged_upper(3, 300, 0.05, judge) == pytest.approx(expected)
    alarms = upper(4, 200, 0.025)
    assert judged_lower(60, 300, 0.05, judge) == pytest.approx(
        (lower(60, 300, 0.025) - alarms) / (1 - alarms)
    )


def test_differences():
    assert difference_upper(0, 0, 300, 0.05) == pytest.approx(upper(0, 300, 0.025))
    assert difference_upper(2, 40, 300, 0.05) < 0
    judge = Judged(200, 190, 200, 4)
    assert difference_upper(20, 0, 300, 0.05, judge) > difference_upper(20, 0, 300, 0.05)
    assert difference_upper(2, 60, 300, 0.05, judge) < 0
    assert difference_upper(0, 0, 300, 0.05, Judged(200, 100, 200, 100)) == 1


# ---------------------------------------------------------------- several claims


def test_how_sure_a_claim_is():
    assert p_value(lambda alpha: float(lower(20, 100, alpha)), 0.1) == pytest.approx(binom.sf(19, 100, 0.1))
    assert p_value(lambda alpha: float(lower(0, 100, alpha)), 0.1) == 1


@pytest.mark.parametrize(
    ("p_values", "held"),
    [
        ([], []),
        ([0.04], [True]),
        ([0.04, 0.04], [False, False]),
        ([0.01, 0.04, 0.03], [True, False, False]),
        ([0.03, 0.001, 0.02], [True, True, True]),
        ([0.9, 0.001], [False, True]),
    ],
)
def test_holm(p_values, held):
    assert holm(p_values, 0.05) == held


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_claims_no_less_than_bonferroni(p_values):
    sure = [p <= 0.05 / max(len(p_values), 1) for p in p_values]
    assert all(held or not need for held, need in zip(holm(p_values, 0.05), sure, strict=True))


@given(st.integers(1, 10_000), st.sampled_from(["one", "spending"]))
def test_alpha_is_never_overspent(looks, rule):
    spent = math.fsum(alpha_at(look, 0.05, rule) for look in range(1, looks + 1))
    assert 0 < spent <= 0.05


# ---------------------------------------------------------------- planning


@pytest.mark.parametrize(
    ("threshold", "one_look", "first_of_several"),
    [(0.05, 59, 72), (0.02, 149, 183), (0.01, 299, 368), (0.001, 2995, 3688)],
)
def test_how_many_clean_prompts_it_takes(threshold, one_look, first_of_several):
    assert clean_n(threshold, 0.05) == one_look
    assert clean_n(threshold, alpha_at(1, 0.05, "spending")) == first_of_several
    assert upper(0, one_look, 0.05) <= threshold < upper(0, one_look - 1, 0.05)


@given(st.integers(1, 500), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_most_events_that_pass(n, threshold):
    most = most_events(n, threshold, 0.05)
    assert upper(most + 1, n, 0.05) > threshold
    assert most < 0 or upper(most, n, 0.05) <= threshold


def test_the_chance_to_pass():
    rates = np.array([0.0, 0.005, 0.02, 0.05])
    chances = pass_probability(300, 0.02, 0.05, rates)
    assert chances[0] == 1
    assert (np.diff(chances) < 0).all()
    assert chances[2] <= 0.05
    assert pass_probability(20, 0.02, 0.05, 0.0) == 0
