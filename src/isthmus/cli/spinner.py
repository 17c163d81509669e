"""A wait whose end nobody can foretell, shown on a terminal once it is felt."""

import asyncio
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from isthmus.cli import console

PATIENCE_S = 1.0


@contextmanager
def spinning(text: str, patience_s: float = PATIENCE_S) -> Generator[None]:
    """Show what is waited for, if it takes longer than ``patience_s``; wipe it away at the end."""
    with ExitStack() as shown:

        def begin() -> None:
            from rich.text import Text  # slow to load, and most waits are short

            shown.enter_context(console.stderr().status(Text(console.printable(text))))

        timer = asyncio.get_running_loop().call_later(patience_s, begin)
        try:
            yield
        finally:
            timer.cancel()
