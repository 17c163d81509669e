"""The model at home as a recogniser: what it is asked, what counts of it, and what keeps things home."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import RedactionFailed, WorkerDied
from isthmus.handoff.redaction import Known, ModelReader, Redactor
from isthmus.handoff.redaction.asking import PIECE, asked_of, listed_in, pieces_of
from isthmus.messages import Finish, GenerationRequest, Message, TextDelta, Tool, ToolCall
from isthmus.settings import RedactionSettings

NOBODY = '{"people":[],"addresses":[]}'


def listing(people="", addresses=""):
    """A script in which the model lists these, each separated by a bar."""
    lists = [
        "[" + ",".join(f'"{each}"' for each in some.split("|") if each) + "]" for some in (people, addresses)
    ]
    return [
        TextDelta(f'{{"people":{lists[0]},'),
        TextDelta(f'"addresses":{lists[1]}}}'),
        Finish("stop"),
    ]


def known(home, *texts, reader=None):
    return anyio.run((reader or ModelReader(5.0)).known, home, texts)


# ---------------------------------------------------------------- what counts


def test_only_what_stands_in_the_text_counts_as_it_stands_there():
    piece = "Call anna rossi or ANNA\nROSSI at 4 Elm Road,\nLeeds, not Roma or Bob2."
    listed = (
        '{"people":["Anna Rossi","Nobody Here","Bob2","Call anna"],'
        '"addresses":["4 Elm Road, Leeds","Roma","Bob2","1 Oak Lane"]}'
    )
    assert listed_in(listed, piece) == (
        Known("ANNA\nROSSI", "PERSON"),
        Known("4 Elm Road,\nLeeds", "ADDRESS"),
    )


def test_a_name_in_a_script_without_capitals_counts():
    assert listed_in('{"people":["王小明"],"addresses":[]}', "请联系 王小明 先生") == (
        Known("王小明", "PERSON"),
    )


@pytest.mark.parametrize("answer", ["", "Anna", "[]", '{"people":["A"]}', '{"people":[1],"addresses":[]}'])
def test_an_answer_that_is_no_list_is_an_error(answer):
    with pytest.raises(ValueError):
        listed_in(answer, "A")


def test_the_model_is_held_to_a_list_and_asked_for_no_effort():
    asked = asked_of("a piece")
    assert asked.messages[-1].text == "a piece"
    assert asked.response_format["json_schema"]["strict"] is True
    assert (asked.temperature, asked.effort) == (0.0, "none")


@given(st.lists(st.text(alphabet="Ab. \n", min_size=1, max_size=3 * PIECE), max_size=6, unique=True))
def test_pieces_hold_all_of_the_texts_and_each_text_ends_once(texts):
    pieces = list(pieces_of(texts))
    assert all(0 < len(piece) <= PIECE + len(texts) or not piece.strip() for piece, _ in pieces)
    assert [text for _, ending in pieces for text in ending] == texts
    said, asked = ("".join("".join(some).split()) for some in (texts, [piece for piece, _ in pieces]))
    assert said == asked


def test_a_long_text_is_cut_between_words_where_it_can_be():
    text = "Anna Rossi met Carl. " * 100
    assert all(piece.strip().endswith("Carl.") for piece, _ in pieces_of([text]))


# ---------------------------------------------------------------- reading


def test_each_text_is_read_once():
    home, reader = ScriptedEngine(listing("Anna"), listing("Carl")), ModelReader(5.0)
    assert known(home, "Anna met", "me", "Anna met", reader=reader) == (Known("Anna", "PERSON"),)
    assert known(home, "Anna met", "Carl left", reader=reader) == (
        Known("Anna", "PERSON"),
        Known("Carl", "PERSON"),
    )
    assert [each.messages[-1].text for each in home.requests] == ["Anna met", "Carl left"]
    assert known(None, "Carl left", reader=reader) == (Known("Carl", "PERSON"),)


def test_what_can_hold_no_name_is_not_read():
    home = ScriptedEngine(listing("x"))
    assert known(home, "", "42", "string", "git commit -m fix") == ()
    assert home.requests == []


def test_a_text_has_what_all_of_its_pieces_list():
    long = "Anna is here. " + "so it is. " * 120 + "Carl is there."
    home, reader = ScriptedEngine(listing("Anna"), listing("Carl"), listing("Eve")), ModelReader(5.0)
    assert known(home, long, "Eve too", reader=reader)
    assert len(home.requests) == 2
    assert set(known(None, long, reader=reader)) == {Known("Anna", "PERSON"), Known("Carl", "PERSON")}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([TextDelta("Sure! Anna."), Finish("stop")], "listed no names that can be read"),
        ([TextDelta('{"people":["Anna'), Finish("length")], "listed no names that can be read"),
        ([TextDelta(NOBODY)], "listed no names that can be read"),
        ([WorkerDied("it fell over Anna")], "couldn't look for names: worker_died"),
        ([3600.0], "took more than 0.05 s"),
    ],
)
def test_whatever_goes_wrong_is_an_error_that_quotes_nothing(script, why):
    with pytest.raises(RedactionFailed, match=why) as caught:
        known(ScriptedEngine(script), "Anna met Bob", reader=ModelReader(0.05 if script == [3600.0] else 5.0))
    assert "Anna" not in str(caught.value)
    assert caught.value.hint


def test_without_a_model_nothing_new_can_be_read():
    with pytest.raises(RedactionFailed, match="no model at home"):
        known(None, "Anna met Bob")


# ---------------------------------------------------------------- what leaves

ASKS = Redactor(RedactionSettings(recogniser="model"))


def test_nothing_leaves_before_home_has_looked():
    request = GenerationRequest((Message("user", "Ann met Carl"),))
    with pytest.raises(RedactionFailed, match="hasn't looked"):
        ASKS.redact(request)
    assert ASKS.redact(request, ()).request == request


def test_what_home_listed_is_hidden_wherever_it_stands_beside_what_detectors_find():
    request = GenerationRequest(
        (
            Message("user", "Ann and ann@example.org asked Dr. Weber about Carl Sagan; Annex B."),
            Message(
                "assistant", "", tool_calls=(ToolCall("1", "mail", '{"to": "carl sagan", "who": "Ann"}'),)
            ),
        ),
        tools=(Tool("mail", "Sends what Ann wrote.", {"type": "object"}),),
    )
    redacted = ASKS.redact(request, [Known("Ann", "PERSON"), Known("Carl Sagan", "PERSON")])
    said, called = redacted.request.messages
    assert said.text == "<PERSON_1> and <EMAIL_1> asked Dr. <PERSON_2> about <PERSON_3>; Annex B."
    assert called.tool_calls[0].arguments == '{"to": "<PERSON_3>", "who": "<PERSON_1>"}'
    assert redacted.request.tools[0].description == "Sends what <PERSON_1> wrote."


def test_what_the_person_allows_or_leaves_alone_is_not_hidden():
    request = GenerationRequest((Message("user", "Ann Smith of 4 Elm Road"),))
    found = [Known("Ann Smith", "PERSON"), Known("4 Elm Road", "ADDRESS")]
    allowing = Redactor(RedactionSettings(recogniser="model", allow=("ann smith",), off=("ADDRESS",)))
    assert allowing.asks_home
    assert allowing.redact(request, found).request == request
    assert not Redactor(RedactionSettings(recogniser="model", off=("PERSON", "ADDRESS"))).asks_home


def test_home_reads_all_that_would_leave_as_detectors_do():
    request = GenerationRequest(
        (Message("user", '{"to": "Zo\\u00eb"}', name="Eve"),),
        stop=("Stop",),
        tools=(Tool("t", "Tells.", {}),),
    )
    assert set(ASKS.texts(request)) == {'{"to": "Zoë"}', "Eve", "Stop", "Tells."}
