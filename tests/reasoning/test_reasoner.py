import asyncio
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError, SandboxError, SandboxUnavailable, WorkerDied
from isthmus.messages import (
    Confidence,
    Finish,
    GenerationRequest,
    Message,
    ModelInfo,
    Notice,
    Progress,
    ReasoningDelta,
    SampleDelta,
    TextDelta,
    TokenScore,
    TokenScores,
    Tool,
    ToolCallDelta,
    Usage,
)
from isthmus.reasoning.prompts import PROMPTS
from isthmus.reasoning.reasoner import Reasoner
from isthmus.reasoning.vote import VoteRules
from isthmus.settings import ReasoningSettings
from tests.reasoning.batches import batch

pytestmark = pytest.mark.anyio

QUESTION = "How many is 6 x 7?"
RIGHT, WRONG, OTHER = "6 * 7 = 42\n\\boxed{42}", "6 + 7 = 13\n\\boxed{13}", "so 40\n\\boxed{40}"
ONE_WAVE = ReasoningSettings(samples=4, wave=4)
SCHEMA = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
CODE = "Write a Python function.\nassert add(1, 2) == 3"


def request(effort, text=QUESTION, **fields):
    return GenerationRequest((Message("user", text),), effort=effort, **fields)


def varied(samples=4, wave=4, **fields):
    """Rules without the likeliest answer, which is asked for apart."""
    return VoteRules(samples, wave, likeliest=0, **fields)


async def run(engine, given, settings=ONE_WAVE, **options):
    async with aclosing(Reasoner(engine, settings, **options).stream(given)) as events:
        return [event async for event in events]


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def text(events, kind=TextDelta, index=0):
    return "".join(event.text for event in of(kind, events) if event.index == index)


def codes(events):
    return [notice.code for notice in of(Notice, events)]


# ---------------------------------------------------------------- no effort


@pytest.mark.parametrize("effort", [None, "none", "minimal"])
async def test_without_effort_the_models_own_stream_is_handed_back(effort):
    engine = ScriptedEngine([TextDelta("42"), Finish("stop", Usage(5, 1))])
    given = request(effort)
    assert Reasoner(engine).stream(given).__qualname__ == "ScriptedEngine.stream"
    assert await run(engine, given) == [TextDelta("42"), Finish("stop", Usage(5, 1))]
    assert engine.requests[0] is given


async def test_a_model_that_thinks_gets_its_effort_itself():
    engine = ScriptedEngine(
        [TextDelta("42"), Finish("stop", Usage(5, 1))], model=ModelInfo("qwen3:8b", local=True)
    )
    given = request("high")
    await run(engine, given)
    assert engine.requests == [given]


# ---------------------------------------------------------------- low, medium


async def test_low_plans_and_then_answers():
    engine = ScriptedEngine(batch("Multiply them."), batch("It is 42."))
    events = await run(engine, request("low"))
    first, second = engine.requests
    assert first.messages == (Message("user", f"{QUESTION}\n\n{PROMPTS.plan}"),)
    assert first.max_tokens == 128
    assert second.messages == (
        *first.messages,
        Message("assistant", "Multiply them."),
        Message("user", PROMPTS.after_plan),
    )
    assert (text(events, ReasoningDelta), text(events)) == ("Multiply them.", "It is 42.")
    finish = events[-1]
    assert finish.usage == Usage(10, 5, reasoning_tokens=2)
    assert (finish.reasoned.method, finish.reasoned.tokens) == ("plan", 5)


async def test_medium_thinks_and_says_what_the_thought_ends_on():
    engine = ScriptedEngine(batch("6 * 7 = 42\nSo it is \\boxed{42}."))
    events = await run(engine, request("medium"))
    assert [each.messages[0].content for each in engine.requests] == [f"{QUESTION}\n\n{PROMPTS.think}"]
    assert text(events, ReasoningDelta) == "6 * 7 = 42\nSo it is \\boxed{42}."
    assert text(events) == "So it is 42."
    assert events[-1].usage == Usage(10, 8, reasoning_tokens=4)


async def test_a_mark_that_was_asked_for_stays():
    engine = ScriptedEngine(batch("6 * 7 = 42\n\\boxed{42}"))
    events = await run(engine, request("medium", f"{QUESTION} Give it as \\boxed{{number}}."))
    assert text(events) == "\\boxed{42}"


async def test_who_asks_for_steps_is_not_asked_for_them_again():
    engine = ScriptedEngine(batch(RIGHT))
    given = request("medium", f"{QUESTION} Think step by step.")
    await run(engine, given)
    assert engine.requests[0].messages == given.messages


