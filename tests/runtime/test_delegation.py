"""Stage 4: the local model asks the hosted one a question of its own, over real HTTP on loopback."""

import json
from contextlib import ExitStack, aclosing
from decimal import Decimal

import anyio
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import WorkerDied
from isthmus.handoff.away.attempt import open_side
from isthmus.handoff.away.breaker import Breaker
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.conversations.conversation import Conversations
from isthmus.handoff.conversations.delegate import TOOL, can_offer
from isthmus.handoff.rules import Rules
from isthmus.ledger import Ledger, open_database
from isthmus.messages import (
    Finish,
    GenerationRequest,
    Message,
    ModelInfo,
    Notice,
    Progress,
    ReasoningDelta,
    Route,
    TextDelta,
    Tool,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.delegation import Delegation
from isthmus.runtime.terms import Terms
from isthmus.settings import BudgetSettings, HandoffSettings, ProviderSettings
from tests.upstream import RESET, Upstream, answer, chunk, status, stream

HISTORY = (
    Message("system", "You keep Ann's books. Her account is IT60 X054 2811 1010 0000 0123 456."),
    Message("user", "My salary is 4,211 euros."),
    Message("assistant", "Noted."),
    Message("user", "Say it in Roman numerals, and tell me the time."),
)
QUESTION = "Write 4211 in Roman numerals."
CLOCK = Tool("clock", "The time.", {"type": "object"})


def asks(question=QUESTION, position=0, id_="call_1"):
    """The local model calls the tool, its arguments in two pieces."""
    arguments = json.dumps({"question": question})
    return [
        ToolCallDelta(position, id_, TOOL, arguments[:9]),
        ToolCallDelta(position, arguments=arguments[9:]),
    ]


CALLS_END = Finish("tool_calls", Usage(100, 20))
ANSWERED = [TextDelta("It is MMMMCCXI."), Finish("stop", Usage(140, 9))]


@pytest.fixture
def ledger(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    yield Ledger(database)
    database.dispose()


@pytest.fixture
def setting(ledger):
    """``setting(replies, scripts)``: a runtime over a scripted home and a hosted side on loopback."""
    with ExitStack() as stack:

        def make(replies, *scripts, mode="auto", calls=2, usd=None, tools=True, delegate=True, **caps):
            upstream = stack.enter_context(Upstream(*replies))
            provider = ProviderSettings(
                upstream.url, "big-1", input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(10)
            )
            settings = HandoffSettings(
                mode=mode, provider="big", retries=0, max_output_tokens=100, budget=BudgetSettings(**caps)
            )
            hosted = HostedModel.of("big", provider, settings, ledger)
            terms = Terms(
                # A threshold that no score exceeds: all that leaves is what the local model asks.
                Rules(mode=mode, provider="big", threshold=2.0, max_hold_tokens=0, delegate=delegate),
                hosted,
                conversations=Conversations(0.2),
                delegation=Delegation(hosted, calls, usd),
            )
            home = ScriptedEngine(*scripts, model=ModelInfo("small", local=True, tools=tools))
            runtime = Runtime(home, terms, ledger=ledger)
            runtime.upstream = upstream
            return runtime

        yield make


def run(runtime, request=None, consent=None, *, careful=False, **more):
    request = request or GenerationRequest(HISTORY, **more)

    async def main():
        try:
            async with aclosing(runtime.answer(Ask(request, "api", careful=careful), consent)) as events:
                return [event async for event in events]
        finally:
            await runtime.terms.close()

    return anyio.run(main)


def row(runtime):
    (found,) = runtime.ledger.questions(5)
    return found


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def told(runtime, turn=1):
    """What the local model was told in its second turn: the results of its calls."""
    return [(m.tool_call_id, m.text) for m in runtime.home.requests[turn].messages if m.role == "tool"]


# ---------------------------------------------------------------- what leaves, and what comes of it


def test_the_question_is_all_that_leaves(setting):
    runtime = setting([answer("MMMMCCXI.")], [TextDelta("Let me ask. "), *asks(), CALLS_END], ANSWERED)
    run(runtime, tools=(CLOCK,), seed=7, temperature=0.5)
    (received,) = runtime.upstream.requests
    assert received.json == {
        "model": "big-1",
        "messages": [
            {
                "role": "system",
                "content": "Answer this question briefly and exactly. Your answer goes to another model.",
            },
            {"role": "user", "content": QUESTION},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 100,
    }
    whole = received.body.decode() + json.dumps(received.headers)
    for kept in ("IT60", "books", "salary", "clock", "Roman numerals, and"):
        assert kept not in whole


def test_the_local_model_goes_on_with_the_answer_and_its_caller_sees_no_call(setting):
    thinks = [ReasoningDelta("Hm."), TextDelta("Let me ask. "), *asks(), CALLS_END]
    runtime = setting([answer("MMMMCCXI.")], thinks, ANSWERED)
    events = run(runtime, tools=(CLOCK,))
    assert "".join(each.text for each in of(TextDelta, events)) == "Let me ask. It is MMMMCCXI."
    assert of(ToolCallDelta, events) == []
    (route,) = of(Route, events)
    assert (route.decision.target, route.model) == ("local", "small")
    (progress,), (notice,), (result,) = of(Progress, events), of(Notice, events), of(ToolResult, events)
    assert progress.label == "asking big"
    assert notice.text == f"the local model asked big: {QUESTION}"
    assert result == ToolResult("call_1", "MMMMCCXI.")
    (finish,) = of(Finish, events)
    assert (finish.reason, finish.usage) == ("stop", Usage(240, 29))
    first, second = runtime.home.requests
    assert [tool.name for tool in first.tools] == ["clock", TOOL]
    assert second.messages[: len(HISTORY)] == HISTORY
    called, told_ = second.messages[len(HISTORY) :]
    assert (called.text, called.reasoning) == ("Let me ask. ", "Hm.")
    assert json.loads(called.tool_calls[0].arguments) == {"question": QUESTION}
    assert told_ == Message("tool", "MMMMCCXI.", tool_call_id="call_1", name=TOOL)


def test_the_row_says_what_left_and_what_it_cost(setting):
    runtime = setting([answer("MMMMCCXI.")], [*asks(), CALLS_END], ANSWERED)
    events = run(runtime)
    written, cost = row(runtime), Decimal("0.00002")  # 10 tokens of prompt, 1 of answer
    assert (written.target, written.provider, written.outcome) == ("local", "big", "complete")
    assert written.cost_usd == of(Finish, events)[0].cost_usd == cost
    body = runtime.upstream.requests[0].body
    assert written.sent_bytes == len(body)
    (left,) = written.evidence["delegated"]
    assert left["sent_digest"] == written.sent_digest
    assert left | {"sent_digest": ""} == {
        "provider": "big",
        "model": "big-1",
        "sent_digest": "",
        "sent_bytes": len(body),
        "cost_usd": str(cost),
    }
    assert runtime.ledger.spent("day") == cost


def test_two_questions_in_one_turn_are_both_asked(setting):
    two = [*asks("One?", 0, "a"), *asks("Two?", 1, "b"), CALLS_END]
    runtime = setting([answer("1"), answer("2")], two, ANSWERED)
    run(runtime)
    assert told(runtime) == [("a", "1"), ("b", "2")]
    assert len(row(runtime).evidence["delegated"]) == 2


# ---------------------------------------------------------------- tools of the caller's


def test_calls_of_the_callers_tools_pass_through(setting):
    calls = [ToolCallDelta(0, "c1", "clock", "{}"), CALLS_END]
    runtime = setting([answer()], calls)
    events = run(runtime, tools=(CLOCK,))
    assert of(ToolCallDelta, events) == [ToolCallDelta(0, "c1", "clock", "{}")]
    assert of(Finish, events)[0].reason == "tool_calls"
    assert runtime.upstream.requests == []


def test_of_both_the_callers_go_first_and_nothing_leaves(setting):
    both = [
        *asks(position=0),
        ToolCallDelta(1, "c1", "clock", "{"),
        ToolCallDelta(1, arguments="}"),
        CALLS_END,
    ]
    runtime = setting([answer()], both)
    events = run(runtime, tools=(CLOCK,))
    assert of(ToolCallDelta, events) == [
        ToolCallDelta(0, "c1", "clock", "{"),
        ToolCallDelta(0, arguments="}"),
    ]
    assert [notice.code for notice in of(Notice, events)] == ["delegation_postponed"]
    assert of(Finish, events)[0].reason == "tool_calls"
    assert runtime.upstream.requests == []


def test_after_an_answer_from_away_the_callers_tool_is_called(setting):
    calls = [ToolCallDelta(0, "c1", "clock", "{}"), CALLS_END]
    runtime = setting([answer("MMMMCCXI.")], [*asks(), CALLS_END], calls)
    events = run(runtime, tools=(CLOCK,))
    assert of(ToolCallDelta, events) == [ToolCallDelta(0, "c1", "clock", "{}")]
    assert len(runtime.upstream.requests) == 1


# ---------------------------------------------------------------- bounds


def test_after_so_many_calls_the_tool_is_gone(setting):
    scripts = [[*asks(f"Number {n}?"), CALLS_END] for n in range(2)]
    runtime = setting([answer("x")], *scripts, ANSWERED)
    run(runtime)
    offered = [any(tool.name == TOOL for tool in request.tools) for request in runtime.home.requests]
    assert offered == [True, True, False]


def test_a_model_that_asks_more_than_it_may_is_told_so(setting):
    three = [piece for n in range(3) for piece in asks(f"Number {n}?", n, f"c{n}")]
    runtime = setting([answer("x")], [*three, CALLS_END], ANSWERED)
    run(runtime)
    id_, error = told(runtime)[2]
    assert id_ == "c2"
    assert error.startswith("Error: the hosted model may be asked 2 times for one question.")
    assert len(runtime.upstream.requests) == 2


def test_the_same_question_is_asked_once(setting):
    runtime = setting([answer("x")], [*asks(), CALLS_END], [*asks(), CALLS_END], ANSWERED)
    run(runtime)
    assert len(runtime.upstream.requests) == 1
    assert told(runtime, 2) == [("call_1", "x"), ("call_1", "x")]


def test_a_worker_that_falls_is_asked_again_and_pays_once(setting):
    runtime = setting(
        [answer("x")], [*asks(), CALLS_END], [WorkerDied("it fell")], [*asks(), CALLS_END], ANSWERED
    )
    events = run(runtime, careful=True)
    assert of(Finish, events)[0].reason == "stop"
    assert len(runtime.upstream.requests) == 1


@pytest.mark.parametrize(
    "arguments",
    ["", "{}", '{"question": ""}', '{"question": 7}', "What?", '{"question": "%s"}' % ("x" * 20_001)],
)
def test_a_call_that_asks_nothing_is_told_so_and_in_the_end_gets_no_tool(setting, arguments):
    call = [ToolCallDelta(0, "c", TOOL, arguments), CALLS_END]
    runtime = setting([answer("x")], call)
    events = run(runtime)
    assert runtime.upstream.requests == []
    assert len(runtime.home.requests) == 4
    assert of(Finish, events)[0].reason == "stop"
    assert "takes a question of its own" in told(runtime)[0][1]


def test_a_budget_of_its_own(setting):
    runtime = setting([answer("x")], [*asks(), CALLS_END], ANSWERED, usd=Decimal("0.0001"))
    events = run(runtime)
    assert runtime.upstream.requests == []
    (notice,) = of(Notice, events)
    assert (notice.code, notice.hint) == ("budget_exceeded", "raise handoff.delegate_usd")
    assert told(runtime)[0][1].startswith("Error: this could cost")


@pytest.mark.parametrize("others", [0, 1])
def test_its_budget_has_room_for_every_provider_that_may_bill(setting, others):
    runtime = setting([answer("x")], [*asks(), CALLS_END], ANSWERED, usd=Decimal("0.002"))
    sides, first = runtime.terms.hosted.sides, runtime.terms.hosted.sides["big"]
    for number in range(others):
        sides[f"next {number}"] = open_side(f"next {number}", first.settings, Breaker(5, 30.0))
    run(runtime)
    assert len(runtime.upstream.requests) == (0 if others else 1)


def test_the_caps_of_all_calls_hold_too(setting):
    runtime = setting([answer("x")], [*asks(), CALLS_END], ANSWERED, day_usd=Decimal("0.0001"))
    events = run(runtime)
    assert runtime.upstream.requests == []
    assert [notice.code for notice in of(Notice, events)] == ["budget_exceeded"]
    assert row(runtime).sent_digest is None


# ---------------------------------------------------------------- failures and consent


@pytest.mark.parametrize(
    "reply", [status(500, {"error": {"message": "sorry"}}), [*stream(chunk("MMM"), done=False), RESET]]
)
def test_where_the_hosted_model_fails_home_answers_alone(setting, reply):
    runtime = setting([reply], [*asks(), CALLS_END], ANSWERED)
    events = run(runtime)
    assert "".join(each.text for each in of(TextDelta, events)) == "It is MMMMCCXI."
    assert len(of(Notice, events)) == 1
    assert of(ToolResult, events) == []
    assert told(runtime)[0][1].startswith("Error: ")
    assert "MMM." not in told(runtime)[0][1]


def test_a_local_answer_that_is_cut_has_no_end(setting):
    runtime = setting([answer("x")], [*asks(), CALLS_END], [TextDelta("It is")])
    events = run(runtime)
    assert of(Finish, events) == []


@pytest.mark.parametrize("agrees", [True, False])
def test_in_mode_ask_the_person_sees_the_question_first(setting, agrees):
    runtime = setting([answer("x")], [*asks(), CALLS_END], ANSWERED, mode="ask")
    seen = []

    async def consent(outgoing, decision):
        seen.append((outgoing.content["messages"][-1]["content"], decision.reason, decision.stage))
        return agrees

    run(runtime, consent=consent)
    assert seen == [(QUESTION, "delegated", "delegate")]
    assert len(runtime.upstream.requests) == agrees
    assert told(runtime)[0][1].startswith("x" if agrees else "Error: the person doesn't want it sent")


# ---------------------------------------------------------------- who gets the tool


def offers(runtime, **more):
    run(runtime, **more)
    return any(tool.name == TOOL for tool in runtime.home.requests[0].tools)


def test_who_may_not_ask_gets_no_tool(setting):
    assert offers(setting([answer()], ANSWERED))
    assert not offers(setting([answer()], ANSWERED, delegate=False))
    assert not offers(setting([answer()], ANSWERED, mode="ask"))
    assert not offers(setting([answer()], ANSWERED, mode="off"))
    assert not offers(setting([answer()], ANSWERED, tools=False))
    assert not offers(setting([answer()], ANSWERED), home_only=True)
    marked = GenerationRequest((*HISTORY[:-1], Message("user", "Hi", home_only=True)))
    assert not offers(setting([answer()], ANSWERED), request=marked)


@pytest.mark.parametrize(
    ("more", "offered"),
    [
        ({"tool_choice": "auto"}, True),
        ({"tool_choice": "required", "tools": (CLOCK,)}, True),
        ({"tool_choice": "none"}, False),
        ({"tool_choice": {"type": "function", "name": "clock"}}, False),
        ({"response_format": {"type": "json_object"}}, False),
        ({"n": 2}, False),
        ({"raw": "x"}, False),
        ({"grammar": "root ::= x"}, False),
        ({"tools": (Tool(TOOL),)}, False),
    ],
)
def test_it_stands_beside_what_a_request_asks_for(more, offered):
    assert can_offer(GenerationRequest(HISTORY, **more)) == offered
