"""Anthropic's Messages over a real server, with Anthropic's own client."""

import json
import socket
from functools import partial

import anthropic
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import ContextLengthExceeded, EngineError, WorkerDied
from isthmus.messages import (
    Finish,
    Message,
    Notice,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from isthmus.wire.sse import EventReader
from tests.clients import opened
from tests.server.test_chat import post, wait_until

DONE = Finish("stop", Usage(10, 5, 2, cached_tokens=4))
HELLO = [TextDelta("Hel"), TextDelta("lo"), DONE]
THOUGHT = [ReasoningDelta("h"), ReasoningDelta("m"), *HELLO]
CALLS = [
    ReasoningDelta("hm"),
    TextDelta("I'll look."),
    ToolCallDelta(0, "call_1", "look", '{"at":'),
    ToolCallDelta(0, None, None, " 1}"),
    ToolCallDelta(1, "call_2", "look", '{"at": 2}'),
    Finish("tool_calls", Usage(10, 5)),
]
HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "integer"}}}}


def client(server, key="none"):
    url = f"http://127.0.0.1:{server.port}"
    return opened(anthropic.Anthropic(base_url=url, api_key=key, max_retries=0))


def ask(server, **more):
    return client(server).messages.create(model="scripted", max_tokens=64, messages=HI, **more)


def streamed(server, **more):
    with client(server).messages.stream(model="scripted", max_tokens=64, messages=HI, **more) as stream:
        return list(stream), stream.get_final_message()


def body(**more):
    return {"max_tokens": 64, "messages": HI, **more}


def events_of(answer):
    return [json.loads(payload) for payload in EventReader().feed(answer)]


def test_a_whole_answer(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        answer = ask(server)
    assert [block.text for block in answer.content] == ["Hello"]
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", "scripted")
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.id.startswith("msg_")
    assert answer._request_id
    assert answer.model_extra["isthmus"]["route"] == "local"


def test_tokens_from_the_cache_are_not_among_the_input(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for usage in (ask(server).usage, streamed(server)[1].usage):
            assert (usage.input_tokens, usage.cache_read_input_tokens) == (6, 4)
            assert (usage.output_tokens, usage.cache_creation_input_tokens) == (5, 0)
            assert usage.output_tokens_details.thinking_tokens == 2


def test_a_streamed_answer(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        events, answer = streamed(server)
    assert answer.content[0].text == "Hello"
    assert answer.stop_reason == "end_turn"
    assert [event.type for event in events if event.type != "text"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_every_event_is_named_as_its_type(serving):
    with serving(ScriptedEngine(CALLS)) as server:
        _, headers, answer = post(server, body(stream=True), "/v1/messages")
    assert headers["content-type"].startswith("text/event-stream")
    for piece in answer.decode().strip().split("\n\n"):
        name, data = piece.split("\n")
        assert name.removeprefix("event: ") == json.loads(data.removeprefix("data: "))["type"]


def test_thinking_is_a_block_of_its_own_and_may_be_given_back(serving):
    engine = ScriptedEngine(THOUGHT)
    with serving(engine) as server:
        for answer in (ask(server), streamed(server)[1]):
            thought, said = answer.content
            assert (thought.type, thought.thinking, said.text) == ("thinking", "hm", "Hello")
            assert thought.signature
        client(server).messages.create(
            model="scripted",
            max_tokens=64,
            messages=[*HI, {"role": "assistant", "content": answer.content}, *HI],
        )
    assert engine.requests[-1].messages[1] == Message("assistant", "Hello", reasoning="hm")


def test_thinking_may_be_left_out(serving):
    asked = {"thinking": {"type": "adaptive", "display": "omitted"}}
    with serving(ScriptedEngine(THOUGHT)) as server:
        for answer in (ask(server, **asked), streamed(server, **asked)[1]):
            assert answer.content[0].thinking == ""
            assert answer.content[1].text == "Hello"


def test_calls_and_their_results(serving):
    engine = ScriptedEngine(CALLS)
    with serving(engine) as server:
        for answer in (ask(server, tools=[TOOL]), streamed(server, tools=[TOOL])[1]):
            assert answer.stop_reason == "tool_use"
            calls = [(c.id, c.name, c.input) for c in answer.content if c.type == "tool_use"]
            assert calls == [("call_1", "look", {"at": 1}), ("call_2", "look", {"at": 2})]
        results = [
            {"type": "tool_result", "tool_use_id": id_, "content": f"nothing at {name}"}
            for id_, name, _ in calls
        ]
        client(server).messages.create(
            model="scripted",
            max_tokens=64,
            tools=[TOOL],
            messages=[
                *HI,
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": results},
            ],
        )
    _, assistant, first, second = engine.requests[-1].messages
    assert [call.id for call in assistant.tool_calls] == ["call_1", "call_2"]
    assert (first.role, first.tool_call_id, second.tool_call_id) == ("tool", "call_1", "call_2")


@pytest.mark.parametrize(
    ("finish", "reason", "sequence"),
    [
        (Finish("stop"), "end_turn", None),
        (Finish("stop", stop_sequence="END"), "stop_sequence", "END"),
        (Finish("length", Usage(1, 64)), "max_tokens", None),
        (Finish("length", Usage(1, 10)), "model_context_window_exceeded", None),
        (Finish("length"), "max_tokens", None),
        (Finish("content_filter"), "refusal", None),
    ],
)
def test_why_an_answer_ended(serving, finish, reason, sequence):
    with serving(ScriptedEngine([TextDelta("x"), finish])) as server:
        for answer in (ask(server), streamed(server)[1]):
            assert (answer.stop_reason, answer.stop_sequence) == (reason, sequence)


def test_what_has_no_effect_is_named(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for stream in (False, True):
            asked = body(sparkle=1, stream=stream, tools=[{"type": "web_search_20250305", "name": "w"}])
            _, headers, _ = post(server, asked, "/v1/messages?beta=true")
            assert headers["x-isthmus-ignored-parameters"] == "sparkle, tools[0] (web_search_20250305)"
            assert headers["x-isthmus-route"] == "local"
            assert headers["request-id"]


def test_notices_come_with_the_answer(serving):
    with serving(ScriptedEngine([Notice("shortened", "the oldest turns were left out"), *HELLO])) as server:
        _, _, answer = post(server, body(), "/v1/messages")
        _, _, stream = post(server, body(stream=True), "/v1/messages")
    told = (json.loads(answer)["isthmus"], events_of(stream)[0]["message"]["isthmus"])
    assert [each["notices"][0]["code"] for each in told] == ["shortened", "shortened"]


def test_a_bad_request_has_anthropics_shape_and_the_next_one_works(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for bad in (b"{", b"\xff", {"messages": HI}, body(thinking={"type": "deep"})):
            status, headers, answer = post(server, bad, "/v1/messages")
            told = json.loads(answer)
            assert (status, told["type"], told["error"]["type"]) == (400, "error", "invalid_request_error")
            assert headers["request-id"].startswith("req_")
        with pytest.raises(anthropic.NotFoundError) as missing:
            client(server).messages.create(model="other:7b", max_tokens=1, messages=HI)
        assert missing.value.body["error"]["type"] == "not_found_error"
        assert ask(server).content[0].text == "Hello"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ContextLengthExceeded("the prompt has 9 tokens, the context 4"), anthropic.BadRequestError),
        (EngineError("out of memory"), anthropic.InternalServerError),
    ],
)
def test_an_error_before_the_first_token_is_an_http_error_streamed_or_not(serving, error, raised):
    with serving(ScriptedEngine([error])) as server:
        with pytest.raises(raised):
            ask(server)
        with pytest.raises(raised):
            streamed(server)


def test_a_prompt_that_is_too_long_is_refused_in_words_that_coding_agents_know(serving):
    with serving(ScriptedEngine([ContextLengthExceeded("it has 9 tokens, the context 4")])) as server:
        with pytest.raises(anthropic.BadRequestError) as refused:
            ask(server)
        assert refused.value.body["error"]["message"].startswith("prompt is too long: it has 9 tokens")


def test_a_cut_stream_ends_with_an_error_and_is_never_shown_as_whole(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), WorkerDied("the worker fell")])) as server:
        _, _, answer = post(server, body(stream=True), "/v1/messages")
        last = events_of(answer)[-1]
        assert (last["type"], last["error"]["message"]) == ("error", "the worker fell")
        assert b"message_stop" not in answer
        with pytest.raises(anthropic.APIStatusError, match="the worker fell"):
            streamed(server)