async def test_where_the_thought_sets_nothing_apart_the_answer_is_asked_for():
    engine = ScriptedEngine(batch("Waves of light are scattered."), batch("By scattering."))
    events = await run(engine, request("medium", "Why is the sky blue?", max_tokens=50))
    assert engine.requests[1].messages[-1] == Message("user", PROMPTS.after_thought)
    assert engine.requests[1].max_tokens == 50
    assert (text(events, ReasoningDelta), text(events)) == ("Waves of light are scattered.", "By scattering.")


async def test_an_answer_with_a_form_is_written_after_the_thought():
    engine = ScriptedEngine(batch(RIGHT), batch('{"a": 42}'))
    events = await run(engine, request("medium", response_format=SCHEMA, top_logprobs=2, stop=("END",)))
    thought, answer = engine.requests
    assert (thought.response_format, thought.top_logprobs, thought.stop) == (None, None, ())
    assert (answer.response_format, answer.top_logprobs, answer.stop) == (SCHEMA, 2, ("END",))
    assert text(events) == '{"a": 42}'


async def test_tools_are_called_after_a_thought_and_not_voted_on():
    call = [ToolCallDelta(0, "1", "look", "{}"), Finish("tool_calls", Usage(20, 3))]
    engine = ScriptedEngine(batch("I should look."), call)
    events = await run(engine, request("high", tools=(Tool("look"),)))
    thought, answer = engine.requests
    assert (thought.tools, answer.tools) == ((), (Tool("look"),))
    assert answer.messages[-1] == Message("user", PROMPTS.act)
    assert codes(events) == ["effort_lowered"]
    assert (events[-1].reason, events[-1].usage) == ("tool_calls", Usage(10, 6, reasoning_tokens=3))


async def test_several_answers_share_one_thought():
    engine = ScriptedEngine(batch("Hm."), batch("42", "forty-two"))
    events = await run(engine, request("high", n=2))
    assert [text(events, ReasoningDelta, index) for index in range(2)] == ["Hm.", "Hm."]
    assert [text(events, index=index) for index in range(2)] == ["42", "forty-two"]
    assert [each.index for each in of(Finish, events)] == [0, 1]
    assert [each.n for each in engine.requests] == [1, 2]


async def test_where_nobody_tells_what_it_took_tokens_are_counted_as_they_come():
    engine = ScriptedEngine(
        [TextDelta("a"), TextDelta(" b"), Finish("stop")], [TextDelta("c"), Finish("stop")]
    )
    events = await run(engine, request("low"))
    assert events[-1].usage == Usage(0, 3, reasoning_tokens=2)
    assert events[-1].reasoned.tokens == 3


# ---------------------------------------------------------------- high


async def test_high_draws_one_batch_and_answers_what_most_say():
    engine = ScriptedEngine(batch(RIGHT, WRONG, RIGHT, OTHER))
    events = await run(engine, request("high"), rules=varied(4, 4, stopping="never"))
    (asked,) = engine.requests
    assert (asked.n, asked.temperature, asked.top_logprobs, asked.effort) == (4, 0.7, 0, None)
    assert text(events) == "42"
    assert text(events, ReasoningDelta).splitlines() == [
        "up to 4 samples of 1,024 tokens, within 300 s",
        "1 of 4 samples: 40 (1)",
        "2 of 4 samples: 40 (1), 42 (1)",
        "3 of 4 samples: 40 (1), 42 (1), 13 (1)",
        "4 of 4 samples: 42 (2), 40 (1), 13 (1)",
        "",
        "6 * 7 = 42",
    ]
    assert of(Confidence, events) == [Confidence(0.5, "vote")]
    finish = events[-1]
    assert finish.usage == Usage(10, 17, reasoning_tokens=16)
    assert finish.reasoned.agreement == 0.5
    assert (finish.reasoned.samples, finish.reasoned.most, finish.reasoned.stopped) == (4, 4, "all")
    assert finish.reasoned.tokens_per_s > 0


async def test_who_watches_sees_every_sample_and_the_vote_as_it_forms():
    engine = ScriptedEngine(batch(RIGHT, WRONG))
    events = await run(engine, request("high"), rules=varied(2, 2, stopping="never"))
    samples = of(SampleDelta, events)
    assert ["".join(each.text for each in samples if each.sample == sample) for sample in range(2)] == [
        RIGHT,
        WRONG,
    ]
    assert [(each.sample, each.value) for each in samples if each.ended] == [(0, "42"), (1, "13")]
    assert [(each.done, each.total) for each in of(Progress, events)] == [(0, 2), (1, 2), (2, 2)]
    kinds = [type(each) for each in events if not isinstance(each, SampleDelta | Progress | ReasoningDelta)]
    assert kinds == [Confidence, TextDelta, Finish]


