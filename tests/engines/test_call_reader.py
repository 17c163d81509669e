import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.engines.call_reader import CLOSE, OPEN, EnvelopeReader, LooseReader
from isthmus.messages import TextDelta, Tool, ToolCallDelta

TOOLS = {
    "add": Tool("add", parameters={"type": "object", "required": ["a"]}, strict=True),
    "add_all": Tool("add_all"),
    "say/it": Tool("say/it"),
}


def read(reader, pieces):
    """What comes of a text: (what was said beside calls, [name, arguments] of each call)."""
    said, calls, ids = [], [], set()
    for event in [each for piece in pieces for each in reader.feed(piece)] + list(reader.end()):
        if isinstance(event, TextDelta):
            said.append(event.text)
            continue
        assert isinstance(event, ToolCallDelta)
        if event.name is not None:
            assert event.id is not None
            assert (event.position, event.arguments) == (len(calls), "")
            ids.add(event.id)
            calls.append([event.name, ""])
        else:
            assert (event.id, event.position) == (None, len(calls) - 1)
            calls[-1][1] += event.arguments
    assert len(ids) == len(calls) == reader.calls
    return "".join(said), calls


def pieces_of(text, cuts):
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


CUTS = st.lists(st.integers(0, 10_000), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
SPACE = st.sampled_from([None, 2])
BARE = '{"name": "add", "arguments": {"a": 1}}'

# ---------------------------------------------------------------- in an envelope


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), OBJECTS), min_size=1, max_size=4), SPACE, CUTS)
def test_calls_in_an_envelope_come_out_however_they_are_cut(calls, indent, cuts):
    listed = [{"name": name, "arguments": arguments} for name, arguments in calls]
    text = json.dumps({"tool_calls": listed}, indent=indent)
    said, made = read(EnvelopeReader(), pieces_of(text, cuts))
    assert said == ""
    assert [(name, json.loads(arguments)) for name, arguments in made] == calls


@given(
    OBJECTS | st.lists(JSON, max_size=3) | st.text(max_size=9) | st.integers() | st.booleans(), SPACE, CUTS
)
def test_an_answer_in_an_envelope_comes_out(answer, indent, cuts):
    said, made = read(EnvelopeReader(), pieces_of(json.dumps({"answer": answer}, indent=indent), cuts))
    assert made == []
    assert json.loads(said) == answer


@given(st.integers(0, 200))
def test_what_the_token_limit_cuts_is_no_call_before_its_name_is_whole(length):
    text = json.dumps({"tool_calls": [{"name": "add", "arguments": {"a": "}]"}}] * 2})[:length]
    said, made = read(EnvelopeReader(), [text])
    assert made == [] or all(name == "add" for name, _ in made)
    assert said == "" or (said == text and not made)


def test_arguments_come_as_they_are_written():
    reader = EnvelopeReader(index=3)
    events = [
        list(reader.feed(each))
        for each in ('{"tool_calls": [{"name": "add", "arguments": {', '"a"', ": 1", "}}]}")
    ]
    named, opened = events[0]
    assert (named.name, named.index, opened.arguments) == ("add", 3, "{")
    assert [[each.arguments for each in some] for some in events[1:]] == [['"a"'], [": 1"], ["}"]]


def test_text_where_no_grammar_held_the_model_stays_text():
    assert read(EnvelopeReader(), ["It ", "rains."]) == ("It rains.", [])
    assert read(EnvelopeReader(), [" ", '{"weather": 1}']) == (' {"weather": 1}', [])


# ---------------------------------------------------------------- in free text


@given(st.text(alphabet='ab <>{}"`\n_/:tool_call', max_size=60), st.booleans(), CUTS)
@example("<tool_call", True, [3])
@example("```json\n", False, [])
@example('{"name":"adder', False, [4])
def test_text_without_a_call_stays_as_it_is(text, marks, cuts):
    said, made = read(LooseReader(TOOLS, marks=marks), pieces_of(text, cuts))
    assert made == []
    assert said == text or not text.strip()


