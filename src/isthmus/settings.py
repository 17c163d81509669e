"""What the person has decided: isthmus.toml, ISTHMUS_* variables, flags; read once, frozen, passed in.

This module says what can be set and what it means; `isthmus.configuration` finds and merges the values.
A unit is part of a name where it is not obvious (``_s`` seconds, ``_usd`` dollars).
"""

import re
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from isthmus.messages import Effort, HandoffMode

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_credentials(text: str) -> str:
    """An address as it may be shown: without the user and password that it may hold."""
    return re.sub(r"(?<=://)[^/?#'\"\s]*@", "***@", text)


class Secret:
    """A string that never shows itself: not in repr, not in a log, not in a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('****')"


class EngineSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[engine]: the llama.cpp worker."""

    build: str = "auto"
    """What runs models: an engine build that `isthmus doctor` lists; auto: the fastest it measured."""
    memory_mb: Annotated[int, Meta(ge=0)] = 0
    """Memory (MiB) that all loaded models may take together; 0: what the machine can spare."""
    keep_alive_s: Annotated[float, Meta(ge=-1)] = 300.0
    """How long a model stays loaded after its last answer; 0: not at all, -1: as long as there is room."""
    max_queue: Positive = 64
    """Requests that may wait for one model; further ones are told to come back later (429)."""
    queue_timeout_s: Seconds = 300.0
    """How long a request may wait for its model."""
    context_length: Annotated[int, Meta(ge=0)] = 0
    """Tokens of context to allocate for all slots together; at most the model's own. 0: as many as fit."""
    parallel: Positive = 8
    """Slots: how many requests are decoded at once. They share the context, so more cost no memory."""
    threads: Annotated[int, Meta(ge=0)] = 0
    """CPU threads; 0: as many as there are cores."""
    gpu_layers: Annotated[int, Meta(ge=-1)] = -1
    """Layers to put on a GPU; -1: as many as fit."""
    cpu_expert_layers: Annotated[int, Meta(ge=-1)] = -1
    """Layers of a mixture whose experts stay in main memory; -1: as few as fit."""
    flash_attention: Literal["auto", "on", "off"] = "auto"
    """Fused attention; auto: wherever the engine has it for this model."""
    kv_type: Literal["f16", "q8_0", "q4_0"] = "f16"
    """Number format of the KV cache. The smaller ones save memory and cost some accuracy."""
    speculation: Literal["auto", "off", "ngram", "draft"] = "auto"
    """Guessing tokens ahead, which changes no answer; auto: a draft model if one is set, else n-grams."""
    draft_model: str | None = None
    """A small model of the same vocabulary that guesses for a large one."""
    adapters: tuple[str, ...] = ()
    """LoRA adapters (GGUF files) to apply."""
    load_timeout_s: Seconds = 600.0
    """How long loading may take."""
    stall_timeout_s: Seconds = 600.0
    """How long a request may go without a sign of life from the engine."""


class ServerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[server]: `isthmus serve`."""

    host: str = "127.0.0.1"
    """The address to listen on. Any other than loopback needs a key (`isthmus key create`)."""
    port: Port = 4774
    """The port to listen on; 0: any that is free."""
    max_body_mb: Positive = 32
    """The largest request body that is read."""
    ping_s: Seconds = 10.0
    """How long a stream may be silent, while a prompt is read for instance, before a ping is sent."""
    drain_s: Seconds = 10.0
    """How long answers in flight may take to end when the server is asked to stop."""
    responses_days: Annotated[float, Meta(ge=0)] = 30.0
    """Days for which answers of the Responses API are kept, unless a request says no; 0: none is kept."""
    max_connections: Positive = 4096
    """Connections, streams among them, that may be open at once; further ones are told to come back (503)."""
    max_messages: Positive = 10_000
    """The most messages that one request may hold."""
    body_timeout_s: Seconds = 60.0
    """How long a client may take to send a request's body."""
    write_timeout_s: Seconds = 60.0
    """How long a client may read nothing of a stream before it is cut off."""
    keep_alive_s: Seconds = 75.0
    """How long an idle connection stays open; longer than the proxy in front keeps its own."""
    request_timeout_s: Annotated[float, Meta(ge=0)] = 0.0
    """How long an answer may take in all; 0: as long as it takes."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which the server may be addressed, beside its own; beyond loopback empty means any."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may use the server (https://app.example.org); "*" is any of them."""
    cors_without_keys: bool = False
    """Whether "*" counts even while there is no key, so that any page may use the server."""
    metrics: bool = True
    """Whether /metrics answers."""
    metrics_by_key: bool = False
    """Whether tokens and cost are counted for each key by its name, too."""
    log_format: Literal["text", "json"] = "text"
    """How the server's log is written: lines for people, or one JSON object a line."""
    log_requests: bool = True
    """Whether each request has a line in the log; it holds no text of questions or answers, and no key."""
    log_content: bool = False
    """Whether questions and answers are logged too, word for word."""
    traces_endpoint: str | None = None
    """Where traces are sent (OTLP over HTTP), such as http://127.0.0.1:4318/v1/traces; unset: nowhere."""
    trace_content: bool = False
    """Whether traces hold questions and answers, word for word."""


class BudgetSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[handoff.budget]: caps on what hosted answers may cost, in dollars; a local answer is never refused."""

    request_usd: Decimal | None = None
    """What one question may cost."""
    day_usd: Decimal | None = None
    """What a day (UTC) may cost."""
    month_usd: Decimal | None = None
    """What a month (UTC) may cost."""


class HandoffSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[handoff]: who answers, and what may leave."""

    mode: HandoffMode = "off"
    """off: nothing ever leaves. ask: with your consent, each time. auto: as estimated. always: everything."""
    local_only: bool = False
    """The hard switch: nothing leaves, whatever any flag, header or model name says."""
    provider: str | None = None
    """The name of the [providers.NAME] table to hand questions to."""
    threshold: Probability = 0.5
    """auto and ask: hand over where P(the local answer is wrong) is above this."""
    max_hold_tokens: Annotated[int, Meta(ge=0)] = 16
    """How many tokens of a streamed local answer may be held back while its worth is judged."""
    max_output_tokens: Positive = 4096
    """Tokens a hosted answer may have where the request names no limit; the reservation counts them all."""
    budget: BudgetSettings = BudgetSettings()


class ProviderSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.NAME]: an address that speaks OpenAI's chat completions."""

    base_url: str
    """Up to and including the version: https://api.openai.com/v1, http://127.0.0.1:11434/v1."""
    model: str | None = None
    """The model's name there."""
    key_env: str | None = None
    """The environment variable that holds the key. The key itself is never written to a file."""
    local: bool = False
    """Declares the address to be inside the trust line: what runs there is a local model."""
    input_usd_per_mtok: Decimal | None = None
    """Price of a million prompt tokens; without it the built-in price list is asked."""
    output_usd_per_mtok: Decimal | None = None
    """Price of a million completion tokens."""
    connect_timeout_s: Seconds = 5.0
    """How long connecting may take."""
    first_byte_timeout_s: Seconds = 60.0
    """The longest wait for the beginning of an answer."""
    stall_timeout_s: Seconds = 60.0
    """The longest silence in the middle of a stream."""

    @property
    def host(self) -> str:
        """The host name or address in ``base_url``."""
        return urlsplit(self.base_url).hostname or ""

    def __repr__(self) -> str:
        return without_credentials(super().__repr__())


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    home: str = ""
    """Where models, the ledger and the run file live; by default the user's data folder."""
    model: str = "qwen2.5-coder:0.5b"
    """The local model that answers where none is named."""
    system: str | None = None
    """A system message for `ask` and `chat`."""
    effort: Effort | None = None
    """Reasoning effort, passed to the model's template."""
    max_tokens: Positive | None = None
    """Tokens that an answer may have; unset: as many as fit the context."""
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    """0 picks the likeliest token each time, more is more varied; unset: the model's own."""
    show_reasoning: Literal["dim", "hide"] = "dim"
    """How `ask` and `chat` show a model's thinking in a terminal."""
    offline: bool = False
    """No network at all: no download, no hosted model."""
    hf_endpoint: str = "https://huggingface.co"
    """Where Hugging Face, or a mirror of it, answers."""
    local_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that a provider with local = true may be on."""
    engine: EngineSettings = EngineSettings()
    server: ServerSettings = ServerSettings()
    handoff: HandoffSettings = HandoffSettings()
    providers: dict[str, ProviderSettings] = {}

    @property
    def home_path(self) -> Path:
        """The folder of models, ledger and run file."""
        return Path(self.home)

    @property
    def ledger_path(self) -> Path:
        """The ledger's SQLite file."""
        return self.home_path / "ledger.sqlite3"

    @property
    def run_file(self) -> Path:
        """Where a running server says how to reach it."""
        return self.home_path / "server.json"

    @property
    def runners(self) -> dict[str, ProviderSettings]:
        """The providers that the person declared local."""
        return {name: each for name, each in self.providers.items() if each.local}
