"""What a pool keeps beside its schedule: of each model, of each request that waits."""

import asyncio
import logging
from datetime import datetime

import anyio

from isthmus.engines.resident import Loadable, Resident
from isthmus.errors import IsthmusError
from isthmus.fit import Plan
from isthmus.messages import ModelInfo

GUESSED_SERVICE_S = 5.0
"""What an answer is thought to take until there was one."""

_log = logging.getLogger(__name__)


class Entry:
    """What the schedule needn't know of a model that has a seat there."""

    def __init__(self, weights: Loadable, plan: Plan) -> None:
        self.weights = weights
        self.name = weights.name
        self.plan = plan
        self.engine: Resident | None = None
        self.loading = anyio.CancelScope()
        self.gone = asyncio.Event()
        self.weighed_at = float("-inf")
        self.idle_since: datetime | None = None
        self.keep_alive_s: float | None = None  # None: as the settings say
        self.expiry: asyncio.TimerHandle | None = None

    def stop_clock(self) -> None:
        """It is used again, or gone."""
        self.idle_since = None
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None

    async def close(self) -> None:
        """End the engine, if there is one."""
        self.stop_clock()
        engine, self.engine = self.engine, None
        if engine is None:
            return
        try:
            await engine.close()
        except Exception:  # noqa: BLE001 - the log learns of it; it mustn't hold up the others
            _log.exception("unloading %s failed", self.name)


class Wait:
    """A request that waits for its slot."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.error: IsthmusError | None = None

    def end(self, error: IsthmusError | None = None) -> None:
        """It has its slot, or will never have one."""
        self.error = error
        self.over.set()


class Record:
    """What is remembered of a model: what it is, its falls, what loading and answering took (seconds)."""

    def __init__(self) -> None:
        self.info: ModelInfo | None = None
        self.load_s = 0.0
        self.service_s = GUESSED_SERVICE_S
        self.falls = 0
