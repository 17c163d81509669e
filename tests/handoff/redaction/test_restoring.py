import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.handoff.redaction import Placeholder, Restorer, restore_text
from isthmus.messages import (
    Confidence,
    Finish,
    ReasoningDelta,
    TextDelta,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)

GIVEN = (
    Placeholder("<EMAIL_1>", "m@x.org", "EMAIL"),
    Placeholder("<EMAIL_12>", "z@x.org", "EMAIL"),
    Placeholder("<PERSON_1>", 'Ann "A" O\'Neill & co', "PERSON"),
    Placeholder("<IP_ADDRESS_1>", "10.1.2.3", "IP_ADDRESS"),
    Placeholder("<CARD_1>", "4111111111111111", "CARD", bare=True),
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mail <EMAIL_1>!", "mail m@x.org!"),
        ("**<EMAIL_1>**", "**m@x.org**"),
        ("**<EMAIL\\_1>**", "**m@x.org**"),
        ("\\<EMAIL\\_1\\>", "m@x.org"),
        ("`EMAIL_1`", "`m@x.org`"),
        ("<email_1>", "m@x.org"),
        ("<Email 1>", "m@x.org"),
        ("< EMAIL_1 >", "m@x.org"),
        ("write to Email 1, please", "write to m@x.org, please"),
        ("EMAIL_1 and EMAIL_12", "m@x.org and z@x.org"),
        ("[EMAIL_1]", "m@x.org"),
        ("{{EMAIL_1}}", "m@x.org"),
        ("[EMAIL_1](mailto:<EMAIL_1>)", "[m@x.org](mailto:m@x.org)"),
        ("&lt;PERSON_1&gt;", "Ann &quot;A&quot; O&#x27;Neill &amp; co"),
        ("?to=%3CEMAIL_1%3E", "?to=m%40x.org"),
        ("<IP ADDRESS 1> <ip-address_1> IP_ADDRESS_1", "10.1.2.3 10.1.2.3 10.1.2.3"),
        ("<<EMAIL_1>>", "<m@x.org>"),
        ("C:\\<EMAIL_1>\\x", "C:\\m@x.org\\x"),
        ('"<CARD_1>" "a <CARD_1>"', '4111111111111111 "a 4111111111111111"'),
    ],
)
def test_forms_in_which_models_write_placeholders(written, meant):
    assert restore_text(written, GIVEN) == meant


@pytest.mark.parametrize(
    "text",
    [
        "<EMAIL_2>, EMAIL_3 and <PHONE_1>",
        "email_1 = get()",
        "users[EMAIL_10]",
        "Email 1: dear all\n\nEmail 2: dear both",
        "MY_EMAIL_1x",
        "xEMAIL_1",
        "EMAIL_1_BACKUP",
        "a < b and c > d",
        "the person 1 mile away",
        "",
    ],
)
def test_what_is_no_placeholder_stays(text):
    assert restore_text(text, GIVEN) == text


def test_placeholders_that_nobody_handed_out_are_counted():
    restorer = Restorer(GIVEN)
    restorer.event(TextDelta("<EMAIL_1> <EMAIL_2> <PERSON_7> "))
    restorer.end()
    assert (restorer.restored, restorer.invented) == (1, 2)


def streamed(restorer, pieces, make):
    events = [event for piece in pieces for event in restorer.event(make(piece))]
    return events + restorer.end()


def cut(text, places):
    bounds = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


SPELT = st.sampled_from(
    (
        *("<EMAIL_1>", "**<EMAIL_12>**", "<email_1>", "EMAIL_1", "Email 1", "[PERSON_1]", "&lt;PERSON_1&gt;"),
        *("%3CEMAIL_1%3E", '"<CARD_1>"', "\\<IP\\_ADDRESS\\_1\\>", "<EMAIL_3>", "E", "<", "EMAIL", "_1", " "),
        *("\n", "x", ".", '"', "\\", "&lt;", "{", "1"),
    )
)


@given(st.lists(SPELT, max_size=12).map("".join), st.lists(st.integers(0, 200), max_size=20))
def test_however_a_text_is_cut_the_same_comes_out(text, places):
    events = streamed(Restorer(GIVEN), cut(text, places), TextDelta)
    assert "".join(event.text for event in events) == restore_text(text, GIVEN)


