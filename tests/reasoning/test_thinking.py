"""A model that thinks: its thought told apart, bounded, and followed by an answer. Whatever it does."""

from contextlib import aclosing

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import AnswerGarbled, RequestError, WorkerDied
from isthmus.messages import (
    EFFORTS,
    Finish,
    GenerationRequest,
    Message,
    ModelInfo,
    Notice,
    Progress,
    ReasoningDelta,
    TextDelta,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.reasoning.budget import CLOSING
from isthmus.reasoning.thinking import Thinking
from tests.reasoning.said import gathered
from tests.reasoning.test_families import TEMPLATES

OURS = ModelInfo("mine", local=True, template=TEMPLATES["qwen3"])
RUNNER = ModelInfo("qwen3:8b", local=True)
HI = (Message("user", "hi"),)
DONE = Finish("stop", Usage(10, 9))


def ask(*scripts, model=RUNNER, **asked):
    """What comes of scripts, one a call, and what the model was asked."""
    engine = ScriptedEngine(*scripts, model=model)

    events = anyio.run(gather, Thinking(engine).stream(GenerationRequest(HI, **asked)))
    assert engine.closed == len(engine.requests), "a slot was not freed"
    return events, engine.requests


async def gather(stream):
    async with aclosing(stream) as events:
        return [event async for event in events]


def words(text, kind=TextDelta, **more):
    """A text as an engine streams it."""
    return [kind(word + " ", **more) for word in text.split()]


def notices(events):
    return [event.code for event in events if isinstance(event, Notice)]


def finishes(events):
    return [event for event in events if isinstance(event, Finish)]


# ---------------------------------------------------------------- told apart


def test_what_a_runner_leaves_in_the_text_is_told_apart():
    events, (request,) = ask([TextDelta("<think>Let"), TextDelta(" me.</th"), TextDelta("ink>\n\n4"), DONE])
    assert gathered(events) == [("thought", "Let me."), ("text", "4")]
    (finish,) = finishes(events)
    assert finish.usage == Usage(10, 9, reasoning_tokens=2)
    assert request.messages == HI


def test_what_the_engine_has_told_apart_stays_as_it_is():
    script = [ReasoningDelta("Hm."), TextDelta("\n\n4"), TextDelta(" <think>"), DONE]
    events, _ = ask(script, model=OURS)
    assert gathered(events) == [("thought", "Hm."), ("text", "4 <think>")]


def test_an_engine_s_own_count_of_thinking_counts():
    events, _ = ask([ReasoningDelta("Hm."), TextDelta("4"), Finish("stop", Usage(10, 9, 7))], model=OURS)
    assert events[-1].usage.reasoning_tokens == 7


@pytest.mark.parametrize(
    ("name", "stream", "said"),
    [
        (
            "gpt-oss:20b",
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>4",
            "4",
        ),
        ("deepseek-r1:7b", "Hm.\n</think>\n\n4", "4"),
        ("somebody-s-own", "<think>Hm.</think>4", "4"),
    ],
)
def test_a_runner_s_model_is_read_as_its_family_writes(name, stream, said):
    events, _ = ask([*map(TextDelta, stream), DONE], model=ModelInfo(name, local=True))
    assert gathered(events) == [("thought", "Hm."), ("text", said)]


def test_a_runner_that_reads_thoughts_itself_is_believed():
    script = [ReasoningDelta("Hm."), TextDelta("4"), DONE]
    assert gathered(ask(script, model=ModelInfo("deepseek-r1:7b", local=True))[0]) == [
        ("thought", "Hm."),
        ("text", "4"),
    ]


def test_a_model_told_not_to_think_answers_at_once():
    events, _ = ask([TextDelta("4"), DONE], model=RUNNER, effort="none")
    assert gathered(events) == [("text", "4")]


def test_calls_and_scores_pass():
    script = [
        TextDelta("<think>Hm.</think>"),
        TokenScores((), 0),
        ToolCallDelta(0, "c", "f", "{}"),
        Finish("tool_calls", Usage(10, 9)),
    ]
    events, _ = ask(script)
    assert gathered(events) == [("thought", "Hm."), ("call f", "{}")]
    assert any(isinstance(event, TokenScores) for event in events)
    assert finishes(events)[0].reason == "tool_calls"


def test_nothing_stands_between_where_nobody_thinks():
    engine = ScriptedEngine([TextDelta("<think>"), DONE], model=ModelInfo("mine", local=True, template=""))
    thinking = Thinking(engine)
    assert thinking.model is engine.model
    for request in (GenerationRequest(HI, effort="high"), GenerationRequest(HI, raw="hi")):
        assert type(thinking.stream(request)) is type(engine.stream(request))
        assert thinking.stream(request).__qualname__ == engine.stream(request).__qualname__


# ---------------------------------------------------------------- bounded


FOREVER = words(" ".join(f"thought{number}" for number in range(400)))
ANSWER = [TextDelta("It is"), TextDelta(" 4."), Finish("stop", Usage(50, 2, cached_tokens=45))]


def test_a_thought_that_goes_on_for_ever_is_ended_at_its_budget_and_answered():
    events, (first, second) = ask([TextDelta("<think>"), *FOREVER, DONE], ANSWER, reasoning_budget=20)
    (_, thought), (_, answer) = gathered(events)
    assert thought == " ".join(f"thought{number}" for number in range(20)) + f"\n\n{CLOSING}"
    assert answer == "It is 4."
    assert notices(events) == ["thought_ended"]
    (finish,) = finishes(events)
    assert finish.reason == "stop"
    # 20 tokens of the second prompt were the first answer's.
    assert finish.usage == Usage(30, 22, reasoning_tokens=20, cached_tokens=30)
    assert first.reasoning_budget == 20
    assert second.messages == (*HI, Message("assistant", f"<think>\n{thought}\n</think>\n\n"))
    assert (second.continues, second.reasoning_budget) == (True, None)


def test_a_budget_is_said_before_it_is_spent():
    events, _ = ask([TextDelta("4"), DONE], effort="low")
    assert events[0] == Progress("thinking, 1,024 tokens at most", 0, 1024)
    assert not any(isinstance(event, Progress) for event in ask([DONE], effort="none")[0])


def test_a_budget_that_the_engine_keeps_is_told_as_well():
    script = [*words(f"Hm. {CLOSING}", ReasoningDelta), TextDelta("4"), DONE]
    events, requests = ask(script, model=OURS, reasoning_budget=20)
    assert (len(requests), notices(events)) == (1, ["thought_ended"])


def test_our_own_worker_is_asked_to_close_the_thought():
    _, (_, second) = ask([*words("x " * 60, ReasoningDelta), DONE], ANSWER, model=OURS, reasoning_budget=20)
    last = second.messages[-1]
    assert (last.text, last.reasoning.endswith(CLOSING), second.continues) == ("", True, True)


def test_gpt_oss_at_a_runner_is_given_a_prompt():
    stream = [TextDelta("<|channel|>analysis<|message|>"), *FOREVER, DONE]
    model = ModelInfo("gpt-oss:20b", local=True)
    events, (_, second) = ask(stream, ANSWER, model=model, reasoning_budget=5, effort="low")
    assert gathered(events)[-1] == ("text", "It is 4.")
    assert "Reasoning: low" in second.raw
    assert second.raw.endswith(f"{CLOSING}<|end|><|start|>assistant<|channel|>final<|message|>")


def test_what_remains_of_the_tokens_is_the_answer_s():
    _, (first, second) = ask([TextDelta("<think>"), *FOREVER, DONE], ANSWER, max_tokens=100)
    assert (first.max_tokens, first.reasoning_budget) == (100, 75)
    assert second.max_tokens == 25


@pytest.mark.parametrize("model", [OURS, RUNNER], ids=["ours", "a runner's"])
def test_a_loop_is_ended_without_a_budget(model):
    loop = [ReasoningDelta("Wait, let me check. ") for _ in range(2000)]
    events, requests = ask([*loop, DONE], ANSWER, model=model)
    assert len(requests) == 2
    assert gathered(events)[-1] == ("text", "It is 4.")
    assert "went round in circles" in next(e.text for e in events if isinstance(e, Notice))
    assert events[-1].usage.reasoning_tokens < 150


@pytest.mark.parametrize(("asked", "ended"), [({"effort": "xhigh"}, True), ({}, False)], ids=str)
def test_a_thought_that_effort_was_asked_for_has_its_time(asked, ended):
    slow = [each for word in FOREVER[:10] for each in (word, 0.01)]
    engine = ScriptedEngine([TextDelta("<think>"), *slow, TextDelta("</think>4"), DONE], ANSWER, model=RUNNER)
    thinking = Thinking(engine, effort_s=0.03)
    events = anyio.run(gather, thinking.stream(GenerationRequest(HI, **asked)))
    assert ("its time was up" in str(events)) == ended
    assert gathered(events)[-1][1] == ("It is 4." if ended else "4")


def test_each_choice_is_looked_after_by_itself():
    first = [
        *(TextDelta("<think>Hm.</think>4", index=0), TextDelta("<think>", index=1)),
        *words("on " * 30, index=1),
        Finish("stop", index=0),
        *words("and on " * 30, index=1),
        Finish("stop", Usage(10, 99), index=1),
    ]
    events, (asked, second) = ask(first, ANSWER, n=2, reasoning_budget=20)
    assert (asked.n, second.n) == (2, 1)
    texts = [event.text for event in events if isinstance(event, TextDelta) and event.index == 1]
    assert "".join(texts) == "It is 4."
    assert [(each.index, each.usage is not None) for each in finishes(events)] == [(0, False), (1, True)]


# ---------------------------------------------------------------- answered, whatever comes


def test_a_thought_without_an_answer_is_asked_for_one():
    events, (_, second) = ask([TextDelta("<think>It is 4."), DONE], ANSWER)
    assert gathered(events) == [("thought", "It is 4."), ("text", "It is 4.")]
    assert notices(events) == []
    assert second.messages[-1].text == "<think>\nIt is 4.\n</think>\n\n"
    assert events[-1].usage == Usage(10, 11, reasoning_tokens=1, cached_tokens=0)


def test_a_format_that_breaks_is_left_there_and_answered():
    events, requests = ask([ReasoningDelta("Hm."), AnswerGarbled("oops")], ANSWER, model=OURS)
    assert gathered(events) == [("thought", f"Hm.\n\n{CLOSING}"), ("text", "It is 4.")]
    assert len(requests) == 2


@pytest.mark.parametrize("error", [RequestError("no"), AnswerGarbled("oops")], ids=str)
def test_one_that_can_t_be_continued_ends_as_too_long(error):
    events, _ = ask([TextDelta("<think>It is 4."), DONE], [error])
    assert [each.reason for each in finishes(events)] == ["length"]


def test_a_second_thought_is_not_waited_for():
    again = [*words("again " * 2000, ReasoningDelta), DONE]
    events, requests = ask([TextDelta("<think>"), *FOREVER, DONE], again, reasoning_budget=20)
    assert len(requests) == 2
    assert finishes(events)[0].reason == "length"
    assert "again" not in gathered(events)[0][1]


def test_tokens_that_are_used_up_end_it():
    script = [TextDelta("<think>hm hm"), Finish("length", Usage(10, 9))]
    events, requests = ask(script, max_tokens=9)
    assert len(requests) == 1
    assert finishes(events)[0].reason == "length"
    long, requests = ask([ReasoningDelta("x" * 100), Finish("stop", Usage(1, 25))], max_tokens=25)
    assert len(requests) == 1
    assert finishes(long)[0].reason == "length"


def test_nothing_at_all_is_an_answer_of_nothing():
    events, requests = ask([DONE])
    assert events == [DONE]
    assert len(requests) == 1


def test_a_worker_that_dies_is_its_caller_s_to_know():
    with pytest.raises(WorkerDied):
        ask([TextDelta("<think>hm"), WorkerDied("gone")])
    with pytest.raises(WorkerDied):
        ask([TextDelta("<think>hm"), DONE], [WorkerDied("gone")])


def test_closing_the_answer_frees_the_slot():
    engine = ScriptedEngine([TextDelta("<think>"), *FOREVER], model=RUNNER)

    async def main():
        async with aclosing(Thinking(engine).stream(GenerationRequest(HI))) as events:
            async for _ in events:
                break
        return engine.closed

    assert anyio.run(main) == 1


PIECES = st.sampled_from(
    ["<think>", "</think>", "\n", "hm ", "4", "<|channel|>analysis<|message|>", "<|end|>", "<|start|>"]
)
SAID = st.lists(st.builds(TextDelta, PIECES) | st.builds(ReasoningDelta, PIECES), max_size=12)
ENDS = st.sampled_from([DONE, Finish("length", Usage(10, 9)), AnswerGarbled("oops"), RequestError("no")])
NAMES = st.sampled_from(["gpt-oss", "qwen3", "deepseek-r1", "unheard-of"])
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "effort": st.sampled_from(EFFORTS),
        "reasoning_budget": st.integers(0, 5),
        "max_tokens": st.integers(1, 9),
    },
)


@given(SAID, ENDS, SAID, ENDS, NAMES, st.booleans(), ASKED)
def test_whatever_a_model_does_there_is_one_end_and_no_third_try(first, end, second, ends, name, ours, asked):
    model = ModelInfo(name, local=True, template=TEMPLATES.get(name, "") if ours else None)
    engine = ScriptedEngine([*first, end], [*second, ends], model=model)
    try:
        events = anyio.run(gather, Thinking(engine).stream(GenerationRequest(HI, **asked)))
    except (AnswerGarbled, RequestError):
        assert isinstance(end, Exception), "what has begun to be answered is not given up"
    else:
        assert [isinstance(event, Finish) for event in events].count(True) == 1
        assert isinstance(events[-1], Finish)
        usage = events[-1].usage
        assert usage is None or 0 <= usage.reasoning_tokens <= usage.completion_tokens
    assert len(engine.requests) <= 2
    assert engine.closed == len(engine.requests)
