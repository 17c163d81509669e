"""Responses over real HTTP; the openai client unmodified."""

import http.client
import json
from contextlib import closing

import openai
import pytest
from openai.types.responses import Response as OpenAIResponse

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import Busy, ContextLengthExceeded, WorkerDied
from isthmus.messages import Finish, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from tests import open_responses

from .test_chat import client, wait_until

DONE = Finish("stop", Usage(10, 4, reasoning_tokens=1, cached_tokens=4))
HELLO = [ReasoningDelta("hmm"), TextDelta("Hel"), TextDelta("lo"), DONE]


def ask(server, method, path="", body=None, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, "/v1/responses" + path, data, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


def events_of(payload):
    """The events of a whole stream, each named as its data says."""
    *pieces, end = payload.decode().removesuffix("\n\n").split("\n\n")
    assert end == "data: [DONE]"
    events = []
    for piece in pieces:
        if piece.startswith(":"):
            continue
        name, data = piece.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def test_a_whole_response_for_the_openai_client(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        answer = client(server).responses.create(model="scripted", input="hi", metadata={"a": "b"})
    OpenAIResponse.model_validate(answer.to_dict(), strict=True)
    assert (answer.output_text, answer.status, answer.model) == ("Hello", "completed", "scripted")
    assert answer.output[0].content[0].text == "hmm"
    assert answer.usage.input_tokens_details.cached_tokens == 4
    assert answer.usage.output_tokens_details.reasoning_tokens == 1
    assert answer.metadata == {"a": "b"}
    assert answer.model_extra["isthmus"]["route"] == "local"


def test_a_streamed_response_for_the_openai_client(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        events = list(client(server).responses.create(model="scripted", input="hi", stream=True))
        with client(server).responses.stream(model="scripted", input="hi") as stream:
            final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert events[-1].response.output_text == final.output_text == "Hello"
    assert events[0].response.model_extra["isthmus"]["reason"] == "mode_off"


@pytest.mark.parametrize("background", [False, True])
def test_a_stream_is_as_open_responses_has_it(serving, background):
    calls = [*HELLO[:3], ToolCallDelta(0, "call_1", "add", '{"a": 1}'), Finish("tool_calls", Usage(10, 4))]
    body = {
        "input": "hi",
        "stream": True,
        "background": background,
        "tools": [{"type": "function", "name": "add"}],
        "reasoning": {"summary": "auto"},
    }
    with serving(ScriptedEngine(calls)) as server:
        events = events_of(ask(server, "POST", "", body)[2])
        kept = json.loads(ask(server, "GET", f"/{events[-1]['response']['id']}")[2])
    for event in events:
        open_responses.check_event(event)
    assert events[-1]["response"] == kept
    assert [item["type"] for item in kept["output"]] == ["reasoning", "message", "function_call"]


# ---------------------------------------------------------------- kept


def test_a_response_is_fetched_continued_listed_and_deleted(serving):
    engine = ScriptedEngine(HELLO, [TextDelta("Again"), DONE])
    with serving(engine) as server:
        api = client(server).responses
        first = api.create(input="one", instructions="old")
        second = api.create(input="two", previous_response_id=first.id)
        assert api.retrieve(second.id).to_dict() == second.to_dict()
        page = api.input_items.list(second.id, order="asc", limit=2)
        everything = [item.to_dict() for item in page]
        newest = api.input_items.list(second.id, limit=1)
        after = api.input_items.list(second.id, order="asc", after=everything[0]["id"])
        assert api.delete(first.id) is None
        with pytest.raises(openai.NotFoundError):
            api.retrieve(first.id)
        with pytest.raises(openai.NotFoundError) as raised:
            api.create(input="three", previous_response_id=second.id)
        assert raised.value.param == "previous_response_id"
    said = [(message.role, message.text) for message in engine.requests[1].messages]
    assert said == [("user", "one"), ("assistant", "Hello"), ("user", "two")]
    assert engine.requests[1].messages[1].reasoning == "hmm"
    assert second.previous_response_id == first.id
    assert page.has_more
    assert [item["type"] for item in everything] == ["message", "reasoning", "message", "message"]
    assert newest.data[0].content[0].text == "two"
    assert [item.id for item in after.data] == [item["id"] for item in everything[1:]]


def test_deleting_says_so(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        made = client(server).responses.create(input="hi")
        status, _, body = ask(server, "DELETE", f"/{made.id}")
        assert (status, json.loads(body)) == (200, {"id": made.id, "object": "response", "deleted": True})
        assert ask(server, "DELETE", f"/{made.id}")[0] == 404


def test_a_streamed_response_is_kept_before_it_is_told_to_be_complete(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        api = client(server).responses
        *_, last = api.create(input="hi", stream=True)
        assert api.retrieve(last.response.id).to_dict() == last.response.to_dict()


def test_what_is_not_to_be_stored_is_not(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        made = client(server).responses.create(input="hi", store=False)
        assert ask(server, "GET", f"/{made.id}")[0] == 404
    with serving(ScriptedEngine(HELLO), server__responses_days=0) as server:
        status, headers, body = ask(server, "POST", "", {"input": "hi", "store": True})
        assert (status, headers["x-isthmus-ignored-parameters"]) == (200, "store")
        assert json.loads(body)["store"] is False
        assert ask(server, "GET", f"/{json.loads(body)['id']}")[0] == 404


def test_a_response_is_its_keys_own(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        mine, yours = (server.keys.create(name)[1].reveal() for name in ("mine", "yours"))
        made = client(server, mine).responses.create(input="hi")
        assert client(server, mine).responses.retrieve(made.id).id == made.id
        theirs = client(server, yours).responses
        for use in (theirs.retrieve, theirs.delete, theirs.cancel, theirs.input_items.list):
            with pytest.raises(openai.NotFoundError):
                use(made.id)
        with pytest.raises(openai.NotFoundError):
            theirs.create(input="go on", previous_response_id=made.id)
        with pytest.raises(openai.NotFoundError):
            theirs.create(input=[{"type": "item_reference", "id": made.output[0].id}])


def test_an_item_can_be_referred_to(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        api = client(server).responses
        made = api.create(input="one")
        given = [{"type": "item_reference", "id": item.id} for item in made.output]
        api.create(input=[*given, {"role": "user", "content": "two"}])
    assert [message.text for message in engine.requests[1].messages] == ["Hello", "two"]


# ---------------------------------------------------------------- tools


def test_an_agents_tools_go_there_and_back(serving):
    call = [
        ToolCallDelta(0, "call_1", "apply_patch", '{"input": "*** Begin Patch"}'),
        ToolCallDelta(1, "call_2", "mail__send", '{"to": "me"}'),
        Finish("tool_calls", Usage(1, 1)),
    ]
    tools = [
        {"type": "custom", "name": "apply_patch", "description": "edits files"},
        {
            "type": "namespace",
            "name": "mail",
            "description": "mail",
            "tools": [{"type": "function", "name": "send", "parameters": {"type": "object"}}],
        },
        {"type": "web_search"},
    ]
    engine = ScriptedEngine(call, HELLO)
    with serving(engine) as server:
        api = client(server).responses
        raw = api.with_raw_response.create(input="fix it", tools=tools, store=False)
        made = raw.parse()
        patch, send = made.output
        outputs = [
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
            {"type": "function_call_output", "call_id": "call_2", "output": "sent"},
        ]
        history = [{"role": "user", "content": "fix it"}, *(item.to_dict() for item in made.output)]
        api.create(input=[*history, *outputs], tools=tools, store=False)
    OpenAIResponse.model_validate(made.to_dict(), strict=True)
    assert raw.headers["x-isthmus-ignored-parameters"] == "tools.web_search"
    assert (patch.type, patch.name, patch.input) == ("custom_tool_call", "apply_patch", "*** Begin Patch")
    assert (send.type, send.name, send.namespace) == ("function_call", "send", "mail")
    assert [tool.type for tool in made.tools] == ["custom", "namespace"]
    turn, *results = engine.requests[1].messages[1:]
    assert [call.name for call in turn.tool_calls] == ["apply_patch", "mail__send"]
    assert json.loads(turn.tool_calls[0].arguments) == {"input": "*** Begin Patch"}
    assert [(each.tool_call_id, each.text) for each in results] == [("call_1", "done"), ("call_2", "sent")]


def test_a_hosted_tool_can_not_be_demanded(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        body = {"input": "hi", "tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}
        status, _, answer = ask(server, "POST", "", body)
    assert (status, json.loads(answer)["error"]["param"]) == (400, "tool_choice")


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"\xff", None),
        ({"input": 5}, "input"),
        ({"input": "hi", "reasoning": {"effort": "colossal"}}, "reasoning.effort"),
        ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
        ({}, "input"),
    ],
)
def test_a_bad_request_names_its_parameter_and_the_next_one_works(serving, body, param):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = ask(server, "POST", "", body)
        error = json.loads(answer)["error"]
        assert (status, error["param"], error["type"]) == (400, param, "invalid_request_error")
        assert ask(server, "POST", "", {"input": "hi"})[0] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_is_an_http_error(serving, stream):
    engine = ScriptedEngine(
        [ContextLengthExceeded("too long", param="input")], [Busy("full", retry_after_s=7)]
    )
    with serving(engine) as server:
        status, _, body = ask(server, "POST", "", {"input": "hi", "stream": stream})
        assert (status, json.loads(body)["error"]["code"]) == (400, "context_length_exceeded")
        status, headers, _ = ask(server, "POST", "", {"input": "hi", "stream": stream})
        assert (status, headers["retry-after"]) == (503, "7")


def test_a_stream_that_breaks_off_ends_in_a_failed_response(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), WorkerDied("the worker fell")])) as server:
        events = events_of(ask(server, "POST", "", {"input": "hi", "stream": True})[2])
        assert client(server).responses.retrieve(events[0]["response"]["id"]).status == "failed"
        with pytest.raises(openai.APIError, match="the worker fell"):
            list(client(server).responses.create(input="hi", stream=True))
        status, _, _ = ask(server, "POST", "", {"input": "hi"})
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    response = events[-1]["response"]
    assert (response["status"], response["error"]["message"]) == ("failed", "the worker fell")
    assert status == 503


def test_a_slow_beginning_is_told_of_before_anything_is_known(serving, monkeypatch):
    monkeypatch.setattr("isthmus.server.responses._STILL_S", 0.1)
    slow = ScriptedEngine([0.3, *HELLO], [0.3, WorkerDied("the worker fell")])
    with serving(slow, ping_s=0.05) as server:
        body = {"input": "hi", "stream": True}
        told = ask(server, "POST", "", body)[2]
        events = events_of(told)
        failed = events_of(ask(server, "POST", "", body)[2])
    assert b": ping" in told
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.in_progress"]
    assert "isthmus" not in events[0]["response"]
    assert events[-1]["response"]["isthmus"]["route"] == "local"
    assert events[-1]["response"]["model"] == "scripted"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in failed[-2:]] == ["error", "response.failed"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "after=nothing"])
def test_a_bad_query_names_its_parameter(serving, query):
    with serving(ScriptedEngine(HELLO)) as server:
        made = client(server).responses.create(input="hi")
        status, _, body = ask(server, "GET", f"/{made.id}/input_items?{query}")
    assert (status, json.loads(body)["error"]["param"]) == (400, query.partition("=")[0])


def test_only_a_response_in_the_background_can_be_cancelled_or_followed(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        made = client(server).responses.create(input="hi")
        for method, path in (("POST", f"/{made.id}/cancel"), ("GET", f"/{made.id}?stream=true")):
            assert ask(server, method, path)[0] == 400
        assert ask(server, "POST", "/resp_x/cancel")[0] == 404
        assert ask(server, "GET", "/resp_x?stream=true")[0] == 404


# ---------------------------------------------------------------- in the background


def test_a_response_in_the_background_is_polled(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), 0.2, TextDelta("lo"), DONE])) as server:
        api = client(server).responses
        made = api.create(input="hi", background=True)
        assert made.status in ("queued", "in_progress")
        wait_until(lambda: api.retrieve(made.id).output_text == "Hel")
        wait_until(lambda: api.retrieve(made.id).status == "completed")
        done = api.retrieve(made.id)
        assert (done.output_text, done.background) == ("Hello", True)
        assert api.cancel(made.id).status == "completed"
        assert api.create(input="more", previous_response_id=made.id, store=False).status == "completed"


