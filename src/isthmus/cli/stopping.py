"""A Ctrl-C that stops one piece of work, and not the command around it."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import anyio


@contextmanager
def stoppable() -> Generator[anyio.CancelScope, None, None]:
    """Let Ctrl-C cancel what runs inside; ``cancelled_caught`` of the scope then says that it did.

    A second Ctrl-C, while the first still cleans up, goes to the command as ever. So does every one where
    interrupts are ignored or another thread's business.
    """
    outer = signal.getsignal(signal.SIGINT)
    with anyio.CancelScope() as scope:
        if not callable(outer) or outer is signal.default_int_handler:
            yield scope
            return
        loop = asyncio.get_running_loop()

        def stop(number: int, frame: FrameType | None) -> None:
            signal.signal(number, outer)
            loop.call_soon_threadsafe(scope.cancel)

        signal.signal(signal.SIGINT, stop)
        try:
            yield scope
        finally:
            signal.signal(signal.SIGINT, outer)