async def test_once_it_is_settled_the_rest_is_broken_off():
    engine = ScriptedEngine(batch("def good(): 2", "def long(): 2" + " + 1" * 40))
    workshop = Bench(passing=["def good(): 2"])
    events = await run(engine, request("high", CODE), rules=varied(8, 4), workshop=workshop)
    assert (text(events), len(engine.requests), engine.closed) == ("def good(): 2", 1, 1)
    finish = events[-1]
    assert (finish.reasoned.stopped, finish.reasoned.samples) == ("settled", 1)
    assert finish.usage.completion_tokens < 20  # of the 86 that both would have had
    ended = {each.sample: each.value for each in of(SampleDelta, events) if each.ended}
    assert ended == {0: "passes the tests", 1: None}


async def test_no_wave_is_larger_than_what_could_settle_it():
    """Two that agree are enough; after two that don't it takes two more for either, and then one."""
    engine = ScriptedEngine(
        batch(RIGHT, WRONG), batch(RIGHT, WRONG), batch(WRONG), batch(RIGHT), batch(RIGHT)
    )
    events = await run(engine, request("high"), rules=varied(8, 8))
    assert [each.n for each in engine.requests] == [2, 2, 2, 1, 1]
    assert (text(events), events[-1].reasoned.stopped) == ("42", "settled")


async def test_waves_go_on_until_it_is_settled_or_all_are_drawn():
    engine = ScriptedEngine(batch(RIGHT, WRONG), batch(OTHER, WRONG), batch(WRONG, WRONG))
    events = await run(engine, request("high", seed=5), rules=varied(8, 2))
    assert [(each.n, each.seed) for each in engine.requests] == [(2, 5), (2, 7), (2, 9)]
    assert (text(events), events[-1].reasoned.stopped) == ("13", "settled")


async def test_the_scores_of_the_chosen_sample_come_with_it():
    engine = ScriptedEngine(batch(RIGHT, WRONG, RIGHT, logprobs=(-0.5, -0.1, -0.2)))
    events = await run(engine, request("high", top_logprobs=3), rules=varied(3, 3, stopping="never"))
    assert engine.requests[0].top_logprobs == 3
    scores = [each for event in of(TokenScores, events) for each in event.tokens]
    assert [each.logprob for each in scores] == [-0.2] * 5
    place = {type(event): number for number, event in reversed(list(enumerate(events)))}
    assert place[Confidence] < place[TokenScores] < place[TextDelta]


async def test_the_callers_temperature_counts_where_it_leaves_samples_any_choice():
    for asked, drawn, seed in ((0.9, 0.9, None), (0.0, 0.7, 0), (None, 0.7, None)):
        engine = ScriptedEngine(batch(RIGHT, RIGHT))
        await run(engine, request("high", temperature=asked), rules=varied(2, 2))
        assert (engine.requests[0].temperature, engine.requests[0].seed) == (drawn, seed)


async def test_a_runner_is_asked_for_one_at_a_time():
    engine = ScriptedEngine(batch(RIGHT))
    events = await run(engine, request("high"), ReasoningSettings(samples=8), batched=False)
    assert [each.n for each in engine.requests] == [1, 1]
    assert text(events) == "42"


async def test_the_likeliest_answer_is_the_first_to_vote():
    engine = ScriptedEngine(batch(RIGHT), batch(WRONG), batch(RIGHT, RIGHT))
    events = await run(engine, request("high", seed=3), ReasoningSettings(samples=8, wave=3))
    assert [(each.n, each.temperature, each.seed) for each in engine.requests] == [
        (1, 0.0, 3),
        (1, 0.7, 4),
        (2, 0.7, 5),
    ]
    assert (text(events), events[-1].reasoned.stopped) == ("42", "settled")


async def test_choices_that_nobody_asked_for_are_nobodys():
    engine = ScriptedEngine([TextDelta("x", 7), Finish("stop", index=7), *batch(RIGHT, RIGHT)])
    assert text(await run(engine, request("high"), rules=varied(2, 2))) == "42"


async def test_free_texts_are_clustered():
    sky = "Light is scattered by the air, and blue light most of all."
    engine = ScriptedEngine(batch(sky, "Because of the sea.", sky.replace("most of all", "the most")))
    events = await run(engine, request("high", "Why is the sky blue?"), rules=varied(3, 3, stopping="never"))
    assert text(events) == sky.replace("most of all", "the most")  # that of the two which ended first
    assert of(Confidence, events) == [Confidence(2 / 3, "vote")]


