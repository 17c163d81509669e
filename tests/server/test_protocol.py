"""HTTP that is malformed, too much or too slow, over raw sockets; each time the next request works."""

import json
import socket
import time
from contextlib import closing, contextmanager

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server import protocol
from tests.server.test_chat import HI, post, wait_until

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]
LOUD = [*[TextDelta("x" * 60_000)] * 2000, Finish("stop", Usage(1, 1))]
BODY = json.dumps({"messages": HI}).encode()


SIZE = len(BODY)


def head(length=SIZE, *more, path="/v1/chat/completions"):
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@contextmanager
def connected(server):
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as sock:
        yield sock


def said(sock):
    """All that the server says until it hangs up."""
    pieces = []
    try:
        while piece := sock.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def talk_on(sock, pause_s):
    for _ in range(1000):
        sock.sendall(b"x" * 1024)
        time.sleep(pause_s)


def status(answer):
    return int(answer.split(b" ", 2)[1])


def error(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


@pytest.fixture
def server(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        yield server
        assert post(server, {"messages": HI})[0] == 200


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_an_error_of_ours_and_the_connection_ends(server, nonsense):
    with connected(server) as sock:
        sock.sendall(nonsense)
        answer = said(sock)
    assert status(answer) == 400
    assert error(answer)["type"] == "invalid_request_error"
    assert b"connection: close" in answer.lower()


def test_a_chunk_that_is_none_ends_the_request(server):
    with connected(server) as sock:
        sock.sendall(head().replace(b"Content-Length: %d" % SIZE, b"Transfer-Encoding: chunked"))
        sock.sendall(b"zz\r\n")
        assert status(said(sock)) == 400


def test_headers_have_a_size_and_a_number(server):
    for more in (["X: " + "x" * 70_000], [f"X-{n}: x" for n in range(300)], ["X: " + "x" * 300_000]):
        with connected(server) as sock:
            sock.sendall(head(SIZE, *more) + BODY)
            answer = said(sock)
        assert status(answer) == 431
        assert "headers" in error(answer)["message"]
    with connected(server) as sock:
        sock.sendall(head(SIZE, *[f"X-{n}: {'x' * 300}" for n in range(100)], "Connection: close") + BODY)
        assert status(said(sock)) == 200


def test_a_head_without_end_is_cut_off(server):
    with connected(server) as sock:
        sock.sendall(b"GET /")
        with pytest.raises(OSError):
            talk_on(sock, pause_s=0)


def test_a_large_body_in_many_headers_worth_of_bytes_is_no_large_head(server):
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 300_000}]}).encode()
    with connected(server) as sock:
        sock.sendall(head(len(body), "Connection: close") + body)
        assert status(said(sock)) == 200


def test_requests_may_follow_each_other_on_one_connection_even_at_once(server):
    with connected(server) as sock:
        sock.sendall((head() + BODY) * 3 + head(SIZE, "Connection: close") + BODY)
        assert said(sock).count(b"HTTP/1.1 200 OK") == 4


def test_a_head_that_comes_too_slowly_is_a_408(server, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)
    with connected(server) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost:")
        answer = said(sock)
    assert (status(answer), error(answer)["code"]) == (408, "request_too_slow")


def test_a_body_that_comes_too_slowly_is_a_408_in_the_apis_shape(serving):
    with serving(ScriptedEngine(HELLO), server__body_timeout_s=0.2) as server:
        for path in ("/v1/chat/completions", "/v1/messages"):
            with connected(server) as sock:
                sock.sendall(head(1000, path=path) + b'{"mess')
                answer = said(sock)
            assert status(answer) == 408
            assert error(answer)["code"] == "request_too_slow"
        assert post(server, {"messages": HI})[0] == 200


def test_who_is_answered_and_goes_on_talking_is_cut_off(serving):
    with serving(ScriptedEngine(HELLO), server__body_timeout_s=0.2) as server, connected(server) as sock:
        sock.sendall(head(10**9, path="/v1/nothing"))
        assert status(sock.recv(65536)) == 404
        with pytest.raises(OSError):
            talk_on(sock, pause_s=0.05)


def test_an_idle_connection_ends(serving):
    with serving(ScriptedEngine(HELLO), server__keep_alive_s=1) as server:
        with connected(server) as sock:
            assert said(sock) == b""
        with connected(server) as sock:
            sock.sendall(head() + BODY)
            assert status(said(sock)) == 200


def test_a_client_that_reads_nothing_loses_its_slot(serving):
    engine = ScriptedEngine(LOUD)
    with (
        serving(engine, server__write_timeout_s=0.3) as server,
        closing(socket.socket()) as sock,
    ):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", server.port))
        body = json.dumps({"messages": HI, "stream": True}).encode()
        sock.sendall(head(len(body)) + body)
        wait_until(lambda: engine.requests)
        wait_until(lambda: engine.closed == 1)
        assert post(server, {"messages": HI, "max_tokens": 1}, "/v1/nothing")[0] == 404


def test_a_client_that_reads_slowly_is_waited_for(serving):
    script = [*[TextDelta("x" * 60_000)] * 40, Finish("stop", Usage(1, 1))]
    with serving(ScriptedEngine(script), server__write_timeout_s=1) as server, connected(server) as sock:
        body = json.dumps({"messages": HI, "stream": True}).encode()
        sock.sendall(head(len(body), "Connection: close") + body)
        answer = bytearray()
        while piece := sock.recv(100_000):
            answer += piece
            time.sleep(0.01)
        assert b"[DONE]" in answer


@pytest.mark.parametrize("sent", [head(), head() + BODY[:5], head() + BODY])
def test_a_half_closed_connection_holds_no_slot(serving, sent):
    engine = ScriptedEngine([TextDelta("Hel"), 60.0, *HELLO])
    with serving(engine) as server:
        with connected(server) as sock:
            sock.sendall(sent)
            if sent.endswith(BODY):
                wait_until(lambda: engine.requests)
            sock.shutdown(socket.SHUT_WR)
            assert said(sock) == b""
        wait_until(lambda: engine.closed == len(engine.requests))


def test_one_connection_too_many_is_told_to_come_back(serving):
    with serving(ScriptedEngine(HELLO), server__max_connections=2) as server:
        with connected(server) as first, connected(server) as second:
            for sock in (first, second):
                sock.sendall(head() + BODY)
                assert status(sock.recv(65536)) == 200
            with connected(server) as third:
                third.sendall(head(path="/v1/messages") + BODY)
                answer = said(third)
            assert status(answer) == 503
            assert b"retry-after: 1" in answer.lower()
            assert error(answer)["type"] == "overloaded_error"
        wait_until(lambda: post(server, {"messages": HI})[0] == 200)
