"""Conversations known again: the digest of each beginning of one that ends with an answer.

APIs are stateless: a client sends the whole conversation each time. Where one that was answered here goes on,
it begins with the same messages and that answer, so the digest of this beginning says which it is. Of a
message counts what clients give back as it was: its words, its images and its calls; not its thinking, which
many leave out, nor the identifiers of calls, which some APIs don't have; and no instructions, which agents
write anew each time (the date is in them).
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, cast

import msgspec
from msgspec import Struct

from isthmus.messages import ImagePart, Message, ToolCall

_INSTRUCTIONS = frozenset({"system", "developer"})
_ENCODER = msgspec.json.Encoder(order="sorted")


class Boundary(Struct, frozen=True):
    """A beginning of a conversation that ends with an answer.

    ``place`` is the answer's among the messages, ``digest`` is that of all up to and with it.
    """

    place: int
    digest: bytes


class Trail(Struct, frozen=True):
    """How a conversation came to where it is.

    ``boundaries`` are all its beginnings that end with an answer, the shortest first; ``end`` is the digest
    of the whole, from which `followed` goes on.
    """

    boundaries: tuple[Boundary, ...]
    end: bytes


def trail(messages: Iterable[Message]) -> Trail:
    """The digests of a conversation, each message looked at once."""
    found: list[Boundary] = []
    digest = b""
    for place, message in enumerate(messages):
        if message.role in _INSTRUCTIONS:
            continue
        digest = followed(digest, message)
        if message.role == "assistant":
            found.append(Boundary(place, digest))
    return Trail(tuple(found), digest)


def followed(before: bytes, message: Message) -> bytes:
    """The digest of a conversation that goes on with a message."""
    content = message.content
    images = [p.url for p in content if isinstance(p, ImagePart)] if isinstance(content, tuple) else []
    calls = [(call.name, object_of(call)) for call in message.tool_calls]
    said = _ENCODER.encode((message.role, message.text.strip(), images, calls))
    return blake2b(before + said, digest_size=16).digest()


def object_of(call: ToolCall) -> Any:
    """A call's arguments as what they say, since clients write JSON anew; as text where they are no JSON."""
    try:
        return msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return call.arguments


def texts_of(message: Message) -> Iterator[str]:
    """All that a message says in words: its text, its thinking, and the texts in its calls' arguments."""
    yield from spoken(message)
    for call in message.tool_calls:
        yield from strings_of(call)


def spoken(message: Message) -> Iterator[str]:
    """A message's text and its thinking."""
    if text := message.text:
        yield text
    if message.reasoning:
        yield message.reasoning


def strings_of(call: ToolCall) -> Iterator[str]:
    """The texts in a call's arguments."""
    return _strings(object_of(call))


def _strings(value: Any) -> Iterator[str]:
    """The texts in a JSON value, names of fields left out."""
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting.extend(cast("dict[str, Any]", each).values())
        elif isinstance(each, list):
            waiting.extend(cast("list[Any]", each))
