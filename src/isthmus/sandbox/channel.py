"""The line to a sandbox's agent: frames over its stdin and stdout, in the form that agent.py tells."""

import contextlib
import signal
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.abc
import msgspec
from msgspec import Struct

from isthmus.errors import SandboxError

END_TIMEOUT_S = 0.5
LARGEST_HEADER = 1 << 20
LARGEST_BODY = 1 << 30
_PIECE = 1 << 18
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Reply(Struct, frozen=True):
    """What the agent answers: a few values, and bytes."""

    header: dict[str, Any]
    body: bytes


class Channel:
    """Asks the agent for things, one after another. It is trusted as little as what it looks after."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None  # noqa: S101 - as it was opened
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        self._process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._unread = bytearray()

    async def ask(self, request: Mapping[str, Any], body: bytes) -> Reply:
        """Send a request, and await its answer.

        Raises:
            SandboxError: The agent has ended.
        """
        packed = msgspec.json.encode(request)
        sizes = len(packed).to_bytes(4, "big") + len(body).to_bytes(4, "big")
        try:
            await self._stdin.send(sizes + packed + body)
        except _GONE:
            raise await self._ended() from None
        return await self.answer()

    async def answer(self) -> Reply:
        """The agent's next answer.

        Raises:
            SandboxError: It has ended, or would send more than is taken.
        """
        sizes = await self._receive(8)
        header = await self._receive(_within(sizes[:4], LARGEST_HEADER))
        body = await self._receive(_within(sizes[4:], LARGEST_BODY))
        return Reply(msgspec.json.decode(header, type=dict[str, Any]), body)

    async def close(self) -> None:
        """End the agent, and by it all that runs in the sandbox, and wait until it is gone."""
        await self._stdin.aclose()
        with anyio.move_on_after(END_TIMEOUT_S):
            await self._process.wait()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.aclose()

    async def _receive(self, count: int) -> bytes:
        while len(self._unread) < count:
            try:
                self._unread += await self._stdout.receive(_PIECE)
            except _GONE:
                raise await self._ended() from None
        data = bytes(memoryview(self._unread)[:count])
        del self._unread[:count]
        return data

    async def _ended(self) -> SandboxError:
        """That it has, with what it or bubblewrap said last."""
        said = b""
        with anyio.move_on_after(END_TIMEOUT_S), contextlib.suppress(*_GONE):
            said = await self._stderr.receive()
        lines = said.decode(errors="replace").strip().splitlines()
        return SandboxError(f"the sandbox has ended: {lines[-1]}" if lines else "the sandbox has ended")


def _within(size: bytes, largest: int) -> int:
    number = int.from_bytes(size, "big")
    if number > largest:
        raise SandboxError(f"the sandbox would send {number:,} bytes, and {largest:,} are taken")
    return number