def test_a_silent_stream_is_kept_warm(serving):
    with serving(ScriptedEngine([0.3, *HELLO]), ping_s=0.05) as server:
        _, _, answer = post(server, body(stream=True), "/v1/messages")
        assert events_of(answer)[0] == {"type": "ping"}
        assert streamed(server)[1].content[0].text == "Hello"


def test_a_client_that_hangs_up_stops_the_work(serving):
    engine = ScriptedEngine([TextDelta("Hel"), 60.0, DONE])
    with serving(engine) as server:
        content = json.dumps(body(stream=True)).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            head = f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
            sock.sendall(head.encode() + content)
            sock.recv(1)
        wait_until(lambda: engine.closed == 1)


def test_a_key_is_taken_from_anthropics_header(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, key = server.keys.create("laptop")
        assert client(server, key.reveal()).messages.create(model="scripted", max_tokens=1, messages=HI)
        with pytest.raises(anthropic.AuthenticationError) as refused:
            ask(server)
        assert refused.value.body["error"]["type"] == "authentication_error"


def test_a_prompts_tokens_are_counted_without_an_answer(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        count = partial(client(server).messages.count_tokens, model="scripted")
        short, long = (count(messages=HI, system="x" * length).input_tokens for length in (10, 110))
        assert long == short + 100
        assert count(messages=HI, tools=[TOOL]).input_tokens > 0
        with pytest.raises(anthropic.BadRequestError):
            count(messages=[])
        _, headers, _ = post(server, body(sparkle=1), "/v1/messages/count_tokens")
        assert headers["x-isthmus-ignored-parameters"] == "sparkle"
    assert engine.requests == []


def test_attribution_is_not_counted(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        count = partial(client(server).messages.count_tokens, model="scripted", messages=HI)
        line = "x-anthropic-billing-header: cc_version=2.1; cch=36ee5;"
        assert count(system=f"{line}\nBe brief.").input_tokens == count(system="Be brief.").input_tokens


def test_attribution_never_reaches_the_model(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        for stamp in ("36ee5", "0aaa9"):
            line = f"x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli; cch={stamp};"
            ask(server, system=[{"type": "text", "text": line}, {"type": "text", "text": "Be brief."}])
    first, second = engine.requests
    assert first.messages == second.messages == (Message("system", "Be brief."), Message("user", "hi"))


def test_attribution_is_kept_out_of_other_apis_too(serving):
    engine = ScriptedEngine(HELLO)
    line = "x-anthropic-billing-header: cch=36ee5;\nBe brief."
    with serving(engine) as server:
        post(server, {"messages": [{"role": "system", "content": line}, *HI]})
    assert engine.requests[0].messages[0] == Message("system", "Be brief.")
