"""A connection's transport that makes few calls of many writes, and keeps no client waiting for it.

uvicorn writes a response's head by itself, and each piece of a stream; the loop hands every write to the
kernel, which wakes the client for it. So a quick answer takes two calls, and fifty tokens that come at once
take fifty, each dearer than the token. Here a head waits for what follows it, and of the pieces of one turn
of the event loop the first, the second, the fourth, the eighth ... take with them what waits: the first
tokens leave at once, and fifty take seven calls. At the end of a turn, where the server has nothing more to
say for now, all that is left leaves.
"""

import asyncio
from typing import Any

_FULL = 64 * 1024
"""Bytes that are not held any longer: from here on the transport's own limits see to slow readers."""
_HEAD = b"HTTP/1."


class Outbox(asyncio.Transport):
    """What uvicorn takes for the transport.

    Args:
        transport: The one that sends.
        loop: The event loop that it belongs to.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0
        self._in_turn = False
        self._said = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send some bytes, now or at the end of this turn."""
        if not self._in_turn:
            self._in_turn = True
            self._loop.call_soon(self._end_turn)
        piece = bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        if not piece.startswith(_HEAD):
            self._said += 1
            if self._said & (self._said - 1) == 0 or self._size >= _FULL:
                self.flush()

    def _end_turn(self) -> None:
        self._in_turn = False
        self._said = 0
        self.flush()

    def flush(self) -> None:
        """Send them now."""
        if not self._pieces:
            return
        pieces, self._pieces, self._size = self._pieces, [], 0
        self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def close(self) -> None:
        """Close it once everything is sent."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close it now, whatever is not sent."""
        self._pieces.clear()
        self._size = 0
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """How many bytes are not sent yet."""
        return self._size + self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take nothing more from the client for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more again."""
        self._transport.resume_reading()
