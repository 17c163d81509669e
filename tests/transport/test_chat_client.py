import asyncio
import gzip
import logging
import socket
import traceback
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest

from isthmus.messages import Finish, TextDelta, Usage
from isthmus.settings import Secret
from isthmus.transport import chat_client
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.wire.sse import EventReader
from tests.upstream import (
    CLOSE,
    RESET,
    SILENCE,
    Upstream,
    answer,
    chunk,
    event,
    piece,
    redirect,
    status,
    stream,
)

pytestmark = pytest.mark.anyio

KEY = "sk-very-secret"
BEGUN = stream(chunk("Par"), done=False)
ENDED = chunk(finish="stop")


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@asynccontextmanager
async def client(address, **parameters):
    client = ChatClient(address, key=Secret(KEY), **{"stall_timeout_s": 5.0} | parameters)
    try:
        async with asyncio.timeout(20):  # a deadline that doesn't work must not hang the tests
            yield client
    finally:
        await client.close()


async def ask(address, *, choices=1, **parameters):
    """The events of one call."""
    async with client(address, **parameters) as caller:
        return [event async for event in caller.stream(b'{"model": "m"}', choices)]


async def failure(address, **parameters):
    """The events of one call up to the error that it ends in, and that error."""
    events = []
    async with client(address, **parameters) as caller:
        try:
            async for event in caller.stream(b"{}"):
                events.append(event)  # noqa: PERF401 - those before the error count
        except UpstreamError as error:
            return events, error
    return pytest.fail(f"it came to a whole answer: {events}")


# ---------------------------------------------------------------- what goes well


async def test_a_question_and_its_answer():
    with Upstream(answer("The capital is Paris.")) as upstream:
        events = await ask(upstream.url + "/", headers={"X-Own": "1"})
    assert "".join(event.text for event in events[:-1]) == "The capital is Paris."
    assert events[-1] == Finish("stop", Usage(10, 4))
    (request,) = upstream.requests
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert request.json == {"model": "m"}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-own"] == "1"


async def test_without_a_key_none_is_sent():
    with Upstream(answer()) as upstream:
        caller = ChatClient(upstream.url)
        assert [event async for event in caller.stream(b"{}")][-1].reason == "stop"
        await caller.close()
    assert "authorization" not in upstream.requests[0].headers


async def test_a_connection_is_used_again():
    with Upstream(answer()) as upstream:
        async with client(upstream.url) as caller:
            for _ in range(3):
                assert [event async for event in caller.stream(b"{}")]
            await caller.close()
            assert [event async for event in caller.stream(b"{}")]  # a closed client opens again
    assert (len(upstream.requests), upstream.connections) == (4, 2)


async def test_a_stream_that_is_kept_open_after_its_end_is_whole():
    with Upstream([*stream(chunk("Paris."), ENDED, "[DONE]", done=False), SILENCE]) as upstream:
        events = await ask(upstream.url)
    assert events == [TextDelta("Paris."), Finish("stop")]


async def test_a_stream_without_done_is_whole_if_its_choices_are():
    with Upstream([*stream(chunk("Paris."), ENDED, done=False), piece(b"")]) as upstream:
        assert await ask(upstream.url) == [TextDelta("Paris."), Finish("stop")]


async def test_signs_of_life_count():
    alive = [part for _ in range(4) for part in (0.15, piece(b": alive\n\n"))]
    with Upstream([*BEGUN, *alive, *stream(ENDED)[1:]]) as upstream:
        assert (await ask(upstream.url, stall_timeout_s=0.4))[-1] == Finish("stop")


async def test_a_long_beginning_may_take_longer_than_a_silence_in_the_middle():
    for slow in ([0.5, *answer()], [answer()[0], 0.5, *answer()[1:]]):
        with Upstream(slow) as upstream:
            assert await ask(upstream.url, first_byte_timeout_s=5.0, stall_timeout_s=0.2)


async def test_one_may_take_ones_time_over_the_events():
    with Upstream(answer("a b c")) as upstream:
        async with client(upstream.url, stall_timeout_s=0.2) as caller:
            async for _ in caller.stream(b"{}"):
                await asyncio.sleep(0.1)


