"""What the handlers share."""

import time

import anyio
from starlette.requests import Request

from isthmus.generator import Generator
from isthmus.ledger import Ledger, PendingHandoffs, Responses
from isthmus.runtime.answer import Runtime
from isthmus.runtime.approving import Approver
from isthmus.runtime.effort import WithEffort
from isthmus.runtime.models import Models
from isthmus.runtime.observing import Observer
from isthmus.runtime.terms import Terms
from isthmus.server.background import Background
from isthmus.settings import ServerSettings

_USUAL = ServerSettings()


class Served:
    """The models that answer, and the terms on which they do.

    Args:
        models: The local ones.
        terms: Those on which questions are handed over.
        ledger: Where answers are recorded.
        max_body_bytes: The largest request body that is read.
        ping_s: How long a stream may be silent before a ping is sent.
        settings: The other limits and times of the server.

    Attributes:
        responses: Those of the Responses API that are kept.
        background: Those that are made without their client.
        approver: What waits for consent, and how it is sent.
        in_flight: How many requests are being answered.
        draining: Whether the server is about to stop, so that nobody new is let in.
    """

    def __init__(
        self,
        models: Models,
        terms: Terms,
        ledger: Ledger,
        *,
        max_body_bytes: int,
        ping_s: float = 10.0,
        settings: ServerSettings = _USUAL,
    ) -> None:
        self.models = models
        self.ping_s = ping_s
        self.max_body_bytes = max_body_bytes
        self.settings = settings
        self._with_effort = WithEffort(models.configuration.settings, deadline_s=settings.request_timeout_s)
        self.responses = Responses(ledger.engine, days=settings.responses_days)
        self.background = Background()
        self.in_flight = 0
        self.draining = False
        self._empty = anyio.Event()
        self.since = int(time.time())
        self.terms = terms
        self.ledger = ledger
        self.approver = Approver(
            terms.pending or PendingHandoffs(ledger.engine), terms, ledger, self._open_home
        )

    def drain(self) -> None:
        """Let nobody new in, and send those away who wait for a model."""
        self.draining = True
        self.models.pool.drain()
        if not self.in_flight:
            self._empty.set()

    async def emptied(self) -> None:
        """Wait, once it is drained, until nothing is in flight."""
        await self._empty.wait()

    def enter(self) -> None:
        """A request begins."""
        self.in_flight += 1

    def leave(self) -> None:
        """A request has ended."""
        self.in_flight -= 1
        if self.draining and not self.in_flight:
            self._empty.set()

    def runtime(self, model: str | None, key: str | None, observer: Observer | None = None) -> Runtime:
        """What answers a request that names ``model``, sent with the key of that name.

        Raises:
            UnknownModel: There is no such model.
        """
        home = self._with_effort(self.models.home(model, key=key))
        return Runtime(home, self.terms, ledger=self.ledger, observer=observer)

    async def _open_home(self) -> Generator:
        return self.models.home()

    def bare(self, model: str | None, observer: Observer | None = None) -> Runtime:
        """The model alone, without effort, hand-off or ledger, for a caller that brings its own.

        Raises:
            UnknownModel: There is no such model.
        """
        return Runtime(self.models.home(model), Terms(), observer=observer)


def served(request: Request) -> Served:
    """What the application was built with."""
    service: Served = request.scope["state"]["served"]
    return service
