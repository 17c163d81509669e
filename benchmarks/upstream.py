"""A scripted upstream: it answers Chat Completions at once, so that only what stands before it is measured.

    python -m benchmarks.upstream PORT

A streamed answer has as many chunks as the model's name says (``chunks-50``), written to the socket at
once; a whole one has their text; the model ``silent`` begins a stream and says no more. It speaks HTTP as
far as the two gateways and `wrk` need it.
"""

import asyncio
import json
import re
import sys

import uvloop

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "and",
    "runs",
    "far",
    "into",
    "the",
    "old",
    "dark",
    "wood",
]
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CHUNKS = re.compile(rb'"chunks-(\d+)"')


def text(chunks):
    """What an answer of so many chunks says."""
    return [WORDS[number % len(WORDS)] + " " for number in range(chunks)]


def _chunk(**changes):
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    return b"data: " + json.dumps({**chunk, **changes}).encode() + b"\n\n"


def _choice(delta, finish=None):
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


def streamed(chunks):
    """The body of a streamed answer."""
    usage = {"prompt_tokens": 12, "completion_tokens": chunks, "total_tokens": 12 + chunks}
    pieces = [_chunk(choices=_choice({"role": "assistant", "content": ""}))]
    pieces += [_chunk(choices=_choice({"content": word})) for word in text(chunks)]
    pieces += [_chunk(choices=_choice({}, "stop")), _chunk(choices=[], usage=usage), b"data: [DONE]\n\n"]
    return b"".join(pieces)


def whole(chunks):
    """The body of a whole answer."""
    message = {"role": "assistant", "content": "".join(text(chunks))}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": chunks, "total_tokens": 12 + chunks},
        }
    ).encode()


ANSWERS: dict[tuple[int, bool], bytes] = {}


class Scripted(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport):
        self._transport = transport
        self._buffer = b""

    def data_received(self, data):
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if not end or len(rest) < size:
                return
            self._buffer = rest[size:]
            self._transport.write(self._answer(rest[:size]))

    def _answer(self, body):
        if b'"silent"' in body:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            return head + _chunk(choices=_choice({"role": "assistant", "content": "well, "}))
        asked = _CHUNKS.search(body)
        chunks = int(asked[1]) if asked else 8
        flat = body.replace(b" ", b"")
        key = chunks, b'"stream":true' in flat
        if key not in ANSWERS:
            kind = b"text/event-stream" if key[1] else b"application/json"
            content = streamed(chunks) if key[1] else whole(chunks)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
            ANSWERS[key] = head % (kind, len(content)) + content
        return ANSWERS[key]


async def main(port):
    """Serve until the end of stdin."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Scripted, "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
