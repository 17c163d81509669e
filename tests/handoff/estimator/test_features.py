from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.handoff.estimator.agreement import agreement
from isthmus.handoff.estimator.answer import (
    answer_features,
    check_features,
    form_features,
    loop_features,
    sum_features,
)
from isthmus.handoff.estimator.question import open_ended, question_features
from isthmus.handoff.estimator.tokens import beginning_features, token_features
from isthmus.handoff.estimator.words import EYE, bucket, hashed
from isthmus.handoff.judging import LocalAnswer
from isthmus.scoring.sums import equations, evaluate


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("48/2 = 24", [True]),
        ("$12 x 5/6 = $10", [True]),
        ("<<48+24=73>>73", [False]),
        (r"\[ \frac{48}{2} = 24 \]", [True]),
        (r"12 \text{ dollars} \times 5 = 60", [True]),
        ("3 * 4 + 1 = 12 + 1 = 13", [True, True]),
        ("3 sprints x 60 meters = 190 meters", [False]),
        ("1,234 + 1 = 1,235", [True]),
        ("50% * 40 = 20", [True]),
        ("2*(3+4)=15", [False]),
        ("60/7 = 8.57", [True]),
        ("x = 3, and y = 4", []),
        ("1/0 = 5", []),
    ],
)
def test_sums_are_done_again(text, holds):
    assert [each.holds for each in equations(text)] == holds


@given(st.text(alphabet="0123456789+-*/(). =x%$\\{}<>\n", max_size=300))
def test_no_text_is_too_strange_a_sum(text):
    for each in equations(text):
        assert isinstance(each.value, Fraction)
    evaluate(text)


@given(st.integers(0, 999), st.integers(1, 999), st.sampled_from("+-*/"))
def test_a_sum_is_worked_out_as_python_does(left, right, sign):
    expected = {
        "+": Fraction(left) + right,
        "-": Fraction(left) - right,
        "*": Fraction(left) * right,
        "/": Fraction(left, right),
    }
    assert evaluate(f"{left} {sign} {right}") == expected[sign]


def test_what_a_solution_leaves_out_or_brings_in_is_seen():
    question = "Solo reads 4, 20, 7 and 8 pages. He read 15. He has 4 days. How many pages a day?"
    lacking = sum_features(question, "4 + 20 + 7 + 8 = 39\n39 / 4 = 9.75\n#### 9.75")
    whole = sum_features(question, "4 + 20 + 7 + 8 = 39\n39 - 15 = 24\n24 / 4 = 6\n#### 6")
    strange = sum_features(question, "4 + 20 + 7 + 8 = 39\n39 - 15 = 24\n24 / 17 = 1.41\n#### 1.41")
    assert lacking["numbers unused"] > whole["numbers unused"] == 0
    assert strange["numbers brought in"] > whole["numbers brought in"] == 0
    assert whole["final not last"] == whole["result unused"] == 0


def test_an_answer_that_breaks_off_or_loops_is_seen():
    cut = answer_features("How many?", LocalAnswer("First we add 3 and" + " 4 and" * 12, (), True, "length"))
    assert cut["answer cut"] == cut["answer unmarked"] == 1
    assert loop_features("and so we add one " * 40)["loops"] == 1
    assert loop_features("each word here is new, and none comes twice in this line of words")["loops"] == 0


def test_code_and_json_are_checked():
    assert check_features("```python\ndef f(:\n```")["code broken"] == 1
    assert check_features("```python\ndef f():\n    return 1\n```")["code broken"] == 0
    assert check_features('{"a": 1,}')["code broken"] == 1
    assert check_features('{"a": 1}')["code broken"] == 0
    assert check_features("```python\nx = 1")["fence open"] == 1


@pytest.mark.parametrize(
    ("question", "open_"),
    [
        ("Write a haiku about rain.", True),
        ("Could you suggest a good name for my boat?", True),
        ("Brainstorming time: a weekend in Rome", True),
        ("Who wrote the poem 'Ozymandias'?", False),
        ("What is the name of this mountain?", False),
        ("Write a story problem with two trains: how far apart are they?", False),
        ("Write a poem generator:\n```python\n```", False),
    ],
)
def test_what_has_many_good_answers_is_told_from_what_has_one(question, open_):
    assert open_ended(question) is open_


def test_an_answer_that_ended_by_itself_was_not_cut():
    poem = "Snow on the hedges, snow on the hill,\nAnd all of the village is sleepy and perfectly still"
    cut = [form_features("A poem?", poem, reason)["answer cut"] for reason in ("stop", "length", None)]
    assert cut == [0, 1, 1]


def test_samples_that_come_to_the_same_agree():
    answer = LocalAnswer("#### 72", (), True)
    for samples, share in (
        (("so 72", r"\boxed{72.0}"), 1),
        (("so 71", "#### 72"), 0.5),
        (("no idea", "#### 70"), 0),
        ((), None),
    ):
        assert agreement(msgspec.structs.replace(answer, samples=samples)) == share
    assert agreement(LocalAnswer("The answer is Paris.", (), True, samples=("Answer: paris",))) == 1
    assert agreement(msgspec.structs.replace(answer, voted=0.6)) == 0.6


def test_of_prose_samples_say_nothing():
    prose = "It was 1845.\nThe lake lay still, and nobody came."
    assert agreement(LocalAnswer(prose, (), True, samples=("It was 1846.\nSnow fell.",))) is None


def test_a_surprised_answer_is_seen():
    sure, unsure = LocalAnswer("", (-0.01,) * 50, True), LocalAnswer("", (-0.01,) * 49 + (-5.0,), True)
    assert token_features(unsure)["surprise most"] > token_features(sure)["surprise most"]
    assert beginning_features(unsure)["first surprise"] > beginning_features(sure)["first surprise"]
    assert token_features(LocalAnswer("x", (), True)) == beginning_features(LocalAnswer("x", (), True)) == {}


@given(st.text(max_size=500), st.text(max_size=500), st.lists(st.floats(-30, 0), max_size=40))
def test_any_question_and_answer_have_finite_features(question, text, logprobs):
    answer = LocalAnswer(text, tuple(logprobs), True, samples=(text[::2],))
    for found in (
        question_features(question),
        answer_features(question, answer),
        token_features(answer),
    ):
        assert all(abs(value) < 1e6 for value in found.values())
    assert 0 <= (agreement(answer) or 0) <= 1


def test_buckets_are_the_same_everywhere():
    assert bucket("how many", 1 << 15) == 19310


def test_only_the_ends_of_a_long_text_are_looked_at():
    idf = [1.0] * 4096
    long = "summarise this " + "word " * EYE + "please"
    assert hashed(long, idf) == hashed(long[: EYE // 2] + "x" * 10_000 + long[-EYE // 2 :], idf)
    assert sum(weight**2 for weight in hashed("how many legs", idf).values()) == pytest.approx(1)
    assert hashed("", idf) == {}
