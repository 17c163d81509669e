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


def test_what_is_written_in_one_turn_leaves_together_at_its_end():
    async def use(box, done):
        for piece in (b"head", b" ", b"body"):
            box.write(piece)
        assert done == []
        assert box.get_write_buffer_size() == len(b"head body") + 7
        await asyncio.sleep(0)
        assert done == [b"head body"]
        box.write(b"more")
        await asyncio.sleep(0)
        assert done == [b"head body", b"more"]

    run(use)


def test_closing_sends_what_is_left_and_aborting_does_not():
    async def use(box, done):
        box.write(b"last")
        box.close()
        box.write(b"lost")
        box.abort()
        await asyncio.sleep(0)
        assert done == [b"last", "close", "abort"]

    run(use)


def test_what_is_large_is_not_held(monkeypatch):
    monkeypatch.setattr(outbox, "_FULL", 8)

    async def use(box, done):
        box.write(b"12345")
        box.write(b"678")
        assert done == [b"12345678"]
        await asyncio.sleep(0)
        assert done == [b"12345678"]

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
