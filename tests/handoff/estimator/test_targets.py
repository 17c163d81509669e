"""Thresholds for what is wanted of them, and whether what is promised holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import UsageError
from isthmus.handoff.estimator.deciding import Decider, Seen
from isthmus.handoff.estimator.targets import (
    EVERYTHING,
    Labels,
    Target,
    outlook,
    threshold_for,
    upper_bound,
)
from isthmus.handoff.judging import DOUBT


def seen(estimate, **known):
    """Scores of rows of which nothing is known but what is named."""
    nothing, none = np.full(len(estimate), np.nan), np.zeros(len(estimate), bool)
    plain = dict.fromkeys(("least", "most", "watch", "check", "voted"), nothing)
    return Seen(**{"estimate": estimate, **plain, "short": none, "doubtable": none, **known})


def by_question(score):
    return Decider(seen(score), "estimate")


def columns(rows):
    score, local, hosted = (np.array(column) for column in zip(*rows, strict=True))
    return score, Labels(local, hosted)


SCORES = st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans(), st.booleans()), min_size=20, max_size=120)


@given(SCORES, st.floats(0.05, 0.95))
def test_a_share_of_calls_is_kept_to_as_ties_allow(rows, share):
    score, labels = columns(rows)
    threshold = threshold_for(Target("cost_share", share), by_question(score), labels)
    if len(set(score.tolist())) == len(score):
        assert abs((score > threshold).mean() - share) <= 1 / len(score) + 1e-9


@given(SCORES, st.floats(0.5, 0.99))
def test_a_quality_is_reached_with_the_fewest_calls_that_do(rows, quality):
    score, labels = columns(rows)
    target = Target("quality", quality)
    threshold = threshold_for(target, by_question(score), labels)
    wanted = quality * labels.hosted.mean() - 1e-9
    reached = [
        (score > each).mean()
        for each in (0.0, *score)
        if np.where(score > each, labels.hosted, labels.local).mean() >= wanted
    ]
    found = outlook(target, threshold, by_question(score), labels)
    assert found.handed_over == pytest.approx(min(reached, default=1.0))
    assert found.reached == bool(reached)


@settings(max_examples=5, deadline=None)
@given(st.sampled_from([0.05, 0.1, 0.2]), st.sampled_from([0.8, 0.9]), st.integers(0, 2**31))
def test_a_risk_is_exceeded_no_oftener_than_promised(risk, confidence, seed):
    """P(wrong | score) = score, so the true risk of a threshold t on uniform scores is t / 2."""
    chooser = np.random.default_rng(seed)
    runs, exceeded = 60, 0
    for _ in range(runs):
        score = chooser.random(150)
        labels = Labels(chooser.random(150) >= score, np.ones(150, bool))
        exceeded += threshold_for(Target("risk", risk, confidence), by_question(score), labels) / 2 > risk
    assert exceeded <= _allowed(runs, confidence)


def test_a_risk_keeps_what_it_can():
    score, hosted = np.linspace(0.01, 0.99, 400), np.ones(400, bool)
    risk = Target("risk", 0.1, 0.9)
    assert 0.4 < threshold_for(risk, by_question(score), Labels(score < 0.5, hosted)) < 0.6
    assert threshold_for(risk, by_question(score), Labels(score > 2, hosted)) == EVERYTHING


def test_the_exact_bound_is_clopper_and_pearsons():
    # With no error in n, the bound b solves (1 - b)^n = 1 - confidence.
    assert upper_bound(0, 22, 0.9) == pytest.approx(1 - 0.1 ** (1 / 22))
    assert upper_bound(5, 5, 0.9) == 1


@pytest.mark.parametrize("amount", [0, 1, -0.1, 1.5, float("nan")])
def test_a_target_lies_between_nothing_and_everything(amount):
    with pytest.raises(UsageError, match="between 0 and 1"):
        Target("risk", amount)


# ---------------------------------------------------------------- with second opinions and first tokens


def world(chooser, count):
    """A tenth of the answers below .4 are wrong, and all above; second opinions call every one right."""
    score = chooser.random(count)
    known = seen(score, check=score, voted=np.zeros(count), doubtable=np.ones(count, bool))
    wrong = (score > 0.4) | (chooser.random(count) < 0.1)
    return known, Labels(~wrong, np.ones(count, bool))


def true_risk(threshold, *, opinions):
    """Of what is kept, which with opinions reaches as far as doubt does."""
    kept = threshold + (DOUBT if opinions else 0.0)
    return (0.1 * min(kept, 0.4) + max(0.0, kept - 0.4)) / kept


@pytest.mark.parametrize("opinions", [True, False])
def test_a_promise_holds_for_what_is_decided_with_second_opinions_and_without(opinions):
    chooser, risk, confidence = np.random.default_rng(1), 0.15, 0.8
    runs, exceeded = 50, {True: 0, False: 0}
    for _ in range(runs):
        known, labels = world(chooser, 300)
        decider = Decider(known, "check", opinions=opinions)
        threshold = threshold_for(Target("risk", risk, confidence), decider, labels)
        for drawn in exceeded:
            exceeded[drawn] += threshold > 0 and true_risk(threshold, opinions=drawn) > risk
    assert exceeded[opinions] <= _allowed(runs, confidence)
    if not opinions:  # drawn from the answers alone, it would be broken as soon as opinions are asked
        assert exceeded[True] > 1.5 * runs * (1 - confidence)


def test_what_would_be_asked_for_an_opinion_and_has_none_speaks_for_nobody():
    score = np.array([0.1, 0.29, 0.31, 0.9])
    known = seen(score, check=score, doubtable=np.array([True, True, False, True]))
    told = Decider(known, "check").scores(0.3)
    assert np.isnan(told).tolist() == [False, True, False, False]
    found = outlook(Target(), 0.3, Decider(known, "check"), Labels(score < 0.5, np.ones(4, bool)))
    assert found.handed_over == pytest.approx(2 / 3)


def test_in_a_stream_first_tokens_count_where_they_may_turn_it_and_a_short_answer_as_a_whole():
    known = seen(
        np.array([0.5, 0.5, 0.5, 0.5]),
        least=np.array([0.4, 0.4, 0.45, 0.4]),
        most=np.array([0.6, 0.6, 0.45, 0.6]),
        watch=np.array([0.1, 0.2, 0.3, np.nan]),
        check=np.array([0.7, 0.8, 0.9, 0.6]),
        short=np.array([False, True, False, False]),
    )
    told = Decider(known, "watch").scores(0.5)
    assert told[:3].tolist() == [0.1, 0.8, 0.5]
    assert np.isnan(told[3])  # without log-probabilities it can't say how streams are decided


def _allowed(runs, confidence):
    expected = runs * (1 - confidence)
    return expected + 4 * np.sqrt(expected * confidence)