async def test_a_form_is_given_to_what_won_the_vote():
    engine = ScriptedEngine(batch(RIGHT, RIGHT), batch('{"a": 42}'))
    events = await run(engine, request("high", response_format=SCHEMA), rules=varied(2, 2))
    assert engine.requests[1].messages[-2] == Message("assistant", RIGHT)
    assert engine.requests[1].response_format == SCHEMA
    assert text(events) == '{"a": 42}'
    assert events[-1].usage.reasoning_tokens == 10


async def test_a_bound_on_all_tokens_is_kept():
    engine = ScriptedEngine(batch(RIGHT, WRONG), batch(OTHER))
    events = await run(engine, request("high", max_total=800, max_tokens=800), rules=varied(8))
    assert [(each.n, each.max_tokens) for each in engine.requests] == [(2, 256), (1, 256)]
    assert events[-1].reasoned.most == 3


# ---------------------------------------------------------------- xhigh


async def test_xhigh_looks_again_where_the_vote_stays_open():
    def verdict(yes):
        top = (TokenScore("Yes", yes), TokenScore(" no", -0.1), TokenScore("x", -9))
        return [TokenScores((TokenScore("Yes", yes, top),)), TextDelta("Yes"), Finish("stop", Usage(30, 1))]

    engine = ScriptedEngine(batch(WRONG, RIGHT), verdict(-9.0), verdict(-0.1))
    settings = ReasoningSettings(samples=2, wave=2, python=False)
    events = await run(engine, request("xhigh"), settings, rules=varied(2, 2))
    assert text(events) == "42"
    assert "after a second look: 42" in text(events, ReasoningDelta)
    assert [each.max_tokens for each in engine.requests[1:]] == [2, 2]
    assert QUESTION in engine.requests[1].messages[0].text


class Bench:
    """A workshop that knows what comes of programs; it runs none."""

    def __init__(self, passing=(), outputs=None, closed=None, error=None):
        self.passing, self.outputs, self.error = passing, outputs or {}, error
        self.shut = closed

    async def closed(self):
        return self.shut

    async def passes(self, answer, tests):
        assert tests == ("assert add(1, 2) == 3",)
        if self.error:
            raise self.error
        return answer in self.passing

    async def output(self, answer):
        if self.error:
            raise self.error
        return self.outputs.get(answer)


async def test_programs_count_for_what_they_print():
    engine = ScriptedEngine(batch(WRONG, OTHER), batch("print(6*7)", "print(7*6)"))
    bench = Bench(outputs={"print(6*7)": "42", "print(7*6)": "42\n"})
    events = await run(engine, request("xhigh"), rules=varied(4, 4, programs=2), workshop=bench)
    assert engine.requests[1].messages[0].content == f"{QUESTION}\n\n{PROMPTS.program}"
    assert text(events) == "42"
    assert "print(" in text(events, ReasoningDelta)


async def test_without_a_workshop_all_is_worked_out_in_words():
    engine = ScriptedEngine(batch(RIGHT, RIGHT))
    events = await run(engine, request("xhigh"), rules=varied(4, 4, programs=2, stopping="never"))
    assert (engine.requests[0].n, codes(events)) == (4, [])


async def test_code_is_chosen_by_the_tests_that_the_question_shows():
    engine = ScriptedEngine(batch("def bad(): 1", "def good(): 2"))
    bench = Bench(passing=["def good(): 2"])
    events = await run(engine, request("high", CODE), rules=varied(8, 2), workshop=bench)
    assert text(events) == "def good(): 2"
    assert of(Confidence, events) == [Confidence(0.5, "tests")]
    assert (len(engine.requests), events[-1].reasoned.stopped) == (1, "settled")


@pytest.mark.parametrize(
    ("workshop", "code"),
    [
        (None, "programs_not_run"),
        (Bench(closed=SandboxUnavailable("there is no bubblewrap", hint="install it")), "programs_not_run"),
        (Bench(error=SandboxError("it died")), "programs_not_run"),
        (Bench(), "tests_failed"),
    ],
)
async def test_where_tests_say_nothing_it_is_said_and_likeness_decides(workshop, code):
    engine = ScriptedEngine(batch("def one(): 1", "def two(x): 2", "def one(): 1"))
    events = await run(engine, request("high", CODE), rules=varied(3, 3), workshop=workshop)
    assert codes(events) == [code]
    assert text(events) == "def one(): 1"


# ---------------------------------------------------------------- bad input


async def test_a_model_that_writes_for_ever_is_cut_by_its_samples_length():
    engine = ScriptedEngine(batch("and so on", "and on", finishes=("length", "length")))
    events = await run(engine, request("high"), rules=varied(2, 2))
    assert text(events) == "and on"
    assert events[-1].reason == "length"


