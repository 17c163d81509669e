"""What is said of a hand-over that waits for consent: by the server, to the page and the command line."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.ledger import Pending, PendingStatus
from isthmus.messages import Message
from isthmus.runtime.approving import Preview
from isthmus.wire.remarks import describe_decision

_EXCERPT = 200


class PendingItem(Struct, kw_only=True):
    """A hand-over that waits for consent, or did."""

    id: str
    status: PendingStatus
    created: datetime
    expires: datetime
    key: str | None
    """The API key that asked."""
    question: str
    """How its last question begins; empty once it is decided."""
    decision: dict[str, Any]
    """Why it would be handed over."""
    provider: str
    model: str
    worst_usd: Decimal
    """What it costs at most."""
    cost_usd: Decimal | None = None
    """What it did cost, once it was sent."""


class PendingList(Struct):
    """All that wait, oldest first."""

    pending: list[PendingItem]


class PendingPreview(PendingItem, kw_only=True):
    """The same with all that would leave, and what it was made of."""

    host: str
    """Where it would go."""
    digest: str
    """Of what would leave and where it would go; approving with it sends that or nothing."""
    sent_bytes: int
    original: list[Message]
    """The conversation as it was asked; it stays here."""
    leaves: dict[str, Any]
    """The body that would leave."""
    redacted: dict[str, int] = {}
    """How many of which kind were replaced."""
    placeholders: dict[str, str] = {}
    """What stands in their places, and for what; the latter stays here, and is put back in the answer."""
    alternatives: list[str] = []
    """The other hosts that it goes to, in this order, where this one fails."""


class Approval(Struct, forbid_unknown_fields=True):
    """How to send it."""

    digest: str | None = None
    """That of the preview: if what would leave has changed since, nothing leaves."""
    stream: bool = False


class Declined(Struct):
    """One that is never sent."""

    id: str
    status: PendingStatus = "declined"


def item_of(found: Pending, hours: float) -> PendingItem:
    """One in the list; ``hours`` is how long it may wait."""
    said = [each.text for each in found.request.messages if each.role == "user"]
    return PendingItem(
        id=found.id,
        status=found.status,
        created=found.created,
        expires=found.created + timedelta(hours=hours),
        key=found.key,
        question=said[-1][:_EXCERPT] if said else "",
        decision=describe_decision(found.decision),
        provider=found.provider,
        model=found.model,
        worst_usd=found.worst_usd,
        cost_usd=found.cost_usd,
    )


def preview_of(shown: Preview, hours: float) -> PendingPreview:
    """One that may be sent, as it would leave now."""
    outgoing = shown.outgoing
    now = msgspec.structs.replace(
        item_of(shown.pending, hours),
        provider=outgoing.provider,
        model=outgoing.model,
        worst_usd=outgoing.at_most_usd,
    )
    return PendingPreview(
        **msgspec.structs.asdict(now),
        host=outgoing.host,
        digest=shown.digest,
        sent_bytes=len(outgoing.body),
        original=list(shown.pending.request.messages),
        leaves=outgoing.content,
        redacted=outgoing.redacted,
        placeholders={each.token: each.original for each in outgoing.replacements},
        alternatives=[each.host for each in outgoing.alternatives],
    )
