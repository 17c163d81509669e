"""Where programs run that a model wrote: against the tests that a question shows, or for what they print."""

from typing import Protocol

import anyio.to_thread

from isthmus.errors import SandboxUnavailable
from isthmus.sandbox import unavailable
from isthmus.scoring import code_of, score_asserts
from isthmus.tools import run_python


class Workshop(Protocol):
    """What runs programs, shut off from everything else. Its methods raise `SandboxError` where it fails."""

    async def closed(self) -> SandboxUnavailable | None:
        """Why no program can be run here; None where they can."""
        ...

    async def passes(self, answer: str, tests: tuple[str, ...]) -> bool:
        """Whether the program in an answer passes Python's ``assert`` statements.

        One that ends in an error, runs for ever or isn't there doesn't.
        """
        ...

    async def output(self, answer: str) -> str | None:
        """What the program in an answer prints; None where it doesn't end well, or there is none."""
        ...


class SandboxWorkshop:
    """The usual one: each program has a sandbox of its own."""

    async def closed(self) -> SandboxUnavailable | None:
        """Why no sandbox can be had here; looked for once, outside the event loop."""
        return await anyio.to_thread.run_sync(unavailable)

    async def passes(self, answer: str, tests: tuple[str, ...]) -> bool:
        """Whether the program in an answer passes the tests."""
        return (await score_asserts(answer, tests)).right

    async def output(self, answer: str) -> str | None:
        """What the program in an answer prints."""
        code = code_of(answer)
        if not code.strip():
            return None
        done = await run_python(code)
        return done.stdout.strip() if done.ok and not done.cut else None
