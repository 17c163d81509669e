"""What would leave this machine, to whom, and what it costs at worst."""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.handoff.redaction import Placeholder, Redacted


class Outgoing(Struct, frozen=True):
    """What would leave, to whom, and what it costs at worst.

    Attributes:
        provider: What the settings call whom it goes to.
        host: Where that is.
        model: Who answers there.
        body: The exact bytes.
        choices: How many answers are asked for.
        worst_usd: What they cost if the longest is given.
        redacted: How many of each kind were taken out.
        left_out: Parameters of the question that the provider takes none of.
        redaction: What restores the answer; None where nothing was looked for.
        alternatives: What would leave to the others, in their order, where this one fails.
    """

    provider: str
    host: str
    model: str
    body: bytes
    choices: int
    worst_usd: Decimal
    redacted: dict[str, int] = {}
    left_out: tuple[str, ...] = ()
    redaction: Redacted | None = None
    alternatives: "tuple[Outgoing, ...]" = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return sha256(self.body).hexdigest()

    @property
    def content(self) -> dict[str, Any]:
        """The body as it will be read there."""
        return msgspec.json.decode(self.body)

    @property
    def replacements(self) -> Sequence[Placeholder]:
        """What was taken out of it, and what stands there."""
        return self.redaction.placeholders if self.redaction else ()

    @property
    def at_most_usd(self) -> Decimal:
        """What it costs at worst if each provider fails after it has worked, but for the last."""
        return self.worst_usd + sum((each.worst_usd for each in self.alternatives), Decimal(0))
