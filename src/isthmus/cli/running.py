"""Running a command that waits: one event loop, and a Ctrl-C that cleans up after itself."""

import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Run a command's coroutine to its end.

    The first Ctrl-C cancels it: generators are closed, slots freed, temporary files removed. A second one
    ends the process at once.

    Args:
        coroutine: What the command does.
        fast: Use uvloop, which halves what a streamed token costs and takes a moment to load.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, and the cleaning up is done.
    """
    return anyio.run(_interruptible, coroutine, backend_options={"use_uvloop": fast})


async def _interruptible(coroutine: Coroutine[Any, Any, T]) -> T:
    cancel = signal.getsignal(signal.SIGINT)  # asyncio's own handler: it cancels this task
    if not callable(cancel) or cancel is signal.default_int_handler:
        return await coroutine  # interrupts are ignored (nohup), or are another thread's business

    def cancel_once(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        cancel(number, frame)

    signal.signal(signal.SIGINT, cancel_once)
    try:
        return await coroutine
    finally:
        signal.signal(signal.SIGINT, cancel)