async def test_a_document_is_fetched_with_the_key():
    with Upstream(status(200, {"data": []}), status(500, {"error": "sorry"})) as upstream:
        async with client(upstream.url) as caller:
            assert await caller.get("/models") == {"data": []}
            with pytest.raises(UpstreamError, match="sorry"):
                await caller.get("/models")
    assert upstream.requests[0].target == "/v1/models"
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_something_is_done_elsewhere_without_more_words():
    with Upstream(status(200, {"loaded": True}), status(429, {"error": "busy"})) as upstream:
        async with client(upstream.url) as caller:
            assert await caller.post("/models/a%2Fb/load") == {"loaded": True}
            with pytest.raises(UpstreamError, match="busy"):
                await caller.post("/models/a%2Fb/load")
    asked = upstream.requests[0]
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/models/a%2Fb/load", b"")
    assert asked.headers["authorization"] == f"Bearer {KEY}"


# ---------------------------------------------------------------- what doesn't


async def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    events, error = await failure(f"http://127.0.0.1:{port}/v1")
    assert (events, error.kind, error.message) == ([], "unreachable", "connection refused")


async def test_nobody_picks_up():
    # A full backlog: the kernel drops what comes, as a dead host would.
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        _, error = await failure(f"http://127.0.0.1:{address[1]}/v1", connect_timeout_s=0.2)
        for each in waiting:
            each.close()
    assert error.kind == "unreachable"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, "rejected"),
        (401, "rejected"),
        (403, "rejected"),
        (404, "rejected"),
        (408, "timeout"),
        (422, "rejected"),
        (429, "overloaded"),
        (500, "failed"),
        (502, "failed"),
        (503, "overloaded"),
        (504, "timeout"),
        (524, "timeout"),
        (529, "overloaded"),
    ],
)
async def test_a_status_that_says_no(code, kind):
    said = {"message": "not like this", "type": "x", "code": "why"}
    with Upstream(status(code, {"error": said})) as upstream:
        events, error = await failure(upstream.url)
    assert (events, error.kind, error.status) == ([], kind, code)
    assert (error.message, error.detail) == ("not like this", said)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "9", "Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
        ({"Retry-After": "in a while"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "\xb2"}, None),
        ({}, None),
    ],
)
async def test_an_upstream_says_how_long_to_wait(headers, seconds):
    with Upstream(status(429, {}, headers)) as upstream:
        _, error = await failure(upstream.url)
    assert (error.kind, error.retry_after_s) == ("overloaded", seconds)


async def test_a_date_to_come_is_so_many_seconds_away():
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    with Upstream(status(429, {}, {"Retry-After": at})) as upstream:
        _, error = await failure(upstream.url)
    assert 25 < error.retry_after_s <= 30


async def test_a_query_of_the_address_stays_behind_the_path_and_a_key_may_have_its_own_header():
    with Upstream(answer()) as upstream:
        address = upstream.url + "/deployments/big?api-version=2024-10-21"
        events = await ask(address, key_header="api-key")
    assert events
    assert upstream.requests[0].target == ("/v1/deployments/big/chat/completions?api-version=2024-10-21")
    assert upstream.requests[0].headers["api-key"] == KEY
    assert "authorization" not in upstream.requests[0].headers


async def test_a_body_that_comes_compressed_unasked_is_read_all_the_same():
    plain = b"".join(event(each) for each in (chunk("Paris."), chunk(finish="stop"), "[DONE]"))
    squeezed = gzip.compress(plain)
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
        + f"Content-Length: {len(squeezed)}\r\n\r\n".encode()
    )
    with Upstream([head + squeezed[:20], 0.02, squeezed[20:]]) as upstream:
        events = await ask(upstream.url, compressed=True)
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == "Paris."


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, "no"),
        ({"message": "no", "object": "error"}, "no"),
        ({"error": {"message": None}}, "it answered with status 500"),
        ({"detail": []}, "it answered with status 500"),
        ([], "it answered with status 500"),
        ("no\n  means no", "no means no"),
        ("", "it answered with status 500"),
        ("<html><h1>502 Bad Gateway</h1></html>", "it answered with status 500"),
        ([{"error": {"code": 400, "message": "no"}}], "no"),
        ("[" * 60_000, "[" * 500),
        ("no" * 60_000, "no" * 250),
    ],
    ids=range(12),
)
async def test_servers_differ_in_how_they_say_why(said, message):
    with Upstream(status(500, said)) as upstream:
        _, error = await failure(upstream.url)
    assert error.message == message


