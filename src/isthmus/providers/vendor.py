"""What is known of a vendor of hosted models: its address, its keys, and how it differs from the others.

Most speak OpenAI's Chat Completions, each with exceptions of its own: a parameter that is called otherwise,
one that is refused, a value that isn't known. A `Vendor` states these and nothing else. To add one, write a
`Vendor` and register it under its name:

    [project.entry-points."isthmus.vendors"]
    mistral = "isthmus.providers.table:MISTRAL"

It is then recognised by its host, by ``[providers.NAME]`` without an address, or by ``vendor = "NAME"``.
"""

import re
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.messages import Effort
from isthmus.wire.chat_body import PLAIN, Spelling

Api: TypeAlias = Literal["chat", "messages"]
"""OpenAI's Chat Completions, or Anthropic's Messages."""

HOME_ONLY = frozenset(
    {
        "top_k",
        "min_p",
        "typical_p",
        "repeat_penalty",
        "repeat_last_n",
        "ignore_eos",
        "template",
        "reasoning_budget",
        "reasoning_closing",
        "continues",
    }
)
"""Fields of a request that hosted Chat Completions have no common word for."""


class Takes(Struct, frozen=True, kw_only=True):
    """What a model takes of a request, where that is less than all of it."""

    refuses: frozenset[str] = HOME_ONLY
    """Fields of `GenerationRequest` that it answers with an error, or doesn't know; they are left out."""
    efforts: tuple[Effort, ...] = ("none", "minimal", "low", "medium", "high", "xhigh")
    """The reasoning efforts that it knows, least first; another becomes the nearest. Empty: none at all."""
    stops: int = 4
    """How many stop sequences."""
    warmest: float = 2.0
    """The highest temperature."""
    schemas: bool = True
    """Whether it keeps an answer to a JSON Schema; else the schema is told to it in words."""
    json: bool = True
    """Whether it keeps an answer to JSON at all; else it is told to in words."""
    forced: bool = True
    """Whether it can be made to call a tool; else it may."""
    named: bool = True
    """Whether it can be told which one; else it is offered no other."""
    names: bool = True
    """Whether messages may carry the name of who speaks."""
    call_ids: str = r"[\w-]{1,40}"
    """What ids of tool calls look like (a regular expression); others are replaced, always by the same."""
    thinks: bool = False
    """Whether it thinks unless told not to, and then wants its own thoughts back with every tool call: those
    of another model it can't have, so such a conversation is answered without thinking."""


class Vendor(Struct, frozen=True, kw_only=True):
    """A vendor of hosted models."""

    name: str
    """What entry points and settings call it."""
    title: str
    """What people call it."""
    hosts: tuple[str, ...]
    """By which its address is told: host names, or, after a dot, what they end in."""
    base_url: str = ""
    """Up to and including the version; empty where each customer has an address of their own."""
    key_variables: tuple[str, ...] = ()
    """Environment variables in which its keys are kept, the usual one first."""
    keys_page: str = ""
    """Where keys are made."""
    model: str | None = None
    """What `isthmus handoff setup` offers: a good one that doesn't cost much."""
    prices: str | None = None
    """What the price list calls it."""
    api: Api = "chat"
    key_header: str = "Authorization"
    headers: dict[str, str] = {}
    """Sent with every request."""
    spelling: Spelling = PLAIN
    takes: Takes = Takes()
    """What its models take, but for those of `exceptions`."""
    exceptions: tuple[tuple[str, Takes], ...] = ()
    """Models, by regular expressions of their names, that take something else; the first that fits counts."""

    @property
    def path(self) -> str:
        """Where a question goes, below the base address."""
        return {"chat": "/chat/completions", "messages": "/messages"}[self.api]

    def at(self, host: str) -> bool:
        """Whether a host is the vendor's."""
        return any(host == each or (each.startswith(".") and host.endswith(each)) for each in self.hosts)

    def takes_of(self, model: str) -> Takes:
        """What one of its models takes."""
        found = (takes for pattern, takes in self.exceptions if re.search(pattern, model, re.IGNORECASE))
        return next(found, self.takes)


ANY = Vendor(name="any", title="an OpenAI-compatible address", hosts=())
"""An address that nobody knows: it gets what most understand."""
