"""Request ids, and a server that stops."""

import gc
import json
import socket
import threading
import time
from types import SimpleNamespace

import anyio
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server.front import Front
from tests.server.test_chat import HI, post, wait_until
from tests.server.test_guard import ask, made

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]
SLOW = [TextDelta("Hel"), 0.8, *HELLO]


def test_every_response_has_a_request_id(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        team = made(server)
        answers = [
            ask(server, **team),
            ask(server, body={"messages": HI, "stream": False, "n": -1}, **team),
            ask(server),
            ask(server, "GET", "/nothing", **team),
            ask(server, "PATCH", **team),
            ask(server, "GET", "/health"),
        ]
        assert [status for status, _, _ in answers] == [200, 400, 401, 404, 405, 200]
        assert len({headers["x-request-id"] for _, headers, _ in answers}) == len(answers)
        _, headers, _ = post(server, {"messages": HI, "stream": True}, **team)
        assert len(headers["x-request-id"]) == 32


def test_an_answer_leaves_nothing_for_the_collector(serving):
    """Which would hold up whoever comes while it collects."""

    def left():
        gone = {"Exchange", "_Journey", "HeldStream", "Row"}
        return [each for each in gc.get_objects() if type(each).__name__ in gone]

    with serving(ScriptedEngine(HELLO)) as server:
        post(server, {"messages": HI})
        gc.collect()
        before = len(left())
        gc.disable()
        try:
            for stream in (False, True, False):
                assert post(server, {"messages": HI, "stream": stream})[0] == 200
            wait_until(lambda: len(left()) <= before)
        finally:
            gc.enable()


def test_a_watcher_that_fails_keeps_no_other_from_being_told(caplog):
    def fails(exchange):
        raise ValueError("oops")

    async def answer(scope, receive, send):
        pass

    async def ask_once(told):
        service = SimpleNamespace(enter=lambda: None, leave=lambda: None, draining=False)
        front = Front(answer, service=service, templates={}, watchers=[fails, told.append])
        await front({"type": "http", "method": "GET", "path": "/", "headers": []}, None, None)
        await anyio.lowlevel.checkpoint()

    told = []
    anyio.run(ask_once, told)
    assert [exchange.path for exchange in told] == ["/"]
    assert "oops" in caplog.text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("req_0123-abc.DEF", "req_0123-abc.DEF"),
        ("x" * 500, "x" * 128),
        ('a"b\\c d{e}', "abcde"),
    ],
)
def test_the_callers_own_id_is_kept_without_what_might_confuse_a_log(serving, given, kept):
    with serving(ScriptedEngine(HELLO)) as server:
        assert ask(server, x_request_id=given)[1]["x-request-id"] == kept
        assert len(ask(server, x_request_id='"{}"')[1]["x-request-id"]) == 32


def stopped(server):
    """Stop it, without waiting for it."""
    threading.Thread(target=server.stop).start()


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_stops_lets_answers_end_and_lets_nobody_in(serving, stream):
    engine = ScriptedEngine(SLOW)
    with serving(engine) as server:
        answers = []
        body = {"messages": HI, "stream": stream}
        asking = threading.Thread(target=lambda: answers.append(post(server, body)))
        asking.start()
        wait_until(lambda: engine.requests)
        assert ask(server, "GET", "/ready")[0] == 200
        stopped(server)
        wait_until(lambda: ask(server, "GET", "/ready")[0] == 503)
        assert ask(server, "GET", "/ready")[2] == {"status": "draining"}
        assert ask(server, "GET", "/health")[0] == 200
        for path, kind in (("/v1/chat/completions", "server_error"), ("/v1/messages", "overloaded_error")):
            status, headers, refused = ask(server, path=path)
            assert status == 503
            assert headers["retry-after"] == "5"
            assert headers["connection"] == "close"
            assert refused["error"]["type"] == kind
        asking.join(5)
        ((status, _, answer),) = answers
        assert status == 200
        assert (b"[DONE]" in answer) if stream else json.loads(answer)["choices"][0]["message"]["content"]


def test_who_does_not_end_in_time_is_cut_off(serving):
    engine = ScriptedEngine([TextDelta("Hel"), 60.0, *HELLO])
    with serving(engine, server__drain_s=0.2) as server:
        body = json.dumps({"messages": HI, "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(head.encode() + body)
            wait_until(lambda: engine.requests)
            began = time.monotonic()
            stopped(server)
            while sock.recv(65536):
                pass
            assert time.monotonic() - began < 5
        wait_until(lambda: engine.closed == 1)


def test_an_idle_server_stops_at_once(serving):
    with serving(ScriptedEngine(HELLO), server__drain_s=30) as server:
        assert ask(server)[0] == 200
        began = time.monotonic()
    assert time.monotonic() - began < 3
