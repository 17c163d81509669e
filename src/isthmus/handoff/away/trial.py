"""One tiny real call, to see that a provider works before a question depends on it.

What is sent is fixed and holds nothing of the person's: a sum, and a tool that could do it.
"""

import secrets
from contextlib import aclosing
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.errors import (
    HandoffRefused,
    IsthmusError,
    ProviderRejected,
    ProviderUnreachable,
    SettingsError,
)
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.away.opening import open_provider
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.ledger import Ledger
from isthmus.messages import (
    Finish,
    GenerationRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    Tool,
    ToolCallDelta,
)

What: TypeAlias = Literal["settings", "price", "reachable", "key", "model", "streams", "usage", "tools"]

QUESTION = "What is 2 + 3? Call the tool."
_TOOL = Tool(
    "add",
    "Adds two whole numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
_REQUEST = GenerationRequest((Message("user", QUESTION),), max_tokens=256, tools=(_TOOL,))


class Finding(Struct, frozen=True):
    """What was found of one thing. ``well`` is None where it could not be told."""

    what: What
    well: bool | None
    text: str
    hint: str | None = None


class Trial:
    """A provider on trial.

    Args:
        configuration: The settings.
        name: What they call it.
        ledger: Where the call is paid from, under the same caps as any other.

    Raises:
        HandoffRefused: A hard switch forbids any call.
        SettingsError: The settings are not enough to call it.
        PriceUnknown: Nobody knows what it costs.
    """

    def __init__(self, configuration: Configuration, name: str, ledger: Ledger) -> None:
        settings = configuration.settings
        if settings.handoff.local_only or settings.offline:
            switch = "offline" if settings.offline else "handoff.local_only"
            raise HandoffRefused(f"{switch} is on, so nothing may be sent", hint=f"set {switch} = false")
        self._side = open_provider(configuration, name)
        # Broken or not, it is asked: that is what was asked for.
        terms = msgspec.structs.replace(settings.handoff, retries=0)
        self._hosted = HostedModel([self._side], terms, ledger)
        self.outgoing: Outgoing = self._hosted.prepare(_REQUEST)
        """What would be sent; nothing was yet."""
        self.cost_usd = Decimal(0)
        """What it came to."""

    async def findings(self) -> list[Finding]:
        """Send it, and tell what was found, thing by thing."""
        tools = True
        try:
            try:
                heard = await self._ask(_REQUEST)
            except ProviderRejected as error:
                if error.status not in (400, 422):
                    raise
                tools = False
                heard = await self._ask(msgspec.structs.replace(_REQUEST, tools=()))
        except IsthmusError as error:
            return blame(error)
        finally:
            await self._hosted.close()
        return heard.findings(self.outgoing.model, tools=tools)

    async def _ask(self, request: GenerationRequest) -> "_Heard":
        self.outgoing, heard = self._hosted.prepare(request), _Heard()
        call = self._hosted.call(self.outgoing, f"check-{secrets.token_hex(8)}")
        async with aclosing(call.stream()) as events:
            async for event in events:
                heard.take(event)
        self.cost_usd += call.cost_usd
        return heard


class _Heard:
    """What came back."""

    def __init__(self) -> None:
        self.pieces = 0
        self.called = False
        self.finish: Finish | None = None

    def take(self, event: object) -> None:
        """Hear an event."""
        match event:
            case TextDelta() | ReasoningDelta():
                self.pieces += 1
            case ToolCallDelta(name=name):
                self.pieces += 1
                self.called |= name == _TOOL.name
            case Finish():
                self.finish = event
            case _:
                pass

    def findings(self, model: str, *, tools: bool) -> list[Finding]:
        """What a whole answer says of who gave it."""
        usage = self.finish.usage if self.finish else None
        return [
            Finding("price", True, "known"),
            Finding("reachable", True, "yes"),
            Finding("key", True, "accepted"),
            Finding("model", True, model),
            Finding("streams", True, f"yes, in {self.pieces} pieces"),
            Finding("usage", True, f"told: {usage.prompt_tokens} + {usage.completion_tokens} tokens")
            if usage
            else Finding(
                "usage",
                False,
                "not told: each call is booked at its worst case",
                "ask the vendor, or lower max_tokens",
            ),
            self._tools(tools),
        ]

    def _tools(self, taken: bool) -> Finding:
        if not taken:
            return Finding("tools", False, "refused: questions that offer tools stay home")
        if self.called:
            return Finding("tools", True, "called as asked")
        return Finding("tools", None, "offered, and it answered in words")


def blame(error: IsthmusError) -> list[Finding]:
    """What an error says: what works up to there, and what doesn't."""
    well: list[Finding] = []
    match error:
        case SettingsError():
            what: What = "settings"
        case HandoffRefused():
            what = "price"
        case ProviderRejected(status=401 | 402 | 403):
            well, what = [Finding("reachable", True, "yes")], "key"
        case ProviderRejected(status=404):
            well, what = [Finding("reachable", True, "yes"), Finding("key", True, "accepted")], "model"
        case ProviderUnreachable():
            what = "reachable"
        case _:
            what = "streams"
    return [*well, Finding(what, False, error.message, error.hint)]
