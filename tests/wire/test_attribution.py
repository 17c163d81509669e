"""Attribution in instructions: gone, and nothing else with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.messages import ImagePart, Message, TextPart
from isthmus.wire.attribution import without_attribution

LINE = "x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;"
PROMPT = "You are a coding agent.\nBe brief."


def cleared(text, role="system"):
    (message,) = without_attribution((Message(role, text),))
    return message.content


@pytest.mark.parametrize(
    "text",
    [
        f"{LINE}\n{PROMPT}",
        f"{LINE}\n\n{PROMPT}",
        f"{LINE}{PROMPT}",
        f"{LINE} {PROMPT}",
        f"x-anthropic-billing-header: cc_version=2.1.220.473; cc_entrypoint=sdk-cli;\n{PROMPT}",
        f"x-anthropic-billing-header: account=abc; cch=rotating\n{PROMPT}",
        f"x-anthropic-something-else: of another kind\n{PROMPT}",
    ],
)
@pytest.mark.parametrize("role", ["system", "developer"])
def test_it_is_gone_from_the_beginning_of_instructions(text, role):
    assert cleared(text, role) == PROMPT


def test_it_is_gone_from_their_middle_and_from_their_end():
    assert cleared(f"Be kind.\n{LINE}\n{PROMPT}") == f"Be kind.\n{PROMPT}"
    assert cleared(f"{PROMPT}\n{LINE}") == f"{PROMPT}\n"


def test_a_message_that_held_nothing_else_is_gone():
    rest = (Message("system", PROMPT), Message("user", "hi"))
    assert without_attribution((Message("system", LINE), *rest)) == rest


def test_a_block_of_its_own_is_gone_and_its_neighbours_are_not():
    image = ImagePart("data:image/png;base64,")
    (message,) = without_attribution((Message("system", (TextPart(LINE), TextPart(PROMPT), image)),))
    assert message.content == (TextPart(PROMPT), image)


def test_what_a_person_or_a_model_says_is_left_alone():
    said = (Message("user", LINE), Message("assistant", LINE), Message("tool", LINE, tool_call_id="a"))
    assert without_attribution(said) is said


def test_instructions_that_only_speak_of_it_are_left_alone():
    told = f"Never write x-anthropic-billing-header: into {PROMPT}"
    assert cleared(told) == told


@given(st.text(alphabet="ab\n :;=x-"), st.text(alphabet="abcdef0123456789", min_size=1))
def test_two_requests_that_differ_in_it_come_to_the_same(prompt, stamp):
    one, two = (f"x-anthropic-billing-header: cc_version=1; cch={each};\n{prompt}" for each in (stamp, "0"))
    assert without_attribution((Message("system", one),)) == without_attribution((Message("system", two),))


@given(st.lists(st.tuples(st.sampled_from(["system", "user"]), st.text()), max_size=5))
def test_a_conversation_without_it_is_the_same_object(turns):
    messages = tuple(Message(role, text.replace("x-anthropic-", "")) for role, text in turns)
    assert without_attribution(messages) is messages