async def test_samples_that_go_round_in_circles_are_not_waited_for():
    engine = ScriptedEngine(batch(RIGHT, "the same again " * 300 + RIGHT))
    events = await run(engine, request("high"), rules=varied(2, 2, stopping="never"))
    assert (text(events), engine.closed) == ("42", 1)
    assert events[-1].usage.completion_tokens < 600  # of 907


async def test_a_thought_that_goes_round_in_circles_is_left_and_answered_from():
    engine = ScriptedEngine(batch("round and round " * 400), batch("42"))
    events = await run(engine, request("medium"))
    assert (text(events), engine.closed) == ("42", 2)
    assert events[-1].usage.completion_tokens < 1200


async def test_some_empty_samples_abstain():
    engine = ScriptedEngine(batch("", RIGHT, "", RIGHT))
    events = await run(engine, request("high"), rules=varied(4, 4, stopping="never"))
    assert text(events) == "42"
    assert of(Confidence, events) == [Confidence(0.5, "vote")]


async def test_where_all_samples_are_empty_the_model_is_asked_once_more():
    engine = ScriptedEngine(batch("", ""), batch("42"))
    given = request("high")
    events = await run(engine, given, rules=varied(2, 2))
    assert engine.requests[1].messages == given.messages
    assert (text(events), codes(events)) == ("42", ["no_sample_answered"])


async def test_where_nothing_comes_at_all_the_finish_says_so():
    engine = ScriptedEngine(batch("", ""), [Finish("stop", Usage(10, 0))])
    events = await run(engine, request("high"), rules=varied(2, 2))
    assert (text(events), of(Finish, events)[0].reason) == ("", "stop")


async def test_an_empty_thought_is_not_put_before_the_answer():
    engine = ScriptedEngine([Finish("stop", Usage(10, 0))], batch("42"))
    given = request("medium")
    assert text(await run(engine, given)) == "42"
    assert engine.requests[1].messages == given.messages


@pytest.mark.parametrize("error", [EngineError("it broke"), WorkerDied("it fell")])
async def test_a_failure_costs_the_samples_before_it_nothing(error):
    engine = ScriptedEngine(batch(RIGHT, WRONG), [TextDelta("6", 0), error])
    events = await run(engine, request("high"), rules=varied(8, 2))
    assert (text(events), codes(events)) == ("42", ["samples_failed"])
    assert events[-1].reasoned.stopped == "failed"


async def test_a_failure_before_any_sample_is_the_questions():
    with pytest.raises(EngineError, match="it broke"):
        await run(ScriptedEngine([EngineError("it broke")]), request("high"))


async def test_when_time_is_up_the_answer_is_made_of_what_there_is():
    slow = [*batch(RIGHT, OTHER)[:-6], 60.0]
    engine = ScriptedEngine(slow)
    async with asyncio.timeout(10):
        events = await run(engine, request("high"), ReasoningSettings(time_limit_s=0.2), rules=varied(8, 2))
    assert (text(events), engine.closed) == ("40", 1)
    assert events[-1].reasoned.stopped == "time"


async def test_a_thought_that_takes_too_long_is_answered_from():
    engine = ScriptedEngine([TextDelta("Hm, 40"), 60.0], batch("42"))
    async with asyncio.timeout(10):
        events = await run(engine, request("medium"), ReasoningSettings(time_limit_s=0.2))
    assert (text(events, ReasoningDelta), text(events), engine.closed) == ("Hm, 40", "42", 2)


async def test_closing_the_stream_frees_the_slots():
    engine = ScriptedEngine([*batch(RIGHT, WRONG)[:6], 60.0])
    events = Reasoner(engine, ONE_WAVE).stream(request("high"))
    async for event in events:
        if isinstance(event, SampleDelta):
            break
    await events.aclose()
    assert engine.closed == 1


async def test_where_no_tokens_are_left_for_an_answer_the_end_says_so():
    engine = ScriptedEngine([TextDelta("thinking"), Finish("length", Usage(10, 64))])
    events = await run(engine, request("medium", max_total=64, max_tokens=64))
    assert (text(events), events[-1].reason, events[-1].usage.completion_tokens) == ("", "length", 64)


async def test_a_reason_why_effort_changes_nothing_comes_first():
    engine = ScriptedEngine([TextDelta("is"), Finish("stop", Usage(3, 1))])
    events = await run(engine, request("high", raw="This"))
    assert [type(each) for each in events] == [Notice, TextDelta, Finish]
    assert engine.requests == [replace(request("high"), raw="This")]
