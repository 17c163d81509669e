"""What leaves together, and in which order."""

import asyncio

import pytest

from isthmus.server import outbox
from isthmus.server.outbox import Outbox


class Played(asyncio.Transport):
    """A transport that says what was done with it."""

    def __init__(self):
        super().__init__()
        self.done = []

    def write(self, data):
        self.done.append(data)

    def close(self):
        self.done.append("close")

    def abort(self):
        self.done.append("abort")

    def get_write_buffer_size(self):
        return 7


def run(use):
    """Use an outbox in a running loop."""

    async def main():
        transport = Played()
        await use(Outbox(transport, asyncio.get_running_loop()), transport.done)

    asyncio.run(main())


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def test_a_head_leaves_with_what_follows_it_and_calls_grow_rarer_within_a_turn():
    async def use(box, done):
        box.write(HEAD)
        assert done == []
        assert box.get_write_buffer_size() == len(HEAD) + 7
        for piece in (b"1", b"2", b"3", b"4", b"5", b"6", b"7"):
            box.write(piece)
        assert done == [HEAD + b"1", b"2", b"34"]
        await asyncio.sleep(0)
        assert done == [HEAD + b"1", b"2", b"34", b"567"]

    run(use)


def test_a_head_alone_leaves_at_the_end_of_its_turn_and_each_turn_begins_anew():
    async def use(box, done):
        box.write(HEAD)
        await asyncio.sleep(0)
        assert done == [HEAD]
        for piece in (b"one", b"two", b"three"):
            box.write(piece)
        await asyncio.sleep(0)
        box.write(b"four")
        assert done == [HEAD, b"one", b"two", b"three", b"four"]

    run(use)


def test_closing_sends_what_is_left_and_aborting_does_not():
    async def close(box, done):
        for piece in (b"1", b"2", b"last"):
            box.write(piece)
        box.close()
        await asyncio.sleep(0)
        assert done == [b"1", b"2", b"last", "close"]

    async def abort(box, done):
        for piece in (b"1", b"2", b"lost"):
            box.write(piece)
        box.abort()
        await asyncio.sleep(0)
        assert done == [b"1", b"2", "abort"]

    run(close)
    run(abort)


def test_what_is_large_is_not_held(monkeypatch):
    monkeypatch.setattr(outbox, "_FULL", 8)

    async def use(box, done):
        for piece in (b"1", b"2", b"34567890", b"more"):
            box.write(piece)
        assert done == [b"1", b"2", b"34567890", b"more"]

    run(use)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_what_changes_after_it_was_written_is_sent_as_it_was(kind):
    async def use(box, done):
        buffer = bytearray(b"before")
        box.write(kind(buffer))
        buffer[:] = b"after!"
        await asyncio.sleep(0)
        assert done == [b"before"]

    run(use)
