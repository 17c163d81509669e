"""Completions answers: chunks and whole ones say the same."""

import json

from hypothesis import given
from hypothesis import strategies as st

from isthmus.messages import Decision, Finish, Notice, Route, TextDelta, TokenScore, TokenScores, Usage
from isthmus.wire.chunks import Stamp
from isthmus.wire.completions_writer import TextChunkWriter, render_text_completion
from isthmus.wire.gathered import Completion

STAMP = Stamp("cmpl-1", 7, "m")
ROUTE = Route(Decision("local", "raw_prompt"), "m")


def chunks(events, heads, *, usage=True):
    writer = TextChunkWriter(STAMP, heads=heads, include_usage=usage)
    pieces = [
        writer.open(ROUTE),
        *(writer.render(event) for event in events),
        writer.close(events[-1], ROUTE),
    ]
    return [json.loads(piece) for piece in pieces if piece is not None]


def whole(events, heads, *, logprobs):
    completion = Completion()
    for event in (ROUTE, *events):
        completion.add(event)
    return json.loads(render_text_completion(completion, STAMP, heads=heads, logprobs=logprobs))


texts = st.text(max_size=4)
deltas = st.lists(st.tuples(st.integers(0, 2), texts, st.booleans()), max_size=12)


@given(deltas, st.lists(texts, min_size=3, max_size=3))
def test_chunks_add_up_to_the_whole_answer(said, heads):
    events = []
    for index, text, scored in said:
        if scored:
            events.append(TokenScores((TokenScore(text, -0.5),), index))
        events.append(TextDelta(text, index))
    events += [Finish("stop", Usage(1, 2) if index == 2 else None, index=index) for index in range(3)]
    streamed = chunks(events, heads)
    answer = whole(events, heads, logprobs=True)
    assert streamed[-1]["usage"] == answer["usage"]
    for index, choice in enumerate(answer["choices"]):
        mine = [each for chunk in streamed for each in chunk["choices"] if each["index"] == index]
        assert "".join(each["text"] for each in mine) == choice["text"]
        assert [each["finish_reason"] for each in mine if each["finish_reason"]] == ["stop"]
        scored = [each["logprobs"] for each in mine if each["logprobs"]]
        assert [token for each in scored for token in each["tokens"]] == choice["logprobs"]["tokens"]


def test_offsets_count_what_stands_before():
    events = [
        TokenScores((TokenScore("ab", -0.5), TokenScore("c", -1.0))),
        TextDelta("abc"),
        TextDelta("de"),
        TokenScores((TokenScore("f", -2.0),)),
        TextDelta("f"),
        Finish("length"),
    ]
    offsets = [
        offset
        for chunk in chunks(events, ["head"])
        for choice in chunk["choices"]
        if choice["logprobs"]
        for offset in choice["logprobs"]["text_offset"]
    ]
    assert offsets == [4, 6, 9]


def test_usage_comes_where_it_was_asked_for():
    events = [TextDelta("a"), Finish("stop", Usage(1, 2))]
    assert "usage" not in chunks(events, [""], usage=False)[-1]
    last = chunks(events, [""])[-1]
    assert last["choices"] == []
    assert last["isthmus"]["cost_usd"] == "0"


def test_notices_and_the_route_are_beside_the_answer():
    events = [Notice("code", "beware", "isthmus doctor"), TextDelta("a"), Finish("stop", Usage())]
    first, notice, *_ = chunks(events, [""])
    assert first["isthmus"]["reason"] == "raw_prompt"
    assert notice["isthmus"]["notice"]["hint"] == "isthmus doctor"
    answer = whole(events, [""], logprobs=False)
    assert answer["isthmus"]["notices"][0]["text"] == "beware"
    assert answer["choices"][0]["logprobs"] is None
