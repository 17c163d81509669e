"""Thoughts between marks: golden streams, cut anywhere."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.reasoning.families import FAMILIES, Marks
from isthmus.reasoning.parser import MarkReader
from tests.reasoning.said import gathered, read

GOLDEN = json.loads((Path(__file__).with_name("golden") / "marked.json").read_text())
MARKS = {family.name: family.marks for family in FAMILIES}
QWEN, OPENED = MARKS["qwen3"], MARKS["deepseek-r1"]
SPLITS = 500


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_stream_reads_the_same_wherever_it_is_cut(name):
    case = GOLDEN[name]
    marks, stream = MARKS[case["family"]], case["stream"]
    said = [tuple(each) for each in case["said"]]
    assert read(MarkReader(marks), stream) == said
    assert read(MarkReader(marks), stream, range(len(stream))) == said
    random = Random(name)
    for _ in range(SPLITS):
        cuts = random.choices(range(len(stream) + 1), k=random.randint(1, 12))
        assert read(MarkReader(marks), stream, cuts) == said, cuts


PIECES = st.sampled_from(
    ["<think>", "</think>", "\n", " ", "a", "```", "<tool_call>", "</tool_call>", "<", "</th", "think>"]
)


@given(st.lists(PIECES, max_size=14).map("".join), st.sets(st.integers(0, 80)), st.booleans())
def test_any_stream_reads_the_same_wherever_it_is_cut(stream, cuts, opened):
    marks = Marks("<think>", "</think>", opened=opened, calls=("<tool_call>", "</tool_call>"))
    whole = read(MarkReader(marks), stream)
    assert read(MarkReader(marks), stream, {each for each in cuts if each <= len(stream)}) == whole
    if not any(mark in stream for mark in ("<think>", "</think>")) and not opened:
        assert "".join(text for _, text in whole) == stream


def test_what_is_certain_is_said_at_once():
    reader = MarkReader(QWEN)
    assert gathered(reader.feed("<think>Let me")) == [("thought", "Let me")]
    assert gathered(reader.feed(" see.\n")) == [("thought", " see.")]
    assert reader.thinking
    assert gathered(reader.feed("</thi")) == []
    assert gathered(reader.feed("nk>\n\nIt is")) == [("text", "It is")]
    assert not reader.thinking


def test_what_somebody_else_has_told_apart_is_not_told_apart_again():
    reader = MarkReader(OPENED)
    reader.answering()
    assert read(reader, "\n\nIt is 4.") == [("text", "It is 4.")]
    begun = MarkReader(QWEN)
    list(begun.feed("<think>hm"))
    begun.answering()
    assert begun.thinking
