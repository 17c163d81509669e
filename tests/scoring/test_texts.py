import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import UsageError
from isthmus.scoring import score_choice, score_exact, score_regex
from isthmus.scoring.verdict import Verdict


def test_a_verdict_says_what_was_read_and_why():
    assert score_exact("It is **Paris**.\nParis", "paris") == Verdict(True, "Paris", "Paris is right")
    assert score_exact("London", "Paris") == Verdict(False, "London", "it comes to London; Paris is right")
    assert score_exact("", "Paris") == Verdict(False, None, "no answer was found; Paris is right")


def test_a_pattern_is_found_anywhere():
    assert score_regex("see RFC 9110, section 3", r"RFC \d+").extracted == "RFC 9110"
    assert not score_regex("see there", r"RFC \d+").right
    with pytest.raises(UsageError, match="no regular expression"):
        score_regex("x", "(")


@given(st.text(max_size=200))
def test_a_pattern_always_comes_to_an_end(text):
    """It would take a backtracking engine years."""
    assert score_regex("a" * 5000 + text, r"^(a+)+$").right in (True, False)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("The answer is (C).", "C"),
        ("Answer: D", "D"),
        (r"so \boxed{b}", "B"),
        (r"\boxed{\text{B}}", "B"),
        ("(A) because it rains", "A"),
        ("b", "B"),
        ("A train leaves, and so I think it is D", "D"),
        ("either B or C", None),
        ("I don't know", None),
        ("", None),
        ("The answer is F", None),  # there is no such option
    ],
)
def test_the_letter_of_a_choice(answer, letter):
    for gold in "ABCDE":
        verdict = score_choice(answer, gold, letters="ABCDE")
        assert (verdict.right, verdict.extracted) == (gold == letter, letter)


def test_an_option_may_be_picked_by_its_words():
    options = ["a red fox", "a blue whale"]
    assert score_choice("The answer is a blue whale.", "B", letters="AB", options=options).right
    assert score_choice("foxes and whales", "B", letters="AB", options=options).extracted is None
    assert not score_choice("same", "A", letters="AB", options=["same", "same"]).right
