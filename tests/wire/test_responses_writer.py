import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from isthmus.errors import Busy, ContextLengthExceeded, EngineError, RequestError, WorkerDied
from isthmus.messages import (
    Confidence,
    Decision,
    Finish,
    Notice,
    Progress,
    ReasoningDelta,
    Route,
    TextDelta,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from isthmus.wire.responses_answer import ResponseEvent
from isthmus.wire.responses_request import parse_responses
from isthmus.wire.responses_writer import ResponseWriter
from tests import open_responses

HOME = Route(Decision("local", "mode_off"), "tiny")
EVENT = TypeAdapter(ResponseStreamEvent)
TOOLS = [
    {"type": "function", "name": "add", "parameters": {"type": "object"}},
    {"type": "custom", "name": "patch"},
    {"type": "namespace", "name": "mail", "description": "", "tools": [{"type": "function", "name": "send"}]},
]
SCORES = TokenScores((TokenScore("He", -0.5, (TokenScore("Ho", -1.5),)),))


def call_of(**asked):
    asked = parse_responses(json.dumps({"input": "hi", "tools": TOOLS, **asked}).encode())
    return asked.call([], asked.items)


def writer_of(**asked):
    return ResponseWriter(call_of(**asked), "asked")


def read(frames):
    """The events of a stream, as its client reads them."""
    events = []
    for frame in frames:
        name, data, *rest = frame.decode().split("\n")
        assert rest == ["", ""]
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def streamed(events, **asked):
    writer = writer_of(**asked)
    frames = [*writer.open(HOME), writer.progress()]
    for event in events:
        frames += writer.render(event)
    return read([*frames, *writer.close()])


def whole(events, **asked):
    writer = writer_of(**asked)
    writer.add(HOME)
    for event in events:
        writer.add(event)
    writer.close()
    return json.loads(writer.body())


def kinds(events):
    return [event["type"].removeprefix("response.") for event in events]


def without_ids(value):
    """A response but for what differs each time."""
    if isinstance(value, dict):
        made = ("id", "call_id", "created_at", "completed_at")
        return {name: without_ids(each) for name, each in value.items() if name not in made}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


class Client:
    """Puts a response together from the events of its stream, and checks that they belong together."""

    def __init__(self):
        self.items = []
        self.open = set()
        self.last = None

    def take(self, event):
        kind = event["type"].removeprefix("response.")
        assert self.last is None, "nothing comes after the end"
        match kind:
            case "created" | "queued" | "in_progress":
                assert event["response"]["output"] == []
            case "output_item.added":
                assert event["output_index"] == len(self.items)
                assert event["item"]["status"] == "in_progress"
                self.items.append(event["item"])
                self.open.add(event["output_index"])
            case "output_item.done":
                item = self.items[event["output_index"]]
                self.open.remove(event["output_index"])
                item["status"] = event["item"]["status"]
                assert item == event["item"], "an item is what its events add up to"
            case "completed" | "incomplete":
                assert not self.open
                assert event["response"]["output"] == self.items
                assert event["response"]["status"] == kind
                self.last = event["response"]
            case _:
                self._grow(kind, event)

    def _grow(self, kind, event):
        item = self.items[event["output_index"]]
        assert event["output_index"] in self.open
        assert event["item_id"] == item["id"]
        parts = item.get("summary") if "summary" in kind else item.get("content")
        place = event.get("summary_index", event.get("content_index"))
        match kind:
            case "content_part.added" | "reasoning_summary_part.added":
                assert place == len(parts)
                parts.append(event["part"])
            case "output_text.delta":
                parts[place]["text"] += event["delta"]
                parts[place]["logprobs"] += event["logprobs"]
            case "reasoning_text.delta" | "reasoning_summary_text.delta":
                parts[place]["text"] += event["delta"]
            case "function_call_arguments.delta":
                item["arguments"] += event["delta"]
            case "custom_tool_call_input.delta":
                item["input"] += event["delta"]
            case "output_text.done":
                assert (event["text"], event["logprobs"]) == (parts[place]["text"], parts[place]["logprobs"])
            case "reasoning_text.done" | "reasoning_summary_text.done":
                assert event["text"] == parts[place]["text"]
            case "content_part.done" | "reasoning_summary_part.done":
                assert event["part"] == parts[place]
            case "function_call_arguments.done":
                assert event["arguments"] == item["arguments"]
            case "custom_tool_call_input.done":
                assert event["input"] == item["input"]
            case _:
                pytest.fail(f"{kind} is not known")


# ---------------------------------------------------------------- whatever is said

TEXT = st.text(max_size=5) | st.sampled_from(["\n\n", "data: [DONE]", "\r", "\u2028", "\0", "🦊", '"}'])
NAMES = st.none() | st.sampled_from(["add", "patch", "mail__send", "unknown", ""])
ARGUMENTS = st.sampled_from(
    ["", "{}", '{"a":', " 1}", '{"input": "x\\ny"}', '{"input": 1}', "nonsense", "\ud7ff"]
)
EVENTS = st.one_of(
    st.builds(TextDelta, TEXT, st.integers(0, 1)),
    st.builds(ReasoningDelta, TEXT, st.integers(0, 1)),
    st.builds(ToolCallDelta, st.integers(0, 2), st.none() | st.just("call_1"), NAMES, ARGUMENTS),
    st.sampled_from(
        [SCORES, HOME, Notice("n", "look"), Progress("load", 1.0), Confidence(0.5, "x"), ToolResult("c", "r")]
    ),
)
FINISHES = st.builds(
    Finish,
    st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    st.none() | st.builds(Usage, *[st.integers(0, 9)] * 4),
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "reasoning": st.just({"effort": "low", "summary": "auto"}),
        "top_logprobs": st.just(1),
        "include": st.just(["reasoning.encrypted_content"]),
        "background": st.booleans(),
        "text": st.just({"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}),
        "tool_choice": st.sampled_from(["required", {"type": "custom", "name": "patch"}]),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=12), FINISHES, ASKED)
def test_a_stream_adds_up_to_the_response_that_is_given_whole(events, finish, asked):
    told = streamed([*events, finish], **asked)
    client = Client()
    for number, event in enumerate(told):
        EVENT.validate_python(event, strict=True)
        msgspec.convert(event, ResponseEvent)
        assert event["sequence_number"] == number
        client.take(event)
    assert client.last is not None
    assert without_ids(whole([*events, finish], **asked)) == without_ids(client.last)
    Response.model_validate(client.last, strict=True)


@settings(max_examples=50, deadline=None)
@given(st.lists(EVENTS, max_size=8), ASKED)
def test_a_response_that_fails_says_what_had_come(events, asked):
    writer = writer_of(**asked)
    frames = [*writer.open(), writer.progress()]
    for event in events:
        frames += writer.render(event)
    told = read([*frames, *writer.fail(WorkerDied("the worker fell", hint="ask again"))])
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert kinds(told)[-2:] == ["error", "failed"]
    for event in told:
        EVENT.validate_python(event, strict=True)
    last = told[-1]["response"]
    assert (last["status"], last["error"]["code"]) == ("failed", "server_error")
    fault = {"code": "server_error", "message": "the worker fell", "param": None}
    assert fault.items() <= told[-2].items()
    assert told[-2]["error"] == {"type": "server_error", **fault}
    assert last["error"]["message"] == "the worker fell"
    assert not [item for item in last["output"] if item["status"] == "in_progress"]


# ---------------------------------------------------------------- exactly

DONE = Finish("stop", Usage(3, 2))


def test_thinking_words_and_calls_are_items_in_their_order():
    events = [
        ReasoningDelta("hm"),
        TextDelta("Let me see."),
        ToolCallDelta(0, "call_a", "add", '{"a":'),
        ToolCallDelta(0, None, None, " 1}"),
        ToolCallDelta(1, "call_b", "mail__send", ""),
        Finish("tool_calls", Usage(3, 9)),
    ]
    response = whole(events)
    reasoning, message, add, send = response["output"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert reasoning["summary"] == []
    assert (message["content"][0]["text"], message["status"]) == ("Let me see.", "completed")
    assert (add["type"], add["name"], add["call_id"]) == ("function_call", "add", "call_a")
    assert (add["arguments"], "namespace" in add) == ('{"a": 1}', False)
    assert (send["name"], send["namespace"], send["arguments"]) == ("send", "mail", "{}")
    assert response["status"] == "completed"


def test_a_call_ends_before_the_next_begins_once_its_arguments_are_whole():
    calls = [ToolCallDelta(0, "a", "add", "{}"), ToolCallDelta(1, "b", "add", "{}")]
    places = [
        (event["type"].rpartition(".")[2], event["output_index"])
        for event in streamed([*calls, Finish("tool_calls", Usage())])
        if "output_item" in event["type"]
    ]
    assert places == [("added", 0), ("done", 0), ("added", 1), ("done", 1)]


def test_calls_that_come_in_turns_lose_nothing():
    events = [
        ToolCallDelta(0, "a", "add", '{"a"'),
        ToolCallDelta(1, "b", "add", '{"b"'),
        ToolCallDelta(0, None, None, ": 1}"),
        ToolCallDelta(1, None, None, ": 2}"),
        Finish("tool_calls", Usage()),
    ]
    assert [item["arguments"] for item in whole(events)["output"]] == ['{"a": 1}', '{"b": 2}']


def test_a_custom_tool_is_called_with_plain_text():
    events = [
        ToolCallDelta(0, "c", "patch", '{"input": "line\\n'),
        ToolCallDelta(0, None, None, 'two"}'),
        Finish("tool_calls", Usage()),
    ]
    told = streamed(events)
    assert kinds(told)[2:] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    (item,) = told[-1]["response"]["output"]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "patch", "line\ntwo")


def test_a_custom_tool_takes_what_the_model_wrote_though_it_is_no_json():
    events = [ToolCallDelta(0, "c", "patch", "*** Begin Patch"), Finish("tool_calls", Usage())]
    assert whole(events)["output"][0]["input"] == "*** Begin Patch"


@pytest.mark.parametrize(
    ("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_is_cut_short_says_why(reason, why):
    told = streamed([TextDelta("Hel"), Finish(reason, Usage(3, 1))])
    response = told[-1]["response"]
    assert told[-1]["type"] == "response.incomplete"
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": why})
    assert (response["output"][0]["status"], response["completed_at"]) == ("incomplete", None)


def test_what_was_whole_before_the_cut_stays_whole():
    events = [
        ReasoningDelta("hm"),
        ToolCallDelta(0, "a", "add", "{}"),
        ToolCallDelta(1, "b", "add", '{"a'),
        Finish("length", Usage()),
    ]
    assert [item["status"] for item in whole(events)["output"]] == ["completed", "completed", "incomplete"]


def test_an_answer_that_never_finished_has_failed():
    told = streamed([TextDelta("Hel")])
    assert told[-1]["type"] == "response.failed"


def test_an_empty_answer_is_an_empty_message():
    (item,) = whole([DONE])["output"]
    assert (item["type"], item["content"][0]["text"]) == ("message", "")


def test_log_probabilities_come_with_their_words_if_asked_for():
    events = [SCORES, ReasoningDelta("He"), SCORES, TextDelta("He"), TextDelta("llo"), DONE]
    deltas = [e for e in streamed(events, top_logprobs=1) if e["type"] == "response.output_text.delta"]
    assert [len(delta["logprobs"]) for delta in deltas] == [1, 0]
    assert deltas[0]["logprobs"][0]["top_logprobs"][0]["token"] == "Ho"
    assert [len(item["content"][0]["logprobs"]) for item in whole(events)["output"][1:]] == [0]
    included = whole(events, include=["message.output_text.logprobs"])
    assert len(included["output"][1]["content"][0]["logprobs"]) == 1


def test_a_summary_is_given_if_asked_for():
    events = [ReasoningDelta("hm"), ReasoningDelta("!"), DONE]
    told = streamed(events, reasoning={"summary": "auto"})
    summary = [kind for kind in kinds(told) if "summary" in kind]
    assert summary == [
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ]
    assert told[-1]["response"]["output"][0]["summary"] == [{"type": "summary_text", "text": "hm!"}]


def test_usage_cost_and_route_are_told():
    away = Route(Decision("hosted", "looks_hard", "estimate"), "large", "upstream")
    finish = Finish("stop", Usage(10, 5, 2, 4), cost_usd=Decimal("0.01"))
    response = whole([away, Notice("n", "look", "try"), TextDelta("x"), finish])
    assert response["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }
    told = response["isthmus"]
    assert (response["model"], told["route"], told["cost_usd"]) == ("large", "hosted", "0.01")
    assert told["notices"][0]["hint"] == "try"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ContextLengthExceeded("too long"), "context_length_exceeded"),
        (Busy("full"), "rate_limit_exceeded"),
        (RequestError("no"), "invalid_prompt"),
        (EngineError("fell"), "server_error"),
    ],
)
def test_agents_learn_by_the_code_whether_to_try_again(error, code):
    *_, last = read(writer_of().fail(error))
    assert last["response"]["error"] == {"code": code, "message": error.message, "hint": None}


def test_one_that_is_cancelled_keeps_what_had_come():
    writer = writer_of(background=True)
    told = read([*writer.open(), writer.progress(), *writer.render(TextDelta("Hel"))])
    assert kinds(told)[:3] == ["created", "queued", "in_progress"]
    assert told[0]["response"]["status"] == "queued"
    writer.cancel()
    response = json.loads(writer.body())
    assert (response["status"], response["output"][0]["status"]) == ("cancelled", "incomplete")
    Response.model_validate(response, strict=True)


# ---------------------------------------------------------------- as Open Responses has it

ADD = {"type": "function", "name": "add"}
SAID = [
    ReasoningDelta("hm"),
    TextDelta("x"),
    SCORES,
    TextDelta("He"),
    ToolCallDelta(0, "call_1", "add", '{"a": 1}'),
]
FULL = {
    "tools": [ADD, {**ADD, "name": "sub", "description": "d", "parameters": {}, "strict": True}],
    "tool_choice": {"type": "allowed_tools", "tools": [ADD]},
    "reasoning": {"effort": "low", "summary": "detailed"},
    "include": ["reasoning.encrypted_content"],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    "top_logprobs": 1,
    "metadata": {"a": "b"},
    "max_tool_calls": 3,
}


def test_every_event_is_as_open_responses_has_it():
    broken = writer_of(background=True, tools=[ADD])
    frames = [*broken.open(), broken.progress(), *broken.render(SAID[0]), *broken.fail(RequestError("no"))]
    told = [
        *streamed([*SAID, Finish("tool_calls", Usage(3, 9))], **FULL),
        *streamed([*SAID, Finish("length", Usage(3, 9))], tools=[], tool_choice="none"),
        *read(frames),
    ]
    for event in told:
        open_responses.check_event(event)
    assert {event["type"] for event in told} == open_responses.EVENTS.keys()


@pytest.mark.parametrize("choice", ["auto", "required", ADD])
def test_a_whole_response_is_as_open_responses_has_it(choice):
    response = whole([*SAID, DONE], tools=[ADD], tool_choice=choice)
    open_responses.check_response(response)
    for name in open_responses.Response.__struct_fields__:
        with pytest.raises(msgspec.ValidationError, match=name):
            open_responses.check_response({key: response[key] for key in response if key != name})
