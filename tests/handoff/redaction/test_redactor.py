import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import HandoffRefused, RedactionFailed
from isthmus.handoff.redaction import Known, Redactor, restore_text
from isthmus.messages import GenerationRequest, ImagePart, Message, TextPart, Tool, ToolCall
from isthmus.settings import RedactionSettings
from isthmus.wire.chat_body import render_chat

REDACTOR = Redactor(RedactionSettings(recogniser="builtin"))


def asked(*texts, **more):
    return GenerationRequest(tuple(Message("user", text) for text in texts), **more)


def test_the_same_value_has_the_same_placeholder_however_it_is_spelt():
    redacted = REDACTOR.redact(
        asked(
            "Mario@X.org, mario@x.org; +39 333 1234567, 0039 333 123 4567; "
            "4111 1111 1111 1111, 4111111111111111"
        )
    )
    assert (
        redacted.request.messages[0].text == "<EMAIL_1>, <EMAIL_1>; <PHONE_1>, <PHONE_1>; <CARD_1>, <CARD_1>"
    )
    assert redacted.counts == {"EMAIL": 2, "PHONE": 2, "CARD": 2}
    assert [(p.token, p.original) for p in redacted.placeholders] == [
        ("<EMAIL_1>", "Mario@X.org"),
        ("<PHONE_1>", "+39 333 1234567"),
        ("<CARD_1>", "4111 1111 1111 1111"),
    ]


def test_a_longer_conversation_begins_with_the_same_bytes():
    texts = ["I am a@x.org", "and b@x.org", "not a@x.org but c@x.org"]
    rendered = [[m.text for m in REDACTOR.redact(asked(*texts[:n])).request.messages] for n in (1, 2, 3)]
    assert rendered[2] == ["I am <EMAIL_1>", "and <EMAIL_2>", "not <EMAIL_1> but <EMAIL_3>"]
    assert rendered[2][:2] == rendered[1]
    assert rendered[1][:1] == rendered[0]


def test_a_number_that_the_text_has_already_is_not_given_out():
    redacted = REDACTOR.redact(asked("Replace <EMAIL_1> and email 2 in the template by a@x.org"))
    assert redacted.request.messages[0].text == "Replace <EMAIL_1> and email 2 in the template by <EMAIL_3>"
    assert restore_text("<EMAIL_1> <EMAIL_3>", redacted.placeholders) == "<EMAIL_1> a@x.org"


def test_what_was_found_once_is_hidden_everywhere():
    redacted = REDACTOR.redact(asked("password: sesame77", "I typed sesame77, not Sesame77x"))
    assert redacted.request.messages[1].text == "I typed <PASSWORD_1>, not Sesame77x"


def test_every_text_of_a_request_is_looked_at():
    request = GenerationRequest(
        (
            Message("system", "You serve boss@x.org"),
            Message("user", (TextPart("mail u@x.org"),), name="mario_rossi"),
            Message(
                "assistant", reasoning="r@x.org?", tool_calls=(ToolCall("c1", "send", '{"to": "a@x.org"}'),)
            ),
            Message("tool", '{"sent": "t@x.org"}', tool_call_id="c1", name="send"),
        ),
        tools=(
            Tool("send", "as d@x.org", {"properties": {"to": {"enum": ["e@x.org"], "default": "f@x.org"}}}),
        ),
        response_format={"json_schema": {"schema": {"const": "g@x.org"}}},
        stop=("s@x.org",),
    )
    redacted = REDACTOR.redact(request)
    body = render_chat(redacted.request, "m", "runner").decode()
    assert "@x.org" not in body
    assert "mario" not in body
    assert redacted.counts == {"EMAIL": 10, "USERNAME": 1}
    message = redacted.request.messages
    assert (message[1].name, message[3].name, message[3].tool_call_id) == ("USERNAME_1", "send", "c1")
    assert json.loads(message[2].tool_calls[0].arguments).keys() == {"to"}


def test_arguments_stay_valid_json_where_a_number_is_hidden():
    call = ToolCall("1", "pay", '{"card": 4111111111111111, "note": "a\\nm@x.org \\"q\\"", "n": [1, 2.5e3]}')
    redacted = REDACTOR.redact(GenerationRequest((Message("assistant", tool_calls=(call,)),)))
    arguments = redacted.request.messages[0].tool_calls[0].arguments
    assert json.loads(arguments) == {"card": "<CARD_1>", "note": 'a\n<EMAIL_1> "q"', "n": [1, 2500.0]}
    assert restore_text(arguments, redacted.placeholders, json_text=True) == call.arguments


