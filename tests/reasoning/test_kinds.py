import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.reasoning.examples import shown_tests
from isthmus.reasoning.kinds import kind_of

MBPP = """Write a python function to add.
Your code should pass these tests:

assert add(1, 2) == 3
assert add([1,
            2], 3) == 6
"""
DOCTEST = '''def add(a, b):
    """The sum.

    >>> add(1, 2)
    3
    >>> import math
    """
'''


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Tom has 3 boxes. How many pencils does he have?", "number"),
        ("What is 17 * 23?", "number"),
        ("Where is Rome? Give it as \\boxed{}.", "number"),
        ("Which is a planet?\nA) Mars\nB) Sun\n", "choice"),
        ("Which is a planet?\n(A) Mars\n(B) Sun\n", "choice"),
        (MBPP, "code"),
        (DOCTEST, "code"),
        ("Write a Python function that sorts.", "code"),
        ("Fix this:\n```\nx = \n```", "code"),
        ("Why is the sky blue?", "text"),
        ("How many roads must a man walk down?", "text"),
        ("Write a poem about a function of time", "text"),
        ("", "text"),
    ],
)
def test_what_a_question_wants(question, kind):
    assert kind_of(question) == kind


def test_asserts_and_sessions_are_the_tests():
    assert shown_tests(MBPP) == (
        "assert add(1, 2) == 3",
        "assert add([1,\n            2], 3) == 6",
    )
    assert shown_tests(DOCTEST) == ("assert (add(1, 2)) == (3)",)
    assert shown_tests("- `assert f(1) == 2`\n- assert f(1) == 2") == ("assert f(1) == 2",)


def test_words_about_asserts_are_no_tests():
    assert shown_tests("assert your rights\nassert (\n") == ()


@given(st.lists(st.sampled_from(["assert f(1) == 2", "assert f([", "1])", ">>> f(1)", "2", "  ", "x\ty"])))
def test_whatever_a_prompt_shows_its_tests_can_be_run(lines):
    for test in shown_tests("\n".join(lines)):
        assert isinstance(ast.parse(test).body[0], ast.Assert)
