import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.handoff.estimate import can_change, chosen_logprobs, from_question, with_answer
from isthmus.messages import TokenScore

EASY = [
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "How many legs does a spider have?",
    "Write a haiku about rain.",
    "Translate 'good morning, how are you?' into Spanish.",
]
HARD = [
    "A train leaves at 3 pm at 60 mph, and another at 4 pm; when do they meet, if the way is 500 miles?",
    "Weng earns $12 an hour for babysitting. Yesterday, she did 50 minutes. How much did she earn?",
    "Solve x^2 - 5x + 6 = 0, and prove that there are no more than 2 roots.",
]


def test_easy_questions_rank_below_hard_ones():
    easy = [from_question(text).p_local_wrong for text in EASY]
    hard = [from_question(text).p_local_wrong for text in HARD]
    assert max(easy) < 0.5 < min(hard)


def test_a_long_text_is_not_hard_by_its_length():
    notes = "The meeting went well and people were glad to be there. " * 400
    assert from_question(f"Summarise these notes:\n\n{notes}").p_local_wrong < 0.5


def test_the_terms_add_up_to_the_estimate():
    estimate = with_answer(from_question(HARD[0]), [-0.2] * 120, whole=True)
    logit = math.fsum(estimate.terms.values())
    assert estimate.p_local_wrong == pytest.approx(1 / (1 + math.exp(-logit)))
    assert set(estimate.strongest()) <= set(estimate.terms)


def test_a_surprised_answer_is_more_likely_wrong_and_a_beginning_says_less():
    before = from_question(HARD[1])
    sure = with_answer(before, [-0.01] * 50, whole=False)
    unsure = with_answer(before, [-0.5] * 50, whole=False)
    whole = with_answer(before, [-0.5] * 50, whole=True)
    assert sure.p_local_wrong < before.p_local_wrong < unsure.p_local_wrong
    assert whole.terms["surprise"] > unsure.terms["surprise"]
    assert "length" not in unsure.terms


def test_an_answer_without_tokens_changes_nothing():
    before = from_question(HARD[1])
    assert with_answer(before, [], whole=True) == before


@given(st.text(max_size=3000), st.lists(st.floats(-20, 0), max_size=600), st.booleans())
def test_any_text_and_any_tokens_give_a_probability(text, logprobs, whole):
    before = from_question(text)
    after = with_answer(before, logprobs, whole=whole)
    for estimate in (before, after):
        assert 0 < estimate.p_local_wrong < 1


@given(
    st.sampled_from(EASY + HARD),
    st.floats(0.05, 0.95),
    st.lists(st.floats(-20, 0), min_size=1, max_size=16),
)
def test_where_waiting_is_said_not_to_pay_sixteen_tokens_change_nothing(text, threshold, logprobs):
    before = from_question(text)
    if not can_change(before, threshold, 16):
        after = with_answer(before, logprobs, whole=False)
        assert (before.p_local_wrong > threshold) == (after.p_local_wrong > threshold)


def test_log_probabilities_that_are_no_numbers_are_passed_over():
    scores = [TokenScore("a", -0.5), TokenScore("b", float("nan")), TokenScore("c", float("-inf"))]
    assert chosen_logprobs(scores) == [-0.5, -20.0]