def test_json_inside_prose_stays_json():
    text = 'Fix this: {"phone": 3331234567, "to": "x"} please'
    redacted = REDACTOR.redact(asked(text))
    assert redacted.request.messages[0].text == 'Fix this: {"phone": "<PHONE_1>", "to": "x"} please'
    assert restore_text(redacted.request.messages[0].text, redacted.placeholders) == text


def test_images_stay_home_unless_they_may_leave():
    request = GenerationRequest(
        (Message("user", (ImagePart("data:image/png;base64,AAAA"), TextPart("who?"))),)
    )
    with pytest.raises(RedactionFailed, match="nothing in an image can be hidden") as caught:
        REDACTOR.redact(request)
    assert isinstance(caught.value, HandoffRefused)
    assert "handoff.redaction.images" in (caught.value.hint or "")
    assert Redactor(RedactionSettings(images=True, recogniser="off")).redact(request).images == 1


def test_a_detector_that_fails_stops_the_hand_off_and_quotes_nothing():
    def broken(text):
        raise ValueError(text)

    with pytest.raises(RedactionFailed) as caught:
        Redactor(RedactionSettings(), broken).redact(asked("my secret"))
    assert "secret" not in str(caught.value)


def test_text_that_is_no_text_stays_home():
    with pytest.raises(RedactionFailed):
        REDACTOR.redact(asked("lone \ud800 surrogate"))


def test_values_that_somebody_else_found_are_hidden_too():
    redacted = REDACTOR.redact(
        asked("we met Giulia Ferri; giulia ferri smiled"), [Known("Giulia Ferri", "PERSON")]
    )
    assert redacted.request.messages[0].text == "we met <PERSON_1>; <PERSON_1> smiled"


def test_a_request_without_anything_private_is_unchanged():
    request = asked("Why is the sky blue?", tools=(Tool("f", "does", {"type": "object"}),), stop=("\n",))
    redacted = REDACTOR.redact(request)
    assert (redacted.request, redacted.placeholders, redacted.counts, redacted.images) == (request, (), {}, 0)


VALUES = (
    *(
        "mario@x.org",
        "+39 333 1234567",
        "4111 1111 1111 1111",
        "IT60X0542811101000000123456",
        "93.184.216.34",
    ),
    *("RSSMRA85T10A562S", "password: hunter2x", "/home/mario/x", "AKIAIOSFODNN7EXAMPLE", "db-prod-01"),
    *("Dear Anna Bianchi,", "https://me:pw1234@x.org/", "<EMAIL_1>", "EMAIL_2", "Email 1", "<", ">", "\\"),
    *('"', "'", "_", "1", "\n", " ", "e", "{}"),
)
TEXTS = st.lists(st.one_of(st.sampled_from(VALUES), st.text(max_size=6)), max_size=10).map(" ".join)


def encodable(text):
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


@given(TEXTS.filter(encodable))
def test_restoring_undoes_redacting(text):
    redacted = REDACTOR.redact(asked(text))
    assert restore_text(redacted.request.messages[0].text, redacted.placeholders) == text


@given(TEXTS.filter(encodable))
def test_nothing_that_was_found_is_left(text):
    redacted = REDACTOR.redact(asked(text, text))
    body = redacted.request.messages[0].text + redacted.request.messages[1].text
    for placeholder in redacted.placeholders:
        if len(placeholder.original) >= 8:
            assert placeholder.original not in body


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.sampled_from((4111111111111111, 393331234567)), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, JSON, max_size=4), st.booleans())
def test_valid_json_stays_valid_and_comes_back_as_it_was(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    if not encodable(text):
        return
    redacted = REDACTOR.redact(
        GenerationRequest((Message("assistant", tool_calls=(ToolCall("1", "f", text),)),))
    )
    arguments = redacted.request.messages[0].tool_calls[0].arguments
    json.loads(arguments)
    assert json.loads(restore_text(arguments, redacted.placeholders, json_text=True)) == value
