"""What the log says, and what it never does."""

import io
import json
import logging

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import Busy
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server.logs import RequestLog, set_up_logging
from tests.server.samples import ANSWER, QUESTION, answered, exchange
from tests.server.test_chat import post
from tests.server.test_guard import ask, made

HELLO = [TextDelta(ANSWER), Finish("stop", Usage(10, 2, cached_tokens=4))]


@pytest.fixture
def logged():
    """``logged(kind)`` sends the log to a text, and puts all back as it was."""
    root, ours = logging.getLogger(), logging.getLogger("isthmus")
    before, level, our_level = root.handlers[:], root.level, ours.level

    def start(kind):
        for handler in root.handlers[:]:
            root.removeHandler(handler)  # pytest's own stay open
        stream = io.StringIO()
        set_up_logging(kind, stream)
        return stream

    yield start
    root.handlers[:] = before
    root.setLevel(level)
    ours.setLevel(our_level)


def test_a_request_is_a_line_for_people(logged):
    text = logged("text")
    RequestLog().watch(exchange(answered(), headers=[("x-request-id", "req-1")]))
    RequestLog().watch(exchange(status=429, error=Busy("full"), template="/v1/messages"))
    first, second = text.getvalue().splitlines()
    assert " INFO POST /v1/chat/completions 200 " in first
    assert first.endswith("large hosted/looks_hard 100+21 tokens cost_usd=0.25 key=team request_id=req-1")
    assert " POST /v1/messages 429 " in second
    assert "error=busy" in second


def test_or_a_json_object(logged):
    text = logged("json")
    RequestLog().watch(exchange(answered(), headers=[("x-request-id", "req-1")]))
    line = json.loads(text.getvalue())
    assert line.pop("time").endswith("Z")
    assert line.pop("ms") < 1000
    assert line == {
        "level": "info",
        "logger": "isthmus.requests",
        "event": "request",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "request_id": "req-1",
        "key": "team",
        "model": "large",
        "route": "hosted",
        "reason": "looks_hard",
        "outcome": "complete",
        "prompt_tokens": 100,
        "completion_tokens": 21,
        "cached_tokens": 80,
        "question_id": "question-1",
        "first_token_ms": 500.0,
        "cost_usd": "0.25",
    }


@pytest.mark.parametrize("kind", ["text", "json"])
def test_what_was_said_is_logged_only_where_that_is_asked(logged, kind):
    text = logged(kind)
    RequestLog().watch(exchange(answered()))
    assert QUESTION not in text.getvalue()
    assert ANSWER not in text.getvalue()
    RequestLog(content=True).watch(exchange(answered()))
    assert QUESTION in text.getvalue()
    assert ANSWER in text.getvalue()


def test_uvicorn_and_errors_go_the_same_way(logged):
    text = logged("json")
    logging.getLogger("uvicorn.error").warning("Invalid %s", "request")
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("isthmus.server.app").exception("it failed")
    logging.getLogger("uvicorn.error").info("Started server process")
    first, second = map(json.loads, text.getvalue().splitlines())
    assert (first["level"], first["message"]) == ("warning", "Invalid request")
    assert "ValueError: inside" in second["exception"]


def test_a_real_servers_log_holds_no_key_no_path_and_no_word(logged, serving):
    text = logged("json")
    with serving(ScriptedEngine(HELLO)) as server:
        team = made(server)
        for stream in (False, True):
            post(server, {"messages": [{"role": "user", "content": QUESTION}], "stream": stream}, **team)
        post(server, {"messages": [{"role": "user", "content": QUESTION}]}, Authorization="Bearer isk-nope")
        ask(server, "GET", "/v1/made-up?q=what", **team)
        post(server, b"{" + QUESTION.encode(), **team)
        for path in ("/health", "/ready", "/metrics"):
            ask(server, "GET", path, **team)
    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 401, 404, 400]
    asked = "/v1/chat/completions"
    assert [line["path"] for line in lines] == [asked, asked, asked, "(none)", asked]
    assert lines[0]["key"] == "team"
    assert (lines[0]["prompt_tokens"], lines[1]["completion_tokens"]) == (10, 2)
    assert lines[2]["error"] == "invalid_api_key"
    for secret in (QUESTION, ANSWER, "made-up", "isk-", team["Authorization"]):
        assert secret not in text.getvalue()


def test_the_log_of_requests_can_be_turned_off(logged, serving):
    text = logged("text")
    with serving(ScriptedEngine(HELLO), server__log_requests=False) as server:
        assert ask(server)[0] == 200
    assert text.getvalue() == ""
