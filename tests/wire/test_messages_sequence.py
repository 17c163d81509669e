"""Blocks one after the other, whatever the order in which a model's events come."""

from hypothesis import given
from hypothesis import strategies as st

from isthmus.messages import Confidence, Notice, ReasoningDelta, TextDelta, ToolCallDelta
from isthmus.wire.messages_answer import BlockDelta, BlockStart, BlockStop, SignaturePiece, TextPiece
from isthmus.wire.messages_sequence import SIGNATURE, BlockSequence
from isthmus.wire.messages_writer import gathered

TEXT = st.text(alphabet='ab{}":1', max_size=3)
CALLS = st.builds(
    lambda position, id_, name, arguments: ToolCallDelta(position, id_, name, arguments),
    st.integers(0, 2),
    st.none() | st.just("call_1"),
    st.none() | st.just("add"),
    TEXT | st.sampled_from(["{}", '{"a":', "1}"]),
)
EVENTS = st.lists(
    st.builds(TextDelta, TEXT)
    | st.builds(ReasoningDelta, TEXT)
    | CALLS
    | st.just(Notice("code", "text"))
    | st.just(Confidence(0.5, "someone"))
    | st.builds(TextDelta, TEXT, st.just(1)),
    max_size=20,
)


def sequence_of(events, **more):
    sequence = BlockSequence("id", **more)
    return [*(step for each in events for step in sequence.add(each)), *sequence.end()]


def kinds(events):
    return [type(block).__struct_config__.tag for block in gathered(sequence_of(events))]


@given(EVENTS, st.booleans())
def test_any_events_give_blocks_that_begin_grow_and_end_one_after_the_other(events, show_thinking):
    open_, next_ = None, 0
    for step in sequence_of(events, show_thinking=show_thinking):
        match step:
            case BlockStart(index):
                assert open_ is None
                assert index == next_
                open_, next_ = index, index + 1
            case BlockDelta(index):
                assert index == open_
            case BlockStop(index):
                assert index == open_
                open_ = None
    assert open_ is None


@given(EVENTS)
def test_no_text_is_lost_and_none_changes_its_place(events):
    blocks = gathered(sequence_of(events))
    for kind, of in ((TextDelta, "text"), (ReasoningDelta, "thinking")):
        said = "".join(e.text for e in events if isinstance(e, kind) and e.index == 0)
        assert said == "".join(getattr(block, of) for block in blocks if hasattr(block, of))


@given(st.permutations([(call, piece) for call in range(3) for piece in range(2)]))
def test_calls_whose_pieces_come_mixed_are_put_together(order):
    pieces = {call: ['{"a":', f"{call}}}"] for call in range(3)}
    begun, events = set(), []
    for call, _ in order:
        id_, name = (None, None) if call in begun else (f"call_{call}", f"tool_{call}")
        begun.add(call)
        events.append(ToolCallDelta(call, id_, name, pieces[call].pop(0)))
    blocks = {block.name: block for block in gathered(sequence_of(events))}
    assert {name: (block.id, block.input) for name, block in blocks.items()} == {
        f"tool_{call}": (f"call_{call}", {"a": call}) for call in range(3)
    }


def test_thinking_text_and_calls_each_have_a_block():
    events = [
        ReasoningDelta("hm"),
        TextDelta("I'll "),
        TextDelta("look."),
        ToolCallDelta(0, "a", "look", "{}"),
        ToolCallDelta(1, "b", "look", '{"at": 1}'),
        TextDelta("Done."),
    ]
    assert kinds(events) == ["thinking", "text", "tool_use", "tool_use", "text"]


def test_a_thought_is_signed_when_it_ends():
    steps = sequence_of([ReasoningDelta("hm"), TextDelta("Yes")])
    assert [step.delta for step in steps if isinstance(step, BlockDelta)][1:] == [
        SignaturePiece(SIGNATURE),
        TextPiece("Yes"),
    ]


def test_thinking_that_is_not_to_be_shown_leaves_an_empty_block():
    (thought, answer) = gathered(sequence_of([ReasoningDelta("hm"), TextDelta("Yes")], show_thinking=False))
    assert (thought.thinking, thought.signature, answer.text) == ("", SIGNATURE, "Yes")


def test_text_waits_for_the_call_that_is_not_whole_yet():
    sequence = BlockSequence("id")
    sequence.add(ToolCallDelta(0, "a", "look", '{"at": '))
    assert sequence.add(TextDelta("Done.")) == []
    begun = sequence.add(ToolCallDelta(0, arguments="1}"))
    assert [type(step) for step in begun] == [BlockDelta, BlockStop, BlockStart, BlockDelta]


def test_calls_without_an_id_get_one_each():
    first, second = gathered(
        sequence_of([ToolCallDelta(0, None, "a", "{}"), ToolCallDelta(1, None, "b", "")])
    )
    assert first.id.startswith("toolu_")
    assert first.id != second.id


def test_input_that_was_cut_is_given_as_it_is():
    (block,) = gathered(sequence_of([ToolCallDelta(0, "a", "look", '{"at": ')]))
    assert block.input == {"INVALID_JSON": '{"at": '}
