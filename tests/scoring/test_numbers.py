from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.scoring import quantity, score_numeric
from isthmus.scoring.numbers import UNITS, measure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", Fraction(2469, 2)),
        ("\u22123", -3),
        ("1 1/2", Fraction(3, 2)),
        ("-2 1/4", Fraction(-9, 4)),
        ("3/4", Fraction(3, 4)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        ("1.5e3", 1500),
        (r"2 \times 10^{-3}", Fraction(1, 500)),
        ("6 x 10^2 m", 600),
        ("3 million people", 3_000_000),
        ("$18", 18),
        ("12 apples", 12),
        ("12 apples and 3 million pears", 12),
        ("none", None),
        ("1e999999", 1),  # not a number that anybody works out
    ],
)
def test_what_a_text_states(text, value):
    found = measure(text)
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("#### 72", "72", True),
        ("The answer is 50%.", "50", True),
        ("The answer is 50%.", "0.5", True),
        ("The answer is 0.5", "50%", True),
        ("The answer is 0.5%", "50%", False),
        ("The answer is 3 million.", "3", True),
        ("The answer is 3 million.", "3000000", True),
        ("The answer is 1.5 km", "1500 m", True),
        ("The answer is 1.5 km", "1.5 m", False),
        ("The answer is 2 hours", "120 minutes", True),
        ("The answer is 2 hours", "2", True),
        ("The answer is 2 hours", "2 km", False),
        ("The answer is 2 sacks", "2 barrels", True),
        (r"\boxed{\frac{1}{2}}", "0.5", True),
        ("72 or 73", "72", False),
        ("no idea", "72", False),
        ("5", "no number", False),
    ],
)
def test_whether_numbers_are_the_same(answer, gold, right):
    assert score_numeric(answer, gold).right is right


def test_tolerances():
    assert not score_numeric("3.14", "3.14159").right
    assert score_numeric("3.14", "3.14159", absolute=0.01).right
    assert score_numeric("3.14", "3.14159", relative=0.001).right
    assert not score_numeric("3.14", "3.14159", relative=0.0001).right
    assert score_numeric("0", "0", relative=0.1).right


def test_a_verdict_has_what_was_read():
    verdict = score_numeric("so it is\n#### 71", "72")
    assert (verdict.extracted, verdict.why) == ("71", "it comes to 71; 72 is right")


def test_units_are_of_one_kind_each():
    assert UNITS["ms"].kind.startswith("time")
    assert UNITS["m"].kind == UNITS["miles"].kind


@given(st.text(max_size=150))
def test_any_text_is_read_or_is_not(text):
    found = measure(text)
    assert (found is None) == (
        quantity(text.translate({0x2212: "-", 0x2013: "-", 0xA0: " ", 0x202F: " ", 0x2009: " "})) is None
    )


@given(st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=1000))
def test_a_fraction_is_itself(value):
    stated = f"{value.numerator}/{value.denominator}"
    assert score_numeric(rf"\boxed{{{stated}}}", stated).right


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**4))
def test_tolerance_is_a_distance(number, off):
    assert score_numeric(f"#### {number + off}", str(number), absolute=off).right
    assert not score_numeric(f"#### {number + off}", str(number), absolute=off - 1).right
