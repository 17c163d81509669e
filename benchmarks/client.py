"""One streamed answer, asked for and timed in the same way whoever gives it."""

import json
import time

import aiohttp
from msgspec import Struct

TIMEOUT_S = 1200
"""A server that takes its requests one at a time keeps the last of eight waiting."""


class Answer(Struct, frozen=True, kw_only=True):
    """Seconds from the request on: to the first piece of text, to the last, to the end of the stream.

    ``tokens`` is the usage that the server says, and ``chunks`` the pieces of text that came; a server that
    says no usage sends a piece for each token. ``prompt_tokens`` is None where it says none.
    """

    first_s: float
    last_s: float
    total_s: float
    tokens: int
    chunks: int
    prompt_tokens: int | None
    finish: str | None
    text: str

    @property
    def decode_tokens_per_s(self):
        """The pace once it has begun; None for an answer too short to have one."""
        passed = self.last_s - self.first_s
        return (self.tokens - 1) / passed if self.tokens > 1 and passed > 0 else None


class NoAnswer(Exception):
    """The server refused, or broke off. ``retry_after_s`` is its own word on when to come back."""

    def __init__(self, what, status=None, retry_after_s=None):
        super().__init__(what)
        self.status = status
        self.retry_after_s = retry_after_s


def connections():
    """A session whose requests each have a connection of their own."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
    )


async def ask(session, url, messages, max_tokens, model=None):
    """Stream one answer.

    Raises:
        NoAnswer: Anything but a whole answer.
    """
    body = {
        "messages": messages,
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if model is not None:
        body["model"] = model
    try:
        return await _stream(session, f"{url}/chat/completions", body)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error


async def _stream(session, url, body):
    began = time.perf_counter()
    first = last = None
    pieces, usage, finish = [], {}, None
    async with session.post(url, json=body) as response:
        if response.status != 200:
            raise await _refusal(response)
        async for event in _events(response):
            if "error" in event:
                raise NoAnswer(f"an error in the stream: {json.dumps(event['error'])[:300]}")
            usage = event.get("usage") or usage
            for choice in event.get("choices", ()):
                finish = choice.get("finish_reason") or finish
                if piece := choice["delta"].get("content"):
                    last = time.perf_counter() - began
                    first = last if first is None else first
                    pieces.append(piece)
    if first is None or finish is None:
        raise NoAnswer(f"the stream ended after {len(pieces)} pieces, finish {finish}")
    return Answer(
        first_s=first,
        last_s=last,
        total_s=time.perf_counter() - began,
        tokens=usage.get("completion_tokens", len(pieces)),
        chunks=len(pieces),
        prompt_tokens=usage.get("prompt_tokens"),
        finish=finish,
        text="".join(pieces),
    )


async def _events(response):
    """The JSON of each server-sent event."""
    async for line in response.content:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


async def _refusal(response):
    text = await response.text()
    after = response.headers.get("Retry-After", "")
    return NoAnswer(
        f"{response.status}: {text[:300]}",
        status=response.status,
        retry_after_s=float(after) if after.replace(".", "", 1).isdigit() else None,
    )
