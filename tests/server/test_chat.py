"""Chat Completions over real HTTP; the openai client unmodified."""

import http.client
import json
import socket
import time
from contextlib import closing

import msgspec
import openai
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import ContextLengthExceeded, EngineError, WorkerDied
from isthmus.messages import (
    Finish,
    ReasoningDelta,
    TextDelta,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from tests.clients import opened

DONE = Finish("stop", Usage(10, 2, cached_tokens=4))
HELLO = [TextDelta("Hel"), TextDelta("lo"), DONE]
HI = [{"role": "user", "content": "hi"}]


def client(server, key="none"):
    return opened(openai.OpenAI(base_url=server.url, api_key=key, max_retries=0))


def post(server, body, path="/v1/chat/completions", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("POST", path, data, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


def wait_until(condition, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def test_a_whole_answer_for_the_openai_client(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        answer = client(server).chat.completions.create(model="scripted", messages=HI)
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 12
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    assert answer.model_extra["isthmus"]["route"] == "local"
    assert answer.model_extra["isthmus"]["reason"] == "mode_off"


def test_a_streamed_answer_for_the_openai_client(serving):
    with serving(ScriptedEngine([ReasoningDelta("hmm"), *HELLO])) as server:
        chunks = list(
            client(server).chat.completions.create(
                model="scripted", messages=HI, stream=True, stream_options={"include_usage": True}
            )
        )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    thought = "".join(
        chunk.choices[0].delta.model_extra.get("reasoning", "") for chunk in chunks if chunk.choices
    )
    assert (text, thought) == ("Hello", "hmm")
    assert chunks[0].model_extra["isthmus"]["route"] == "local"
    assert chunks[-1].usage.completion_tokens == 2
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_tools_and_log_probabilities_for_the_openai_client(serving):
    script = [
        TokenScores((TokenScore("He", -0.5, (TokenScore("Ho", -1.5),)),)),
        TextDelta("He"),
        ToolCallDelta(0, "call_1", "add", '{"a":'),
        ToolCallDelta(0, None, None, " 1}"),
        Finish("tool_calls", Usage(1, 1)),
    ]
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    engine = ScriptedEngine(script)
    with serving(engine) as server:
        answer = client(server).chat.completions.create(
            model="scripted", messages=HI, tools=[tool], logprobs=True, top_logprobs=1
        )
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 1})
    assert answer.choices[0].logprobs.content[0].top_logprobs[0].token == "Ho"
    assert engine.requests[0].tools[0].name == "add"


def test_every_response_says_who_answered_and_why(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for stream in (False, True):
            status, headers, _ = post(server, {"messages": HI, "stream": stream})
            assert status == 200
            assert headers["x-isthmus-route"] == "local"
            assert headers["x-isthmus-reason"] == "mode_off"
        rows = server.ledger.questions(10)
    assert [(row.source, row.outcome) for row in rows] == [("api", "complete")] * 2


def test_unknown_parameters_are_named_and_do_no_harm(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        status, headers, _ = post(server, {"messages": HI, "sparkle": 1, "glitter": [2]})
    assert status == 200
    assert headers["x-isthmus-ignored-parameters"] == "glitter, sparkle"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
        ({"messages": []}, "messages"),
        ({"messages": HI, "temperature": "hot"}, "temperature"),
        ({"messages": HI, "max_tokens": -1}, "max_tokens"),
        ({"messages": HI, "reasoning_effort": "colossal"}, "reasoning_effort"),
        ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    ],
)
def test_a_bad_request_names_its_parameter_and_the_next_one_works(serving, body, param):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = post(server, body)
        error = json.loads(answer)["error"]
        assert (status, error["param"], error["type"]) == (400, param, "invalid_request_error")
        assert post(server, {"messages": HI})[0] == 200


def test_a_body_that_is_too_large_is_refused(serving):
    with serving(ScriptedEngine(HELLO), max_body=1000) as server:
        status, _, answer = post(server, {"messages": [{"role": "user", "content": "x" * 2000}]})
        assert status == 413
        assert json.loads(answer)["error"]["code"] == "request_too_large"


def test_an_error_before_the_first_token_is_an_http_error_streamed_or_not(serving):
    engine = ScriptedEngine(
        [ContextLengthExceeded("the prompt has 9 tokens, the context 4", param="messages")]
    )
    with serving(engine) as server:
        for stream in (False, True):
            status, _, answer = post(server, {"messages": HI, "stream": stream})
            assert status == 400
            assert json.loads(answer)["error"]["code"] == "context_length_exceeded"
    with serving(ScriptedEngine([EngineError("out of memory")])) as server:
        assert post(server, {"messages": HI})[0] == 503


def test_a_cut_stream_is_never_shown_as_whole(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), WorkerDied("the worker fell")])) as server:
        _, _, answer = post(server, {"messages": HI, "stream": True})
        assert b"[DONE]" not in answer
        assert b'"finish_reason":"stop"' not in answer
        assert b"the worker fell" in answer
        with pytest.raises(openai.APIError, match="the worker fell"):
            list(client(server).chat.completions.create(model="scripted", messages=HI, stream=True))
        status, _, answer = post(server, {"messages": HI})
        assert status == 503
        assert "choices" not in json.loads(answer)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_stops_the_work(serving, stream):
    engine = ScriptedEngine([TextDelta("Hel"), 60.0, DONE])
    with serving(engine) as server:
        body = json.dumps({"messages": HI, "stream": stream}).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            length = f"Content-Length: {len(body)}"
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n\r\n"
            sock.sendall(head.encode() + body)
            wait_until(lambda: engine.requests)
            if stream:
                sock.recv(1)
        wait_until(lambda: engine.closed == 1)
        wait_until(lambda: server.ledger.questions(1))
        assert server.ledger.questions(1)[0].outcome == "cancelled"


def test_several_choices(serving):
    script = [
        TextDelta("a", 0),
        TextDelta("b", 1),
        Finish("stop", index=0),
        Finish("length", Usage(1, 2), index=1),
    ]
    with serving(ScriptedEngine(script)) as server:
        answer = client(server).chat.completions.create(model="scripted", messages=HI, n=2)
    assert [(c.message.content, c.finish_reason) for c in answer.choices] == [("a", "stop"), ("b", "length")]


def test_unknown_paths_and_methods_answer_in_the_apis_shape(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        assert json.loads(post(server, {}, "/v1/nothing")[2])["error"]["code"] == "not_found"
        status, _, answer = post(server, {}, "/v1/models")
        assert status == 405
        assert "error" in msgspec.json.decode(answer)
