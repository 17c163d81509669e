"""Which turns are left out of a conversation that is too long."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.truncation import shorten, shortenings
from isthmus.errors import ContextLengthExceeded
from isthmus.messages import GenerationRequest, Message, ToolCall

SYSTEM = Message("system", "be brief")


def user(text):
    return Message("user", text)


def answer(text, *calls):
    return Message("assistant", text, tool_calls=tuple(ToolCall(each, "look", "{}") for each in calls))


def result(call):
    return Message("tool", "found", tool_call_id=call)


def words(request):
    return sum(len(message.text.split()) for message in request.messages)


def shortened(messages, context_length, max_tokens=4):
    request = GenerationRequest(tuple(messages), max_tokens=max_tokens, truncation="oldest")
    asked = []

    async def count(shorter):
        asked.append(shorter)
        return words(shorter)

    made = anyio.run(shorten, request, words(request), context_length, count)
    return made, asked


def test_whole_turns_go_oldest_first_and_the_last_one_and_system_messages_stay():
    conversation = (SYSTEM, user("1"), answer("a"), user("2"), answer("b"), SYSTEM, user("3"))
    assert shortenings(conversation) == [
        (SYSTEM, user("2"), answer("b"), SYSTEM, user("3")),
        (SYSTEM, SYSTEM, user("3")),
    ]


def test_a_greeting_before_the_first_question_is_the_oldest_turn():
    assert shortenings((answer("hello"), user("1"))) == [(user("1"),)]


def test_calls_and_results_after_the_last_question_are_part_of_its_turn():
    last = (user("2"), answer("", "x"), result("x"))
    assert shortenings((user("1"), *last)) == [last]


def test_a_tools_result_goes_with_its_call_even_where_a_question_stands_between():
    conversation = (user("1"), answer("", "x"), user("2"), result("x"), user("3"))
    assert shortenings(conversation)[0] == (user("2"), user("3"))


@pytest.mark.parametrize("conversation", [(user("1"),), (SYSTEM, user("1")), (SYSTEM,), (answer("a"),)])
def test_one_turn_is_not_shortened(conversation):
    assert shortenings(conversation) == []


def test_what_was_left_out_is_told_with_the_numbers():
    made, _ = shortened([SYSTEM, user("a b c"), answer("d e f"), user("g h")], 9)
    assert made.request.messages == (SYSTEM, user("g h"))
    assert made.notice.code == "truncated"
    assert "oldest 2 of 4 messages" in made.notice.text
    assert "6 of 10 tokens" in made.notice.text


def test_a_last_turn_that_is_too_long_alone_is_refused_with_both_lengths():
    for conversation in ([user("a"), user("b " * 20)], [user("b " * 20)]):
        with pytest.raises(ContextLengthExceeded, match=r"the last turn alone has 20 tokens.* is 16"):
            shortened(conversation, 16)


def test_a_last_turn_that_leaves_little_room_for_an_answer_is_asked_all_the_same():
    made, _ = shortened([user("a " * 16), user("b " * 15)], 16, max_tokens=None)
    assert made.request.messages == (user("b " * 15),)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=60), st.integers(8, 200))
def test_as_few_turns_as_will_do_found_with_few_counts(lengths, context_length):
    conversation = [user("w " * length) for length in lengths]
    if sum(lengths) < context_length or lengths[-1] >= context_length:
        return
    made, asked = shortened(conversation, context_length)
    kept = len(made.request.messages)
    room = min(4, context_length // 4)
    assert made.request.messages == tuple(conversation[-kept:])
    assert words(made.request) <= context_length - room or kept == 1
    assert kept + 1 == len(lengths) or sum(lengths[-kept - 1 :]) > context_length - room
    assert len(asked) <= len(lengths).bit_length() + 1
