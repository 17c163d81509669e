"""Server-sent events, as far as model APIs use them: ``data:`` lines, comments, ``[DONE]``."""

DONE = b"[DONE]"


def data(payload: bytes) -> bytes:
    """One event that carries ``payload``, a JSON text without line breaks."""
    return b"data: " + payload + b"\n\n"


def comment(text: str) -> bytes:
    """A line that keeps the connection warm and that every client passes over."""
    return b": " + text.encode() + b"\n\n"


class EventReader:
    r"""Cuts a byte stream into the payloads of its events.

    Bytes come in any pieces. Only ``data`` is kept: event names, ids, retry times and comments mean
    nothing to these APIs. Lines may end in \n, \r\n or \r; an event of several data lines is joined by \n.

    Args:
        limit: The most bytes that one event may hold; beyond it `feed` raises ValueError, so that an
            upstream gone mad can't fill the memory.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take more bytes; return the payloads that are complete by now."""
        buffer = self._rest + chunk if self._rest else chunk
        # A lone \r at the end may be half of a \r\n, so it waits for the next piece.
        held = b""
        if b"\r" in buffer:
            if buffer.endswith(b"\r"):
                buffer, held = buffer[:-1], b"\r"
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._rest = lines.pop() + held
        if len(self._rest) > self._limit:
            raise ValueError(f"an event is longer than {self._limit} bytes")
        return [payload for line in lines if (payload := self._line(line)) is not None]

    def _line(self, line: bytes) -> bytes | None:
        """Take one whole line; at the empty line that ends an event, return its payload."""
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._size += len(value)
            if self._size > self._limit:
                raise ValueError(f"an event is longer than {self._limit} bytes")
            self._lines.append(value)
        elif not line and self._lines:
            payload = b"\n".join(self._lines)
            self._lines, self._size = [], 0
            return payload
        return None
