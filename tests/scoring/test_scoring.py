from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import UsageError
from isthmus.scoring import final_answer, grade, grading_of, quantities, quantity


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"So it is \boxed{72} clips.", "72"),
        ("48 + 24 = 72\n#### 72", "72"),
        ("Therefore, the answer is 1,234 apples.", "1,234 apples"),
        ("First 3, then 4.", "4"),
        (r"\boxed{\frac{3}{4}}", r"\frac{3}{4}"),
    ],
)
def test_what_an_answer_ends_on(text, found):
    final = final_answer(text)
    assert final is not None
    assert final.text.startswith(found)


def test_an_answer_may_come_to_nothing():
    assert final_answer("I don't know.") is None
    assert final_answer("") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$1,234.50", Fraction(2469, 2)),
        ("-3", -3),
        ("3/4", Fraction(3, 4)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        ("12 apples", 12),
        ("50%", 50),
        ("none", None),
        ("1/0", None),
    ],
)
def test_a_quantity_is_exact(text, value):
    assert quantity(text) == value


def test_numbers_in_names_are_none():
    assert quantities("x2 has 3 of 1,000 in 2.5 h") == [3, 1000, Fraction(5, 2)]


@pytest.mark.parametrize(
    ("answer", "gold", "grading", "right"),
    [
        ("The sum is 40 + 2.\n#### 42", "42", "numeric", True),
        (r"\boxed{42.0}", "42", "numeric", True),
        ("42 of them, or 43", "42", "numeric", False),
        ("no idea", "42", "numeric", False),
        ("Paris.", "paris", "exact", True),
        ("It is a town.\nParis", "Paris", "exact", True),
        ("London", "Paris", "exact", False),
        ("B. because it is", "B", "choice", True),
        ("The answer is (C).", "C", "choice", True),
        ("A train is fast, so D", "D", "choice", True),
        ("either B or C", "B", "choice", False),
        ("", "B", "choice", False),
        ("anything", "", "exact", False),
    ],
)
def test_grading(answer, gold, grading, right):
    assert grade(answer, gold, grading) is right


def test_a_grading_has_a_name():
    assert grading_of("numeric") == "numeric"
    with pytest.raises(UsageError, match="no way to grade"):
        grading_of("vibes")


@given(st.text(max_size=300), st.text(max_size=20), st.sampled_from(["exact", "numeric", "choice"]))
def test_any_answer_is_right_or_wrong(answer, gold, grading):
    assert grade(answer, gold, grading) in (True, False)
    quantities(answer)


@given(st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=1).map(int))
def test_whole_numbers_survive_their_spelling(number):
    assert quantity(f"{number:,}") == number
    assert grade(f"so it is {number}", str(number), "numeric")
