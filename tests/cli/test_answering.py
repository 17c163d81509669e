"""Why somebody answers, in words."""

from typing import get_args

import pytest

from isthmus.cli.answering import explain
from isthmus.messages import Decision, Evidence, Reason


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("looks_hard", "the question looks hard, P(wrong at home) = 0.75"),
        ("consent_given", "you agreed"),
        ("mode_always", "every question goes there, as you set it"),
    ],
)
def test_why_somebody_answers(reason, says):
    assert explain(Decision("hosted", reason, evidence=Evidence(0.75, threshold=0.5))) == says


@pytest.mark.parametrize("reason", get_args(Reason))
def test_there_are_words_for_every_reason(reason):
    assert explain(Decision("local", reason))