@given(st.sampled_from(["", "Let me see.\n"]), st.lists(OBJECTS, min_size=1, max_size=3), SPACE, CUTS)
def test_calls_between_marks_come_out_however_they_are_cut(before, arguments, indent, cuts):
    calls = [json.dumps({"name": "add_all", "arguments": each}, indent=indent) for each in arguments]
    text = before + "\n".join(f"{OPEN}\n{call}\n{CLOSE}" for call in calls)
    said, made = read(LooseReader(TOOLS, marks=True), pieces_of(text, cuts))
    assert said.strip() == before.strip()
    assert [(name, json.loads(written)) for name, written in made] == [
        ("add_all", each) for each in arguments
    ]


@given(st.sampled_from(["%s", "```json\n%s\n```", "```\n%s```\n", "  %s "]), OBJECTS, SPACE, CUTS)
def test_an_answer_that_is_a_call_is_one(frame, arguments, indent, cuts):
    text = frame % json.dumps({"name": "say/it", "arguments": arguments}, indent=indent)
    said, made = read(LooseReader(TOOLS, marks=False), pieces_of(text, cuts))
    assert said == ""
    assert [(name, json.loads(written)) for name, written in made] == [("say/it", arguments)]


@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "multiply", "arguments": {}}',
        '{"name": "add", "arguments": "5"}',
        '{"name": "add", "arguments": {"b": 1}}',  # strict, and not what its schema wants
        '{"name": "add"',
        '{"name": "add", "arguments": {"a": 1}',
        "```json\n[1, 2]\n```",
        f"First: {BARE}",
    ],
)
def test_what_only_looks_like_a_call_stays_text(text, marks):
    assert read(LooseReader(TOOLS, marks=marks), list(text)) == (text, [])


@pytest.mark.parametrize("inner", ["{", '{"name": "none", "arguments": {}}', "see above"])
def test_marks_around_no_call_stay_text(inner):
    text = f"{OPEN}{inner}{CLOSE} Done."
    assert read(LooseReader(TOOLS, marks=True), list(text)) == (text, [])


@given(st.sampled_from(["{%s}", "```json\n{%s}\n```", OPEN + "{%s}" + CLOSE]), OBJECTS, SPACE, CUTS)
def test_a_call_in_doubled_braces_is_one(frame, arguments, indent, cuts):
    text = frame % json.dumps({"name": "add_all", "arguments": arguments}, indent=indent)
    said, made = read(LooseReader(TOOLS, marks=OPEN in frame), pieces_of(text, cuts))
    assert (said, [(name, json.loads(each)) for name, each in made]) == ("", [("add_all", arguments)])


def test_doubled_braces_alone_are_text():
    for text in ("{{", "{{name}} is yours", '{{"name": "nobody", "arguments": {}}}', '{{"name": "add"'):
        assert read(LooseReader(TOOLS, marks=False), list(text)) == (text, [])


def test_what_is_said_after_a_call_is_text():
    text = f"```json\n{BARE}\n```\nThat adds."
    assert read(LooseReader(TOOLS, marks=False), list(text)) == ("That adds.", [["add", '{"a":1}']])


def test_a_call_that_the_token_limit_cuts_stays_text():
    text = f'{OPEN}\n{{"name": "add", "argum'
    assert read(LooseReader(TOOLS, marks=True), list(text)) == (text, [])


@pytest.mark.parametrize("marks", [True, False])
def test_one_that_is_cut_after_whole_ones_is_left_out(marks):
    half = '{"name": "add", "arguments": {"'
    text = f"{OPEN}{BARE}{CLOSE}\n{OPEN}{half}" if marks else f"{BARE}\n{half}"
    assert read(LooseReader(TOOLS, marks=marks), list(text)) == ("", [["add", '{"a":1}']])


def test_text_is_passed_on_at_once_where_it_can_be_no_call():
    reader = LooseReader(TOOLS, marks=True)
    assert [list(reader.feed(each)) for each in ("The", " sum <", "b>")] == [
        [TextDelta("The")],
        [TextDelta(" sum ")],
        [TextDelta("<b>")],
    ]