@given(st.lists(SPELT, max_size=12).map("".join))
def test_no_more_is_held_back_than_the_longest_form(text):
    restorer = Restorer(GIVEN)
    shown = 0
    longest = len('"\\u003c IP\\_ADDRESS\\_123456 \\u003e"')
    for number, sign in enumerate(text, 1):
        shown = len(restorer.event(TextDelta(sign)))
        stream = restorer._streams[0, "text", 0]
        assert len(stream._text) - stream._from <= longest, (number, shown)


@given(st.text(), st.lists(st.integers(0, 200), max_size=20))
def test_text_without_placeholders_comes_through_unchanged(text, places):
    events = streamed(Restorer(GIVEN), cut(text, places), TextDelta)
    restored = "".join(event.text for event in events)
    assert restored == restore_text(text, GIVEN)
    if "_1" not in text and " 1" not in text:
        assert restored == text


def test_ordinary_words_are_not_held_back():
    assert Restorer(GIVEN).event(TextDelta("A sentence without any.")) == [
        TextDelta("A sentence without any.")
    ]


def test_tool_arguments_stay_valid_json():
    text = '{"to": "\\u003cPERSON_1\\u003e", "cc": ["<EMAIL_1>"], "card": "<CARD_1>"}'
    first = ToolCallDelta(0, id="c1", name="send")
    restorer = Restorer(GIVEN)
    events = [
        *restorer.event(first),
        *streamed(restorer, cut(text, range(0, 90, 3)), lambda t: ToolCallDelta(0, arguments=t)),
    ]
    assert events[0] == first
    assert json.loads("".join(event.arguments for event in events)) == {
        "to": 'Ann "A" O\'Neill & co',
        "cc": ["m@x.org"],
        "card": 4111111111111111,
    }


def test_structured_output_is_escaped_and_prose_is_not():
    assert restore_text('"<PERSON_1>"', GIVEN, json_text=True) == '"Ann \\"A\\" O\'Neill & co"'
    assert restore_text("<PERSON_1>", GIVEN) == 'Ann "A" O\'Neill & co'
    events = streamed(Restorer(GIVEN, json_text=True), ['"<PER', 'SON_1>"'], TextDelta)
    assert json.loads("".join(event.text for event in events)) == 'Ann "A" O\'Neill & co'


def test_choices_and_channels_are_kept_apart():
    restorer = Restorer(GIVEN)
    assert restorer.event(TextDelta("<EMA", 0)) == []
    assert restorer.event(TextDelta("IL_1>", 1)) == [TextDelta("IL_1>", 1)]
    assert restorer.event(TextDelta("IL_1> ok", 0)) == [TextDelta("m@x.org ok", 0)]
    assert restorer.event(ReasoningDelta("so EMAIL_", 0)) == [ReasoningDelta("so ", 0)]
    assert restorer.event(TextDelta("x", 0)) == [ReasoningDelta("EMAIL_", 0), TextDelta("x", 0)]
    assert restorer.event(ToolCallDelta(0, arguments="[<EMAIL_1")) == [ToolCallDelta(0, arguments="[")]
    assert restorer.event(ToolCallDelta(1, id="c", name="f")) == [
        ToolCallDelta(0, arguments="<m@x.org"),
        ToolCallDelta(1, id="c", name="f"),
    ]


def test_a_finish_brings_what_was_held_back():
    restorer = Restorer(GIVEN)
    assert restorer.event(TextDelta("bye EMAIL_1")) == [TextDelta("bye ")]
    finish = Finish("stop", Usage(1, 2))
    assert restorer.event(finish) == [TextDelta("m@x.org"), finish]


def test_scores_of_placeholders_tokens_are_left_out():
    restorer = Restorer(GIVEN)
    one, other = (TokenScores((TokenScore(token, -0.1),)) for token in ("Hi ", "<EM"))
    assert restorer.event(one) == []
    assert restorer.event(TextDelta("Hi ")) == [one, TextDelta("Hi ")]
    assert [*restorer.event(other), *restorer.event(TextDelta("<EM"))] == []
    assert restorer.event(TextDelta("AIL_1> ")) == [TextDelta("m@x.org ")]
    assert [*restorer.event(other), *restorer.event(TextDelta("<EM"))] == []
    assert restorer.event(TextDelta("PTY")) == [other, TextDelta("<EMPTY")]


def test_where_nothing_was_handed_out_events_pass():
    scores = TokenScores((TokenScore("a", -0.1),))
    assert [Restorer(()).event(event) for event in (TextDelta("<EMAIL_1>"), scores)] == [
        [TextDelta("<EMAIL_1>")],
        [scores],
    ]
    assert Restorer(GIVEN).event(Confidence(0.5, "x")) == [Confidence(0.5, "x")]
