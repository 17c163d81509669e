"""A scripted upstream on loopback: it says, or leaves unsaid, exactly what a test wants of a model's server.

    with Upstream(status(429, {"error": {"message": "slow down"}}), answer("Paris.")) as upstream:
        ...  # the first request is refused, all that follow are answered
        upstream.url           # http://127.0.0.1:PORT/v1
        upstream.requests[0]   # what came: method, target, headers, body
        upstream.left.wait(1)  # whether the client hung up on a reply that wasn't at its end

A reply is a sequence of steps: bytes to send, seconds to wait, and `SILENCE` or `RESET` where the answer ends
in one. The functions below write the common ones; ``[*stream(chunk("Par")), RESET]`` writes an odd one. Where
what is said depends on what came, a function of the request stands for its reply.
It runs in a thread of its own, so that tests without an event loop can use it too.
"""

import asyncio
import json
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum
from http.client import responses
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Self


class End(Enum):
    """How a reply may end, other than well."""

    SILENCE = "says nothing more, and keeps the connection open until the client hangs up"
    RESET = "breaks the connection"
    CLOSE = "closes the connection, whatever was promised"


SILENCE, RESET, CLOSE = End.SILENCE, End.RESET, End.CLOSE

Step = bytes | float | End
Reply = Sequence[Step]


@dataclass(frozen=True)
class Received:
    """A request as it came. Names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Upstream:
    """A server that gives its replies in order, one a request, and the last one to all that follow."""

    def __init__(self, *replies: Reply | Callable[[Received], Reply]) -> None:
        self._replies = list(replies)
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: set[asyncio.Task[None]] = set()
        self.requests: list[Received] = []
        self.connections = 0
        self.left = threading.Event()
        self.url = ""

    @property
    def origin(self) -> str:
        """The address without the version."""
        return self.url.removesuffix("/v1")

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await asyncio.sleep(0)  # transports close one turn of the loop later

    def _next(self, request: Received) -> Reply:
        with self._lock:
            self.requests.append(request)
            reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return reply(request) if callable(reply) else reply

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._open.add(task)
        self.connections += 1
        with closing(writer), suppress(ConnectionError, asyncio.CancelledError):
            while (request := await _read(reader)) is not None:
                if not await self._give(self._next(request), reader, writer):
                    break
        self._open.discard(task)

    async def _give(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Play a reply; return whether the connection can carry another request."""
        gone = asyncio.ensure_future(_hung_up(reader))
        play = asyncio.ensure_future(_play(reply, writer))
        try:
            await asyncio.wait({gone, play}, return_when=asyncio.FIRST_COMPLETED)
            if not play.done():
                self.left.set()
                return False
            return play.result()
        finally:
            gone.cancel()
            play.cancel()
            await asyncio.gather(gone, play, return_exceptions=True)


async def _play(reply: Reply, writer: asyncio.StreamWriter) -> bool:
    for step in reply:
        match step:
            case bytes():
                writer.write(step)
                await writer.drain()
            case End.SILENCE:
                await asyncio.Event().wait()
            case End.RESET:
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case End.CLOSE:
                return False
            case _:
                await asyncio.sleep(step)
    return True


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    method, target, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, target, headers, body)


async def _hung_up(reader: asyncio.StreamReader) -> None:
    """Wait for the client's end of the connection to close, leaving what it sent where it is."""
    while not reader.at_eof() and reader.exception() is None:
        await asyncio.sleep(0.005)


# ---------------------------------------------------------------- replies


def status(
    code: int,
    body: Any = None,
    headers: dict[str, str] | None = None,
    *,
    media_type: str = "application/json",
) -> Reply:
    """A whole answer with a length; ``body`` is text, or becomes JSON."""
    payload = (body if isinstance(body, str) else json.dumps(body)).encode()
    fields = {"Content-Type": media_type, "Content-Length": str(len(payload))} | (headers or {})
    return [_head(code, fields) + payload]


def redirect(to: str, code: int = 307) -> Reply:
    """Elsewhere."""
    return status(code, "", {"Location": to})


def stream(*payloads: dict[str, Any] | str | bytes, done: bool = True) -> Reply:
    """The beginning of a stream: events with these payloads (JSON or text), or, as bytes, raw pieces.

    ``done`` ends it as it should end: ``[DONE]``, and the end of the body.
    """
    fields = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
    pieces = [each if isinstance(each, bytes) else event(each) for each in payloads]
    end = [piece(event("[DONE]")), piece(b"")] if done else []
    return [_head(200, fields), *map(piece, pieces), *end]


def answer(text: str = "Paris.", **parameters: Any) -> Reply:
    """A whole streamed answer, a chunk a word, with usage."""
    words = text.replace(" ", "\0 ").split("\0")
    usage = {"prompt_tokens": 10, "completion_tokens": len(words)}
    return stream(
        *(chunk(word, **parameters) for word in words), chunk(finish="stop"), {"choices": [], "usage": usage}
    )


def chunk(text: str | None = None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of the first choice; ``more`` goes beside its delta."""
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish} | more]}


def event(payload: dict[str, Any] | str) -> bytes:
    """A server-sent event."""
    return f"data: {payload if isinstance(payload, str) else json.dumps(payload)}\n\n".encode()


def piece(content: bytes) -> bytes:
    """A piece of a body of unknown length; the empty one ends it."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def _head(code: int, fields: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {code} {responses.get(code, 'Its Own')}",
        *(f"{name}: {text}" for name, text in fields.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
