import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.reasoning.splitting import sets_apart, split, unboxed


@pytest.mark.parametrize(
    ("text", "working", "answer"),
    [
        ("6 * 7 = 42\n\n\\boxed{42}", "6 * 7 = 42", "\\boxed{42}"),
        ("a\n\\[\n\\boxed{42}\n\\]\n", "a", "\\boxed{42}"),
        ("a\n#### 42", "a", "#### 42"),
        ("First a.\nThe answer is 42.", "First a.", "The answer is 42."),
        ("\\boxed{1}\nno, wait\nso \\boxed{2}.\nDone", "\\boxed{1}\nno, wait\nDone", "so \\boxed{2}."),
        ("\\boxed{42}", "", "\\boxed{42}"),
        ("The sky is blue.\nSo it is.", "", "The sky is blue.\nSo it is."),
        ("", "", ""),
    ],
)
def test_working_and_answer(text, working, answer):
    assert split(text) == (working, answer)
    assert sets_apart(text) == (answer != text or "boxed" in text)


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (r"\boxed{42}", "42"),
        (r"So it is \(\boxed{42}\).", "So it is 42."),
        (r"Total: $\boxed{\frac{1}{2}}$", r"Total: \frac{1}{2}"),
        (r"$$\boxed{7}$$", "7"),
        ("It costs $5.", "It costs $5."),
    ],
)
def test_a_box_that_nobody_asked_for_is_taken_off(answer, plain):
    assert unboxed(answer) == plain


@given(st.text(alphabet="ab 12\n\\boxed{}#$[]", max_size=80))
def test_nothing_that_says_something_is_lost(text):
    working, answer = split(text)
    said = [word for word in text.split() if word.isalnum()]
    assert sorted(word for part in (working, answer) for word in part.split() if word.isalnum()) == sorted(
        said
    )
    unboxed(answer)
