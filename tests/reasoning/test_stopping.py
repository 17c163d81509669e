import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, betabinom

from isthmus.reasoning.stopping import missing, posterior, predictive, settled

VOTES = st.integers(0, 40)


@given(VOTES, VOTES)
def test_the_posterior_is_the_betas_tail(first, second):
    assert posterior(first, second) == pytest.approx(beta.sf(0.5, first + 1, second + 1), abs=1e-12)


@settings(max_examples=40)  # SciPy's takes a while
@given(VOTES, VOTES, VOTES)
def test_the_prediction_is_the_beta_binomials(first, second, left):
    most = (first - second + left) // 2  # further votes with which the runner-up still isn't ahead
    expected = betabinom(left, second + 1, first + 1).cdf(most) if most >= 0 else 0.0
    assert predictive(first, second, left) == pytest.approx(expected, abs=1e-9)


@given(VOTES, VOTES)
def test_with_nothing_left_whoever_leads_stays(first, second):
    assert predictive(first, second, 0) == float(first >= second)


@pytest.mark.parametrize(
    ("rule", "first", "second", "left", "stops"),
    [
        ("posterior", 3, 0, 5, False),  # 0.9375
        ("posterior", 4, 0, 4, True),  # 0.969
        ("posterior", 4, 1, 3, False),
        ("predictive", 2, 0, 6, True),  # 0.952
        ("predictive", 2, 1, 5, False),
        ("predictive", 3, 1, 4, True),  # 0.960
        ("predictive", 1, 0, 0, False),  # nobody agrees with it
        ("predictive", 2, 2, 0, True),  # a tie that no sample can break any more
        ("certain", 5, 0, 3, True),
        ("certain", 4, 0, 4, False),  # could end in a tie
        ("never", 8, 0, 0, False),
        ("posterior", 2, 3, 0, False),  # the leader by weight has fewer votes
    ],
)
def test_when_it_is_enough(rule, first, second, left, stops):
    assert settled(rule, 0.95, first, second, left) == stops


@given(st.sampled_from(["posterior", "predictive", "certain"]), VOTES, VOTES, VOTES, st.floats(0.51, 0.99))
def test_a_surer_answer_takes_no_fewer_samples(rule, first, second, left, confidence):
    if settled(rule, confidence, first, second, left):
        assert settled(rule, 0.5, first, second, left)
        assert settled(rule, confidence, first + 1, second, left)


@given(VOTES, VOTES, VOTES)
def test_who_can_not_be_caught_is_settled_by_the_prediction_too(first, second, left):
    if settled("certain", 0.95, first, second, left):
        assert settled("predictive", 0.95, first, second, left)


@given(st.sampled_from(["posterior", "predictive", "certain", "never"]), VOTES, VOTES, VOTES)
def test_as_many_as_are_missing_may_be_drawn_at_once_without_a_loss(rule, first, second, left):
    """No way in which fewer of them come out settles the vote; if they all agree with the leader, it is."""
    more = missing(rule, 0.95, first, second, left)
    assert 0 <= more <= left
    for fewer in range(more):
        for agree in range(fewer + 1):
            for rival in range(fewer - agree + 1):
                assert not settled(rule, 0.95, first + agree, second + rival, left - fewer)
    assert more == left or settled(rule, 0.95, first + more, second, left - more)
