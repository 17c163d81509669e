"""Amounts as people read them: sizes, durations, moments; dollars are in `isthmus.ledger.money`."""

from datetime import datetime

_SIZES = ("B", "kB", "MB", "GB", "TB")


def size(count: float) -> str:
    """Bytes in decimal units, as model pages and network speeds give them: ``491.4 MB``."""
    unit = _SIZES[0]
    for unit in _SIZES:
        if abs(count) < 999.95 or unit == _SIZES[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def counted(count: int, noun: str) -> str:
    """How many there are of something whose plural ends in s: ``1 question``, ``12 questions``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float) -> str:
    """Seconds as ``0.42 s``, ``12.3 s``, ``4 min 05 s`` or ``2 h 07 min``."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def moment(time: datetime) -> str:
    """A time in the person's own time zone, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
