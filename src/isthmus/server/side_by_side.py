"""Several answers as one, for requests with several prompts."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import msgspec

from isthmus.generator import EventStream
from isthmus.messages import Event, Finish, Notice, Progress, Route, SampleDelta, Usage


def side_by_side(streams: Sequence[EventStream], choices: int, at_once: int) -> EventStream:
    """Answers that come at the same time, as one whose choices are counted through.

    Args:
        streams: The answers.
        choices: How many choices each of them has.
        at_once: How many may be under way.

    Returns:
        Their events; the first `Route` stands for all, and the last `Finish` has the usage of all.
    """
    return streams[0] if len(streams) == 1 else _merged(streams, choices, at_once)


async def _merged(streams: Sequence[EventStream], choices: int, at_once: int) -> EventStream:
    events: asyncio.Queue[tuple[int, Event | Exception | None]] = asyncio.Queue(1)
    gate = asyncio.Semaphore(at_once)

    async def read(number: int, stream: EventStream) -> None:
        try:
            async with gate, aclosing(stream):
                async for event in stream:
                    await events.put((number, event))
            await events.put((number, None))
        except Exception as error:  # noqa: BLE001 - raised again below
            await events.put((number, error))

    readers = [asyncio.ensure_future(read(number, stream)) for number, stream in enumerate(streams)]
    together = _Together(choices, len(streams) * choices)
    try:
        under_way = len(streams)
        while under_way:
            number, event = await events.get()
            if isinstance(event, Exception):
                raise event
            if event is None:
                under_way -= 1
            elif (passed := together.take(event, number)) is not None:
                yield passed
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)


class _Together:
    """Counts choices through, and adds up what they took."""

    def __init__(self, choices: int, expected: int) -> None:
        self._choices = choices
        self._expected = expected
        self._ended = 0
        self._usage = Usage()
        self._routed = False

    def take(self, event: Event, number: int) -> Event | None:
        """An event of the answer of that number, as one of all; None if it was said already."""
        match event:
            case Route():
                said, self._routed = self._routed, True
                return None if said else event
            case Notice() | Progress() | SampleDelta():
                return event
            case Finish():
                return self._finished(event, number)
            case _:
                return msgspec.structs.replace(event, index=self._index(event.index, number))

    def _finished(self, finish: Finish, number: int) -> Finish:
        if finish.usage is not None:
            self._usage = _sum(self._usage, finish.usage)
        self._ended += 1
        usage = self._usage if self._ended == self._expected else None
        return msgspec.structs.replace(finish, index=self._index(finish.index, number), usage=usage)

    def _index(self, index: int, number: int) -> int:
        return number * self._choices + index


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
        one.cached_tokens + other.cached_tokens,
    )
