"""Server-sent events, as far as model APIs use them: ``event:`` and ``data:`` lines, ``[DONE]``."""

DONE = b"[DONE]"
PING = b": ping\n\n"
"""A comment, which every client passes over."""


def data(payload: bytes) -> bytes:
    """One event that carries ``payload``, a JSON text without line breaks."""
    return b"data: " + payload + b"\n\n"


def event(name: str, payload: bytes) -> bytes:
    """One named event that carries ``payload``."""
    return b"event: " + name.encode() + b"\ndata: " + payload + b"\n\n"


class EventReader:
    r"""Cuts a byte stream into the payloads of its events.

    Bytes come in any pieces. Only ``data`` is kept: event names, ids, retry times and comments mean
    nothing to these APIs. Lines may end in \n, \r\n or \r; an event of several data lines is joined by \n.

    Args:
        limit: The most bytes that one event may hold, its comments and field names included; beyond it
            `feed` raises ValueError, so that an upstream gone mad can't fill the memory.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._line: list[bytes] = []  # pieces of the line that has not ended yet
        self._data: list[bytes] = []  # lines of the event that has not ended yet
        self._size = 0  # of that event, with that line
        self._after_return = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take more bytes; return the payloads that are complete by now."""
        if not chunk:
            return []
        if not self._size and not self._after_return and (whole := self._whole(chunk)):
            return whole
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the second half of a \r\n
        self._after_return = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ends, rest = chunk.split(b"\n")
        payloads = [payload for end in ends if (payload := self._take(end)) is not None]
        self._grow(rest)
        return payloads

    def _whole(self, chunk: bytes) -> list[bytes] | None:
        """The payloads of the common piece, whole events of one line each, told by a look at its bytes."""
        if not chunk.startswith(b"data: ") or not chunk.endswith(b"\n\n") or len(chunk) > self._limit:
            return None
        events = chunk.count(b"\n\ndata: ") + 1
        if chunk.count(b"\n") != 2 * events or b"\r" in chunk:
            return None
        return chunk[6:-2].split(b"\n\ndata: ")

    def _take(self, end: bytes) -> bytes | None:
        """Take the end of a line; at the empty line that ends an event, return its payload."""
        self._grow(end)
        line, self._line = b"".join(self._line), []
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            data, self._data, self._size = self._data, [], 0
            return b"\n".join(data) if data else None
        return None

    def _grow(self, piece: bytes) -> None:
        self._line.append(piece)
        self._size += len(piece)
        if self._size > self._limit:
            raise ValueError(f"an event is longer than {self._limit} bytes")