def test_a_response_in_the_background_is_cancelled(serving):
    engine = ScriptedEngine([TextDelta("Hel"), 60.0, DONE])
    with serving(engine) as server:
        api = client(server).responses
        made = api.create(input="hi", background=True)
        wait_until(lambda: api.retrieve(made.id).output_text == "Hel")
        with pytest.raises(openai.BadRequestError, match="still being made"):
            api.create(input="go on", previous_response_id=made.id)
        cancelled = api.cancel(made.id)
        assert (cancelled.status, cancelled.output_text) == ("cancelled", "Hel")
        assert engine.closed == 1
        assert api.retrieve(made.id).status == api.cancel(made.id).status == "cancelled"


def test_a_response_that_is_deleted_in_the_making_is_gone(serving):
    engine = ScriptedEngine([TextDelta("Hel"), 60.0, DONE])
    with serving(engine) as server:
        api = client(server).responses
        made = api.create(input="hi", background=True)
        wait_until(lambda: engine.requests)
        api.delete(made.id)
        assert engine.closed == 1
        assert ask(server, "GET", f"/{made.id}")[0] == 404


def test_a_failure_in_the_background_is_found_later(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), WorkerDied("the worker fell")])) as server:
        api = client(server).responses
        made = api.create(input="hi", background=True)
        wait_until(lambda: api.retrieve(made.id).status == "failed")
        assert api.retrieve(made.id).error.message == "the worker fell"