async def test_a_refusal_that_comes_in_pieces_is_read_to_its_end():
    whole = status(400, {"error": {"message": "too long", "code": "context_length_exceeded"}})[0]
    with Upstream([whole[:-30], 0.05, whole[-30:]]) as upstream:
        _, error = await failure(upstream.url)
    assert error.detail["code"] == "context_length_exceeded"


async def test_a_refusal_that_never_ends_is_still_one():
    with Upstream([status(401, {"error": "no"})[0][:-3], SILENCE]) as upstream:
        _, error = await failure(upstream.url)
    assert (error.kind, error.status) == ("rejected", 401)


@pytest.mark.parametrize(
    ("reply", "text", "kind", "message"),
    [
        ([SILENCE], "", "timeout", "it was silent for too long"),
        ([*BEGUN, SILENCE], "Par", "timeout", "it was silent for too long"),
        ([BEGUN[0], SILENCE], "", "timeout", "it was silent for too long"),
        ([RESET], "", "cut", "the connection broke (connection reset by peer)"),
        ([CLOSE], "", "cut", "the connection broke (Server disconnected)"),
        ([*BEGUN, CLOSE], "Par", "cut", "the connection broke before the end of the answer"),
        ([*BEGUN, RESET], "Par", "cut", "the connection broke before the end of the answer"),
        (stream(chunk("Par")), "Par", "cut", "its stream ended before its answer did"),
        ([*BEGUN, piece(b"")], "Par", "cut", "its stream ended before its answer did"),
        (stream(), "", "cut", "its stream ended before its answer did"),
        (stream(chunk("Par"), {"error": {"message": "it burns"}}), "Par", "failed", "it burns"),
        (
            stream(chunk("Par"), {"error": {}}),
            "Par",
            "failed",
            "it reported an error without a word",
        ),
        (stream(chunk("Par"), chunk(finish="error")), "Par", "failed", "it broke off (error)"),
        (stream(chunk("Par"), "not JSON"), "Par", "garbled", "it sent something that is not its API's JSON"),
        (stream(b'data: "\xff"\n\n'), "", "garbled", "it sent something that is not its API's JSON"),
        (stream('{"x": ' + "[" * 100_000), "", "garbled", "it sent something that is not its API's JSON"),
        (
            status(200, "<html>Log in</html>", media_type="text/html"),
            "",
            "garbled",
            "it answered with text/html",
        ),
        (status(200, {"choices": []}), "", "garbled", "it answered with application/json, not a stream"),
        (status(200, {"error": {"message": "no credit"}}), "", "failed", "no credit"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n", CLOSE], "", "garbled", "it doesn't speak HTTP as it should"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", CLOSE], "", "garbled", "it doesn't speak HTTP"),
    ],
    ids=range(21),
)
async def test_a_call_that_comes_to_nothing(reply, text, kind, message):
    with Upstream(reply) as upstream:
        events, error = await failure(upstream.url, first_byte_timeout_s=0.3, stall_timeout_s=0.3)
    assert "".join(event.text for event in events) == text
    assert error.kind == kind
    assert error.message.startswith(message)


async def test_an_event_without_end_is_not_kept(monkeypatch):
    monkeypatch.setattr(chat_client, "EventReader", partial(EventReader, limit=1000))
    with Upstream(stream(b"data: " + b"x" * 2000)) as upstream:
        _, error = await failure(upstream.url)
    assert error.kind == "garbled"
    assert "longer than 1000 bytes" in error.message


# ---------------------------------------------------------------- hanging up


@pytest.mark.parametrize(
    "reply", [[*BEGUN, SILENCE], [*BEGUN, *[0.01, piece(b": more\n\n")] * 1000]], ids=range(2)
)
async def test_closing_the_iterator_hangs_up_at_once(reply):
    with Upstream(reply) as upstream:
        async with client(upstream.url) as caller:
            async with aclosing(caller.stream(b"{}")) as events:
                assert await anext(events) == TextDelta("Par")
                assert not upstream.left.is_set()
            assert await asyncio.to_thread(upstream.left.wait, 0.5)


async def test_cancelling_before_the_answer_hangs_up_at_once():
    with Upstream([SILENCE]) as upstream:
        async with client(upstream.url) as caller:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(caller.stream(b"{}"))
            assert await asyncio.to_thread(upstream.left.wait, 0.5)


# ---------------------------------------------------------------- where a key goes, and where it doesn't


async def test_a_redirect_is_not_followed():
    with Upstream(answer()) as elsewhere:
        for code in (301, 302, 307, 308):
            with Upstream(redirect(elsewhere.url + "/chat/completions", code)) as upstream:
                _, error = await failure(upstream.url)
                assert (error.kind, error.status) == ("rejected", code)
                assert "redirects" in error.message
                async with client(upstream.url) as caller:
                    with pytest.raises(UpstreamError, match="redirects"):
                        await caller.get("/models")
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        status(401, {"error": {"message": f"{KEY} is not a key", "param": KEY}}),
        status(401, f"{KEY} is not a key"),
        status(200, {"error": f"{KEY} is not a key"}),
        stream({"error": {"message": f"{KEY} is not a key"}}),
        [b"garbage\r\n\r\n", CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", CLOSE],
        [RESET],
        [SILENCE],
    ],
    ids=range(8),
)
async def test_the_key_is_never_shown(reply, caplog):
    caplog.set_level(logging.DEBUG)
    with Upstream(reply) as upstream:
        async with client(upstream.url, first_byte_timeout_s=0.2) as caller:
            with pytest.raises(UpstreamError) as caught:
                async for _ in caller.stream(b"{}"):
                    pass
            error = caught.value
            shown = [repr(caller), str(vars(error)), repr(error), repr(error.__cause__), caplog.text]
            shown += traceback.format_exception(error)
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert not [text for text in shown if KEY in text]


