"""For how long any model was at work: of a run's time, the rest is what measuring takes."""

import time
from collections.abc import Generator
from contextlib import contextmanager


class Work:
    """Adds up the time during which at least one question is being answered, or a model loaded for it.

    For one event loop.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._now = 0
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """So far."""
        return self._before + (time.monotonic() - self._since if self._now else 0.0)

    @contextmanager
    def going_on(self) -> Generator[None]:
        """Work, for as long as this is open; several at once count once."""
        if not self._now:
            self._since = time.monotonic()
        self._now += 1
        try:
            yield
        finally:
            self._now -= 1
            if not self._now:
                self._before += time.monotonic() - self._since


AT_WORK = Work()
"""Of all models in this process: one that is measured, and one that judges."""
