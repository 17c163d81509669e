"""How a build fails when it is tried: the verdict on it."""

import signal


class Failed(Exception):
    """A build doesn't work; the message is its verdict."""


def how_it_ended(status: int, log: str) -> str:
    """How a process ended, in words: a signal by its name, a status with the last line of its log."""
    if status < 0:
        return f"ends with {_signal_name(-status)}"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"ends with status {status}" + (f": {lines[-1][:200]}" if lines else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
