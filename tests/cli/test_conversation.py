from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.conversation import CUT_MARK, Conversation, Turn, turn_from
from isthmus.messages import Decision, Finish, Message, ReasoningDelta, Route, TextDelta
from isthmus.wire.gathered import Completion

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOME = Route(Decision("local", "mode_off"), "tiny")
AWAY = Route(Decision("hosted", "looks_hard"), "large", "upstream")


def completion(*events):
    gathered = Completion()
    for event in events:
        gathered.add(event)
    return gathered


TURNS = st.lists(
    st.builds(Turn, st.just(NOON), st.text(), st.text(), st.just("tiny"), cut=st.booleans()), max_size=4
)


@given(TURNS, st.text(), st.none() | st.text(min_size=1))
def test_every_question_goes_with_the_whole_conversation(turns, question, system):
    said = Conversation("tiny", system, turns=tuple(turns)).messages(question)
    if system:
        assert said[0] == Message("system", system)
        said = said[1:]
    assert [each.role for each in said] == ["user", "assistant"] * len(turns) + ["user"]
    assert [each.text for each in said[::2]] == [*(turn.question for turn in turns), question]
    for turn, message in zip(turns, said[1::2], strict=True):
        assert message.text == turn.answer + (CUT_MARK if turn.cut else "")


def test_thinking_is_kept_but_not_sent_again():
    turn = turn_from("q", completion(HOME, ReasoningDelta("hm"), TextDelta("a"), Finish("stop")), NOON)
    assert turn == Turn(NOON, "q", "a", "tiny", reasoning="hm")
    assert all(message.reasoning is None for message in Conversation("tiny", turns=(turn,)).messages("?"))


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        ((HOME, TextDelta("a"), TextDelta("b"), Finish("stop")), Turn(NOON, "q", "ab", "tiny")),
        ((AWAY, TextDelta("a"), Finish("stop")), Turn(NOON, "q", "a", "large", "upstream")),
        ((HOME, Finish("stop")), Turn(NOON, "q", "", "tiny")),
        ((HOME, TextDelta("a"), Finish("length")), Turn(NOON, "q", "a", "tiny", cut=True)),
        ((HOME, TextDelta("a")), Turn(NOON, "q", "a", "tiny", cut=True)),
        ((HOME, ReasoningDelta("hm")), None),
        ((HOME,), None),
        ((), None),
    ],
)
def test_an_answer_is_kept_as_far_as_it_was_shown(events, kept):
    assert turn_from("q", completion(*events), NOON) == kept


@given(TURNS)
def test_taking_a_turn_back_undoes_it(turns):
    before = Conversation("tiny", turns=tuple(turns))
    assert before.with_turn(Turn(NOON, "q", "a", "tiny")).without_last() == before
