"""What the person has decided: isthmus.toml, ISTHMUS_* variables, flags; read once, frozen, passed in.

This module says what can be set and what it means; `isthmus.configuration` finds and merges the values.
A unit is part of a name where it is not obvious (``_s`` seconds, ``_usd`` dollars).
"""

import re
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from isthmus.messages import Effort, HandoffMode

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
ShowReasoning: TypeAlias = Literal["dim", "hide", "live"]
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


class ReasoningSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[reasoning]: what effort does with models that weren't trained to think."""

    samples: Annotated[int, Meta(ge=2, le=64)] = 8
    """How many answers may be drawn and voted on at effort high; at xhigh twice as many."""
    wave: Annotated[int, Meta(ge=1, le=16)] = 4
    """How many of them are drawn at a time at most, as one batch; no more than engine.parallel."""
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    """How sure it must be that the leading answer stays ahead for no more to be drawn."""
    sample_tokens: Annotated[int, Meta(ge=16)] = 1024
    """Tokens that one of them, or one train of thought, may have where the request names no limit."""
    time_limit_s: Annotated[float, Meta(ge=0)] = 300.0
    """How long may be thought; then the answer is made of what there is. 0: as long as it takes."""
    python: bool = True
    """Whether code may be run, in the sandbox, to see which answer passes the tests that a question shows;
    for a hand-off, too."""


class BudgetSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[handoff.budget]: caps on what hosted answers may cost, in dollars; a local answer is never refused."""

    request_usd: Decimal | None = None
    """What one question may cost."""
    day_usd: Decimal | None = None
    """What a day (UTC) may cost."""
    month_usd: Decimal | None = None
    """What a month (UTC) may cost."""


class HomeOnlySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[handoff.home_only]: what keeps a conversation on this machine, however hard its questions are.

    The lists of all settings files count together: none takes another's away.
    """

    paths: tuple[str, ...] = ()
    """Files and folders: "~/clients/**", "*.pem". A conversation that names one stays home."""
    tools: tuple[str, ...] = ()
    """Tools whose output stays home, * standing for any letters: "read_mail", "mcp__crm__*"."""
    words: tuple[str, ...] = ()
    """Words and phrases, in upper or lower case: "Project Falcon"."""
    patterns: tuple[str, ...] = ()
    """Regular expressions, as Python has them: "CASE-\\d{6}"."""
    days: Annotated[float, Meta(gt=0)] = 365.0
    """Days for which marked texts, and what was made of them, are recognised after they were last seen."""


class RedactionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[handoff.redaction]: what is hidden from hosted models, and put back into their answers."""

    recogniser: Literal["auto", "builtin", "rampart", "presidio", "model", "off"] = "auto"
    """Who finds names and postal addresses; builtin: by what stands around them. rampart and presidio need
    isthmus[privacy]; model: the model at home, which takes seconds; auto: rampart where it is installed, else
    builtin."""
    languages: tuple[str, ...] = ("en",)
    """Languages whose spaCy models presidio is to use; the others need no such list."""
    off: tuple[str, ...] = ()
    """Kinds that are not looked for: "HOSTNAME", "PERSON"; `isthmus handoff explain` names what it finds."""
    patterns: dict[str, str] = {}
    """Your own kinds: a name in capitals, and a regular expression (RE2's syntax) of what is to be hidden."""
    allow: tuple[str, ...] = ()
    """What may leave as it is, though a detector would hide it; whole values, in any case."""
    regions: tuple[str, ...] = (
        *("US", "GB", "IT", "FR", "DE", "ES", "PT", "NL", "BE", "CH", "AT", "PL"),
        *("SE", "DK", "NO", "FI", "IE", "CA", "AU", "BR", "MX", "IN", "JP"),
    )
    """Countries whose way to write telephone numbers is known without a country code."""
    images: bool = False
    """Whether images may leave although nothing in them can be hidden."""


class LedgerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[ledger]: how long is kept what was asked, and what left."""

    retention_days: Annotated[float, Meta(ge=0)] = 0.0
    """Days for which questions' rows are kept, this month's in any case; then a checkpoint is left of them,
    so that the chain can still be verified. 0: all are kept."""
    sealed_days: Annotated[float, Meta(ge=0)] = 90.0
    """Days for which sealed copies of what left are kept; 0: as long as their questions' rows."""


class HandoffSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[handoff]: who answers, and what may leave."""

    mode: HandoffMode = "off"
    """off: nothing ever leaves. shadow: nor here, but what auto would send, and its cost, is recorded. ask:
    with your consent, each time. auto: as estimated. always: everything."""
    local_only: bool = False
    """The hard switch: nothing leaves, whatever any flag, header or model name says."""
    provider: str | None = None
    """The name of the [providers.NAME] table to hand questions to."""
    providers: tuple[str, ...] = ()
    """Several of them, in the order in which they are asked where one fails; they take `provider`'s place."""
    deadline_s: Seconds = 90.0
    """How long a hosted answer may take to begin, all attempts and the waits between them together."""
    retries: Annotated[int, Meta(ge=0)] = 2
    """How often one provider is asked again for a question, where it failed without a bill."""
    breaker_failures: Positive = 5
    """Failures in a row after which a provider is left alone for a while."""
    breaker_rest_s: Seconds = 30.0
    """How long it is left alone; then one question tries whether it works again."""
    threshold: Probability | None = None
    """auto and ask: hand over where the estimate's score is above this; unset: as the profile has it."""
    profile: str = "builtin"
    """What judges questions and answers: a profile of `isthmus handoff calibrate`, or the built-in one."""
    samples: Annotated[int, Meta(ge=0, le=8)] = 3
    """How many more local answers are drawn where a whole one is in doubt, to see whether they agree."""
    max_hold_tokens: Annotated[int, Meta(ge=0)] = 16
    """How many tokens of a streamed local answer may be held back while its worth is judged."""
    max_output_tokens: Positive = 4096
    """Tokens a hosted answer may have where the request names no limit; the reservation counts them all."""
    stickiness: Annotated[float, Meta(ge=0, le=0.5)] = 0.2
    """By how much the threshold may shift, in a long conversation, towards whoever answered last."""
    delegate: bool = False
    """Whether the local model may ask the hosted one a question of its own (modes auto, and ask)."""
    delegate_calls: Positive = 2
    """How often it may do so while it answers one question."""
    delegate_usd: Decimal | None = None
    """What those calls may cost together, for one question."""
    pending_hours: Annotated[float, Meta(ge=0)] = 24.0
    """Hours for which a question waits for consent, its text in the ledger, where nobody could be asked."""
    pending_most: Positive = 200
    """Questions that may wait for consent at once, for each API key; the oldest gives way."""
    redact: bool = True
    """Whether names, numbers, keys and the like are replaced before anything leaves, and put back after."""
    redaction: RedactionSettings = RedactionSettings()
    keep_sent: Literal["off", "sealed"] = "off"
    """sealed: a copy of what left is kept, encrypted for `sealing_key`."""
    sealing_key: str | None = None
    """The public key that `isthmus handoff keygen` printed; the secret one opens the copies."""
    budget: BudgetSettings = BudgetSettings()
    home_only: HomeOnlySettings = HomeOnlySettings()

    @property
    def order(self) -> tuple[str, ...]:
        """The providers, in the order in which they are asked."""
        return self.providers or ((self.provider,) if self.provider else ())


class ProviderSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.NAME]: a vendor of hosted models, or an address that speaks OpenAI's chat completions."""

    base_url: str = ""
    """Up to and including the version: https://api.openai.com/v1, http://127.0.0.1:11434/v1. By default the
    vendor's own, where NAME or `vendor` is one that Isthmus knows."""
    model: str | None = None
    """The model's name there."""
    key_env: str | None = None
    """The environment variable that holds the key; by default the vendor's own. A key is never written to a
    file."""
    vendor: str | None = None
    """Whose habits the address has: openai, anthropic, mistral...; by default as its host, or NAME, says."""
    local: bool = False
    """Declares the address to be inside the trust line: what runs there is a local model."""
    input_usd_per_mtok: Decimal | None = None
    """Price of a million prompt tokens; without it the built-in price list is asked."""
    output_usd_per_mtok: Decimal | None = None
    """Price of a million completion tokens, thinking included."""
    cached_usd_per_mtok: Decimal | None = None
    """Price of a million prompt tokens that were cached; without it they cost what the others do."""
    day_usd: Decimal | None = None
    """What calls to it may cost in a day (UTC), in dollars."""
    month_usd: Decimal | None = None
    """What they may cost in a month (UTC)."""
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


class PublisherSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[publishers.NAME]: a publisher of weights whose keys you know, and what its releases must prove.

    What your own settings file says of a publisher, one in a working folder can't change.
    """

    keys: tuple[str, ...] = ()
    """Files of its public keys: a release that one of them signed is the publisher's."""
    require: Literal["none", "signed", "gated"] = "gated"
    """signed: the files are those that it signed. gated: they passed its gate, too, and people approved. What
    proves less isn't loaded. A publisher that isn't named here has none."""
    models: tuple[str, ...] = ()
    """Names and sources that are its alone, * standing for any letters: "acme-*", "hf:acme/*". What goes by
    them and isn't proven isn't loaded, either."""
    policy: str | None = None
    """The policy that must have been applied, by its id; unset: any of the publisher's."""
    policy_version: Annotated[int, Meta(ge=0)] = 0
    """The oldest version of it that will do."""
    reviewers: tuple[str, ...] = ()
    """Files of public keys, of which two must have approved; unset: those that the publisher vouches for."""
    advisories: str | None = None
    """The file of the publisher's advisories, which you keep current; without one none are heeded."""


class GateSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """[gate]: `isthmus gate`, for those who publish weights."""

    key: str | None = None
    """Where no --key names it: the file of your secret key, or the public half of one in your ssh-agent."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    home: str = ""
    """Where models, the ledger and the run file live; by default the user's data folder."""
    model: str = "qwen2.5-coder:0.5b"
    """The local model that answers where none is named."""
    system: str | None = None
    """A system message for `ask` and `chat`."""
    effort: Effort | None = None
    """Reasoning effort: none, minimal, low, medium, high, xhigh; unset: the model's own."""
    max_tokens: Positive | None = None
    """Tokens that an answer may have; unset: as many as fit the context."""
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    """0 picks the likeliest token each time, more is more varied; unset: the model's own."""
    show_reasoning: ShowReasoning = "dim"
    """How `ask` and `chat` show a model's thinking in a terminal; live: samples in a vote, side by side."""
    offline: bool = False
    """No network at all: no download, no hosted model."""
    hf_endpoint: str = "https://huggingface.co"
    """Where Hugging Face, or a mirror of it, answers."""
    local_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that a provider with local = true may be on."""
    engine: EngineSettings = EngineSettings()
    server: ServerSettings = ServerSettings()
    reasoning: ReasoningSettings = ReasoningSettings()
    handoff: HandoffSettings = HandoffSettings()
    ledger: LedgerSettings = LedgerSettings()
    providers: dict[str, ProviderSettings] = {}
    gate: GateSettings = GateSettings()
    publishers: dict[str, PublisherSettings] = {}

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