PROXY_NAMES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY")


async def test_the_proxies_of_the_environment_are_not_for_what_is_local(monkeypatch, no_proxies):
    with Upstream(answer()) as upstream, Upstream(status(500)) as proxy:
        for name in PROXY_NAMES:
            monkeypatch.setenv(name, proxy.origin)
        assert await ask(upstream.url)
    assert proxy.requests == []


async def test_the_proxies_of_the_environment_are_used_where_that_is_wanted(monkeypatch, no_proxies):
    with Upstream(answer()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin.replace("//", "//me:pw@"))
        assert await ask("http://hosted.invalid/v1", proxies=True)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with Upstream(answer()) as upstream:
            assert await ask(upstream.url, proxies=True)
    (request,) = proxy.requests
    assert request.target == "http://hosted.invalid/v1/chat/completions"
    assert request.headers["proxy-authorization"] == "Basic bWU6cHc="
    assert len(upstream.requests) == 1


async def test_a_proxy_that_refuses_lets_nothing_out(monkeypatch, no_proxies):
    with Upstream(status(407)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.origin)
        _, error = await failure("https://hosted.invalid/v1", proxies=True)
    assert (error.kind, error.message) == ("unreachable", "the proxy answered with status 407")
    (request,) = proxy.requests
    assert (request.method, request.target, request.body) == ("CONNECT", "hosted.invalid:443", b"")
    assert "authorization" not in request.headers


async def test_passwords_of_other_programs_stay_where_they_are(monkeypatch, no_proxies, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Upstream(answer()) as upstream:
        assert await ask(upstream.url, proxies=True)
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