def test_a_stream_of_the_background_is_taken_up_where_it_was_left(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), 0.2, TextDelta("lo"), DONE])) as server:
        api = client(server).responses
        seen = []
        with api.create(input="hi", background=True, stream=True) as stream:
            for event in stream:
                seen.append(event)
                if event.type == "response.output_text.delta":
                    break
        id_ = seen[0].response.id
        seen += api.retrieve(id_, stream=True, starting_after=seen[-1].sequence_number)
        assert [event.sequence_number for event in seen] == list(range(len(seen)))
        assert [event.type for event in seen[:3]] == [
            "response.created",
            "response.queued",
            "response.in_progress",
        ]
        assert seen[-1].response.output_text == "Hello"
        again = list(api.retrieve(id_, stream=True))
        assert [event.to_dict() for event in again] == [event.to_dict() for event in seen]
        wait_until(lambda: api.retrieve(id_).status == "completed")


def test_what_a_stopped_server_left_undone_has_failed(serving, tmp_path):
    with serving(ScriptedEngine([TextDelta("Hel"), 60.0, DONE]), server__drain_s=0.1) as server:
        api = client(server).responses
        made = api.create(input="hi", background=True)
        wait_until(lambda: api.retrieve(made.id).output_text == "Hel")
    with serving(ScriptedEngine(HELLO)) as server:
        left = client(server).responses.retrieve(made.id)
    assert (left.status, left.output_text) == ("failed", "Hel")
    assert "stopped" in left.error.message


# ---------------------------------------------------------------- counting


def test_the_input_is_counted(serving, monkeypatch):
    class Counting:
        async def count(self, request):
            return sum(len(message.text) for message in request.messages)

    monkeypatch.setattr("isthmus.runtime.models.Models.tokenizer", lambda *_, **__: Counting())
    with serving(ScriptedEngine(HELLO)) as server:
        api = client(server).responses
        made = api.create(input="hi")
        counted = api.input_tokens.count(input="you", previous_response_id=made.id)
    assert (counted.input_tokens, counted.object) == (len("hi" + "Hello" + "you"), "response.input_tokens")
