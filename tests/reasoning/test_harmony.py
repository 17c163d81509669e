"""gpt-oss's format, read: golden streams, as openai-harmony reads them, cut anywhere."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.reasoning.harmony import HarmonyReader
from tests.reasoning.said import gathered, read

GOLDEN = json.loads((Path(__file__).with_name("golden") / "harmony_streams.json").read_text())
THOUGHT = "<|channel|>analysis<|message|>Hm.<|end|>"
SPLITS = 500


def as_told(messages):
    """openai-harmony's messages as what is said of them."""
    told = []
    for message in messages:
        whom = message["recipient"]
        kind = "thought" if message["channel"] == "analysis" else "text"
        kind = kind if whom is None else f"call {whom.removeprefix('functions.')}"
        if told and told[-1][0] == kind:
            told[-1] = (kind, f"{told[-1][1]}\n\n{message['text']}")
        else:
            told.append((kind, message["text"]))
    return told


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_stream_reads_as_openai_reads_it_wherever_it_is_cut(name):
    stream, said = GOLDEN[name]["stream"], as_told(GOLDEN[name]["messages"])
    assert read(HarmonyReader(), stream) == said
    by_token = HarmonyReader()
    events = [each for token in GOLDEN[name]["tokens"] for each in by_token.feed(token)]
    assert gathered([*events, *by_token.end()]) == said
    random = Random(name)
    for _ in range(SPLITS):
        cuts = random.choices(range(len(stream) + 1), k=random.randint(1, 12))
        assert read(HarmonyReader(), stream, cuts) == said, cuts


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ("", []),
        ("Hello there", [("text", "Hello there")]),
        ("final answer: 4", [("text", "final answer: 4")]),
        ("<|chan", [("text", "<|chan")]),
        ("<|channel|>analysis Hm.<|end|>final<|message|>Hi", [("thought", "Hm."), ("text", "Hi")]),
        (f"{THOUGHT}<|start|>assistant<|channel|>Hi there", [("thought", "Hm."), ("text", "Hi there")]),
        (
            "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Hi",
            [("thought", "Hm."), ("text", "Hi")],
        ),
        (
            "<|channel|>analysis<|message|>Hm.<|start|>assistant<|message|>Hi",
            [("thought", "Hm."), ("text", "Hi")],
        ),
        ("<|channel|>secret<|message|>Hm.", [("thought", "Hm.")]),
        (f"{THOUGHT}<|start|>assistant", [("thought", "Hm.")]),
        (
            "<|channel|>" + "x" * 300 + "<|message|>Hi",
            [("text", "<|channel|>" + "x" * 300 + "<|message|>Hi")],
        ),
        ("assistant" + " word" * 100, [("text", "assistant" + " word" * 100)]),
    ],
    ids=str,
)
def test_broken_streams(stream, said):
    assert read(HarmonyReader(), stream) == said
    assert read(HarmonyReader(), stream, range(len(stream))) == said


PIECES = st.sampled_from(
    [
        *("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>", "<|constrain|>"),
        *("assistant", "analysis", "final", "commentary", " to=functions.f ", "json", "a", "\n", "<|", "|>"),
    ]
)


@given(st.lists(PIECES, max_size=16).map("".join), st.sets(st.integers(0, 160)))
def test_any_stream_reads_the_same_wherever_it_is_cut(stream, cuts):
    whole = read(HarmonyReader(), stream)
    assert read(HarmonyReader(), stream, {each for each in cuts if each <= len(stream)}) == whole


def test_what_is_certain_is_said_at_once():
    reader = HarmonyReader()
    assert gathered(reader.feed("<|channel|>analysis<|message|>Let me")) == [("thought", "Let me")]
    assert reader.thinking
    assert gathered(reader.feed(" see.<|en")) == [("thought", " see.")]
    assert gathered(reader.feed("d|><|start|>assistant<|channel|>final<|message|>4")) == [("text", "4")]
    assert not reader.thinking


def test_what_somebody_else_has_read_is_text():
    reader = HarmonyReader()
    reader.answering()
    assert read(reader, "final<|message|>") == [("text", "final<|message|>")]
