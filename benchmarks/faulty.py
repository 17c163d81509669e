"""A scripted provider that fails in every way that providers do, by a seeded chance, and keeps its own books.

Its right answer to a question is known beforehand, word for word, so that a cut one can be told from a whole
one. What it would bill is counted from its side: every token of every request on which it began to work,
whether or not anybody heard the end.
"""

import asyncio
import gzip
import json
import random
import re
import struct
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from socket import SO_LINGER, SOL_SOCKET

WORDS = 6
INPUT_USD, OUTPUT_USD = Decimal("0.000002"), Decimal("0.00001")
"""Dollars for a token."""

FAULTS = (
    "overloaded",  # 429, and when to come back, in seconds
    "overloaded until",  # 429, and when to come back, as a date
    "unavailable",  # 503
    "broken",  # 500, with a web page
    "busy",  # 529
    "gateway",  # 504: who stands behind it goes on and bills
    "bad request",  # 400
    "hangs up",  # the connection closes before a word
    "resets",  # the same, rudely
    "silent",  # nothing comes
    "page",  # 200, and a web page
    "whole",  # 200, and JSON where a stream was asked for
    "garbage",  # no HTTP at all
    "error first",  # an error object as the first event
    "error midway",  # an error object between two words
    "cut",  # the body ends between two words, properly
    "cut rudely",  # the connection breaks between two words
    "stalls",  # nothing more comes after some words
    "not JSON",  # half an event
    "gives up",  # finish_reason: error
)
ODD = (
    "no end mark",  # no [DONE]
    "usage early",  # before the last word
    "no usage",
    "comments",  # and empty choices, and event: lines
    "compressed",  # gzip, unasked
    "in crumbs",  # byte by byte
)
"""What isn't a fault, and is met all the same."""


def right_answer(question):
    """What it says to a question that it doesn't fail at."""
    return f"{question} " + " ".join(f"word{number}" for number in range(WORDS)) + " END"


class Provider:
    """One server on loopback.

    Args:
        seed: Of its chance.
        share: Of the requests that it fails at.
    """

    def __init__(self, seed, share):
        self._chance = random.Random(seed)
        self._share = share
        self._tasks = set()
        self.faults = Counter()
        self.odd = Counter()
        self.answers = 0
        self.billed_usd = Decimal(0)
        self.url = ""

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1])
                body = json.loads(await reader.readexactly(length))
                if not await self._answer(body["messages"][-1]["content"], writer):
                    break
        self._tasks.discard(asyncio.current_task())
        writer.close()

    async def _answer(self, question, writer):
        """Play one reply; whether the connection can carry another."""
        if self._chance.random() < self._share:
            kind = self._chance.choice(FAULTS)
            self.faults[kind] += 1
            return await self._fail(kind, question, writer)
        kind = self._chance.choice((*ODD, *[None] * len(ODD)))
        if kind:
            self.odd[kind] += 1
        self.answers += 1
        await self._give(kind, question, writer)
        return True

    def _bill(self, question, words):
        prompt = len(question) // 4 + 10
        self.billed_usd += prompt * INPUT_USD + words * OUTPUT_USD
        return {"prompt_tokens": prompt, "completion_tokens": words, "total_tokens": prompt + words}

    async def _fail(self, kind, question, writer):
        refusals = {
            "overloaded": (429, {"Retry-After": "0.2"}),
            "overloaded until": (
                429,
                {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)},
            ),
            "unavailable": (503, {}),
            "busy": (529, {}),
            "bad request": (400, {}),
        }
        if kind in refusals:
            status, headers = refusals[kind]
            writer.write(_whole(status, json.dumps({"error": {"message": kind}}), headers))
            return True
        match kind:
            case "broken":
                writer.write(_whole(500, "<html>Oh no</html>", media_type="text/html"))
                return True
            case "garbage":
                writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
                return False
            case "hangs up":
                return False
            case "resets":
                _reset(writer)
                return False
        self._bill(question, WORDS)  # it works on these, whatever is heard of it
        match kind:
            case "gateway":
                writer.write(_whole(504, "<html>Gateway time-out</html>", media_type="text/html"))
                return True
            case "silent":
                await asyncio.sleep(60)
                return False
            case "page":
                writer.write(_whole(200, "<html>Please sign in</html>", media_type="text/html"))
                return True
            case "whole":
                writer.write(_whole(200, json.dumps({"choices": [{"message": {"content": "x"}}]})))
                return True
        return await self._break(kind, question, writer)

    async def _break(self, kind, question, writer):
        """Begin to answer, and fail at it."""
        writer.write(_head())
        if kind != "error first":
            words = right_answer(question).split(" ")
            for word in words[: self._chance.randrange(1, len(words) - 1)]:
                writer.write(_piece(_event(_chunk(word + " "))))
                await writer.drain()
                await asyncio.sleep(0.002)
        match kind:
            case "error first" | "error midway":
                writer.write(_piece(_event({"error": {"message": "it broke"}})) + _piece(b""))
            case "cut":
                writer.write(_piece(b""))
            case "cut rudely":
                await writer.drain()
                _reset(writer)
                return False
            case "stalls":
                await asyncio.sleep(60)
                return False
            case "not JSON":
                writer.write(_piece(b'data: {"choices": [{"de\n\n') + _piece(b""))
            case "gives up":
                writer.write(
                    _piece(_event(_chunk(None, "error"))) + _piece(b"data: [DONE]\n\n") + _piece(b"")
                )
        return True

    async def _give(self, kind, question, writer):
        usage = self._bill(question, WORDS)
        words = right_answer(question).split(" ")
        events = [_event(_chunk(word if not number else " " + word)) for number, word in enumerate(words)]
        end = [_event(_chunk(None, "stop"))]
        told = [] if kind == "no usage" else [_event({"choices": [], "usage": usage})]
        if kind == "usage early":
            events[-1:-1], told = told, []
        if kind == "comments":
            events = [b": still here\n\n", b"event: message\n", *events, _event({"choices": []})]
        body = b"".join([*events, *end, *told, *([] if kind == "no end mark" else [b"data: [DONE]\n\n"])])
        if kind == "compressed":
            writer.write(_head("Content-Encoding: gzip") + _piece(gzip.compress(body)) + _piece(b""))
            return
        writer.write(_head())
        size = 7 if kind == "in crumbs" else 4096
        for begin in range(0, len(body), size):
            writer.write(_piece(body[begin : begin + size]))
            await writer.drain()
        writer.write(_piece(b""))


def _chunk(text, finish=None):
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _event(payload):
    return f"data: {json.dumps(payload)}\n\n".encode()


def _piece(content):
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def _head(*more):
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _whole(status, body, headers=None, media_type="application/json"):
    fields = {"Content-Type": media_type, "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()


def _reset(writer):
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
