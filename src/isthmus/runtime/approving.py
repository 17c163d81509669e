"""Consent that comes later: what waits is shown as it would leave, and sent once.

preview = await approver.preview(id)        # exactly what would leave, to whom, at what price
events = approver.send(preview)             # the hosted answer, with a row of its own
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from hashlib import sha256
from typing import TypeAlias

import anyio
import anyio.to_thread
from msgspec import Struct

from isthmus.errors import AlreadyDecided, EngineError, HandoffRefused
from isthmus.generator import EventStream, Generator
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.ledger import Caps, Keys, Ledger, Pending, PendingHandoffs, QuestionRecord
from isthmus.messages import GenerationRequest, ModelInfo
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.observing import Answered, Observer
from isthmus.runtime.terms import Terms

OpenHome: TypeAlias = Callable[[], Awaitable[Generator]]


class Preview(Struct, frozen=True):
    """What waits, and what would leave if it were sent now."""

    pending: Pending
    outgoing: Outgoing

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all that the person agrees to: which bytes may go where."""
        ways = (self.outgoing, *self.outgoing.alternatives)
        return sha256("".join(f"{each.host} {each.digest}\n" for each in ways).encode()).hexdigest()


class Approver:
    """Shows and sends what waits.

    Args:
        pending: What waits.
        terms: The person's, as they are now.
        ledger: Where the hosted answer is recorded.
        open_home: Gives a local model, where one has to look for names in what would leave.
    """

    def __init__(
        self, pending: PendingHandoffs, terms: Terms, ledger: Ledger, open_home: OpenHome | None = None
    ) -> None:
        self.pending = pending
        self._terms = terms
        self._ledger = ledger
        self._open_home = open_home
        self._keys = Keys(ledger.engine)

    async def preview(self, id_: str) -> Preview:
        """What would leave. Nothing leaves yet.

        Raises:
            NotFound: There is none of that id.
            AlreadyDecided: It was approved or declined before, or waited too long.
            HandoffRefused: The settings let nothing leave any more, or not this.
        """
        found = await anyio.to_thread.run_sync(self.pending.get, id_)
        if found.status != "pending":
            raise AlreadyDecided(f"this hand-over is {found.status}", hint="isthmus handoff pending")
        hosted, home = self._terms.hosted, None
        if hosted is None:
            raise HandoffRefused("the settings let nothing leave now", hint="isthmus config show")
        if hosted.asks_home and self._open_home is not None:
            home = await self._open_home()
        # Sending it prepares it anew; what home has found in it by now, it remembers.
        return Preview(found, await hosted.prepare_aside(found.request, home))

    async def send(self, shown: Preview, observer: Observer | None = None) -> EventStream:
        """Send it, once, and yield the hosted answer. Where nothing left after all, it waits again.

        Raises:
            AlreadyDecided: Somebody was quicker.
            HandoffRefused: The key that asked is revoked, or a rule or a cap says no.
            ProviderError: The provider failed.
        """
        key, id_ = shown.pending.key, shown.pending.id
        caps = await anyio.to_thread.run_sync(self._caps, key)
        taken = await anyio.to_thread.run_sync(self.pending.approve, id_)
        watch = _Watch(observer)
        home = _NobodyHome(ModelInfo(taken.local_model, local=True))
        runtime = Runtime(home, self._terms, ledger=self._ledger, observer=watch)
        ask = Ask(taken.request, taken.source, key=key, key_caps=caps, approved=taken.decision)
        try:
            async with aclosing(runtime.answer(ask)) as events:
                async for event in events:
                    yield event
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._settle, id_, watch.answered)

    def _caps(self, key: str | None) -> Caps:
        """What hosted calls with the key that asked may cost."""
        if key is None:
            return Caps()
        info = next((each for each in self._keys.list() if each.name == key), None)
        if info is None or info.revoked is not None:
            raise HandoffRefused(f"the key {key!r}, which asked this, is revoked")
        return info.caps

    def _settle(self, id_: str, answered: Answered | None) -> None:
        if answered is not None and _left(answered.record):
            self.pending.sent(id_, answered.record.cost_usd)
        else:
            self.pending.unsent(id_)


def _left(row: QuestionRecord) -> bool:
    """Whether anything left this machine, for whichever provider."""
    return row.sent_digest is not None or any(each.sent_digest is not None for each in row.attempts)


class _Watch:
    """Keeps what is told of the answer, and tells it on."""

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self.answered: Answered | None = None

    def finished(self, answered: Answered) -> None:
        self.answered = answered
        if self._observer is not None:
            self._observer.finished(answered)


class _NobodyHome:
    """Stands where the local model stands: it has answered already, and isn't asked again."""

    def __init__(self, model: ModelInfo) -> None:
        self.model = model

    async def stream(self, request: GenerationRequest) -> EventStream:
        raise EngineError("the local model has answered this before")
        yield  # it is a stream, if an empty one

    async def close(self) -> None:
        pass
