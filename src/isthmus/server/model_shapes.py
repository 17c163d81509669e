"""What is said of models, in each asker's shape: OpenAI's, Anthropic's, Codex's.

The context is the one that is allocated, known of models that were loaded: clients that fill more of it get
errors. Those of vLLM read it as ``max_model_len``, those of llama.cpp as ``meta.n_ctx``.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from isthmus.runtime.models import KnownModel

# ---------------------------------------------------------------- OpenAI's, with what we know beside


class EngineMeta(Struct):
    """What llama.cpp's server says of a model."""

    n_ctx: int | None


class OpenAIModel(Struct):
    """A model that a request may name."""

    id: str
    created: int
    loaded: bool
    context_length: int | None
    max_model_len: int | None
    meta: EngineMeta
    size_bytes: int | None
    digest: str | None
    object: Literal["model"] = "model"
    owned_by: Literal["isthmus"] = "isthmus"


class OpenAIModels(Struct):
    """All of them."""

    data: list[OpenAIModel]
    object: Literal["list"] = "list"


def openai_model(model: KnownModel, since: int) -> OpenAIModel:
    """A model as OpenAI's clients read it.

    Args:
        model: The model.
        since: When it was there at the latest, in seconds since 1970.
    """
    return OpenAIModel(
        id=model.name,
        created=int(model.added.timestamp()) if model.added else since,
        loaded=model.loaded,
        context_length=model.context_length,
        max_model_len=model.context_length,
        meta=EngineMeta(model.context_length),
        size_bytes=model.size_bytes,
        digest=model.digest,
    )


# ---------------------------------------------------------------- Anthropic's


class AnthropicModel(Struct, tag="model"):
    """A model that a request may name."""

    id: str
    display_name: str
    created_at: datetime
    max_input_tokens: int | None
    max_tokens: int | None
    lifecycle: Literal["active"] = "active"


class AnthropicModels(Struct):
    """A page of them."""

    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


def anthropic_model(model: KnownModel, since: int) -> AnthropicModel:
    """A model as Anthropic's clients read it; the arguments are those of `openai_model`."""
    added = model.added or datetime.fromtimestamp(since, UTC)
    context = model.context_length
    return AnthropicModel(model.name, model.name, added.astimezone(UTC), context, context)


# ---------------------------------------------------------------- Codex's


class CodexTruncation(Struct):
    """How much of a command's output is given to the model."""

    mode: Literal["bytes", "tokens"]
    limit: int


class CodexEffort(Struct):
    """A reasoning effort to choose."""

    effort: str
    description: str


class CodexModel(Struct):
    """A model as Codex's own catalogue describes one: what any of its versions can't do without."""

    slug: str
    display_name: str
    description: str
    context_window: int | None
    max_context_window: int | None
    priority: int
    base_instructions: str
    truncation_policy: CodexTruncation
    supported_reasoning_levels: list[CodexEffort]
    input_modalities: list[Literal["text", "image"]]
    shell_type: Literal["shell_command"] = "shell_command"
    visibility: Literal["list"] = "list"
    supported_in_api: bool = True
    supports_reasoning_summaries: bool = True
    supports_reasoning_summary_parameter: bool = True
    default_reasoning_summary: Literal["auto"] = "auto"
    support_verbosity: bool = False
    default_verbosity: None = None
    apply_patch_tool_type: None = None
    web_search_tool_type: Literal["text"] = "text"
    supports_parallel_tool_calls: bool = True
    supports_image_detail_original: bool = False
    supports_search_tool: bool = False
    use_responses_lite: bool = False
    include_skills_usage_instructions: bool = False
    effective_context_window_percent: int = 95
    auto_compact_token_limit: int | None = None
    experimental_supported_tools: list[str] = []
    additional_speed_tiers: list[str] = []
    service_tiers: list[Any] = []
    availability_nux: None = None
    upgrade: None = None


class CodexModels(Struct):
    """All of them, the default first."""

    models: list[CodexModel]


_OUTPUT = CodexTruncation("bytes", 10_000)
_EFFORTS = [
    CodexEffort("low", "Answers soon."),
    CodexEffort("medium", "Thinks a while."),
    CodexEffort("high", "Thinks as long as it takes."),
]
_INSTRUCTIONS = """\
You are a coding agent. You work in a person's terminal, inside a repository of theirs, with the tools that \
you are given.

- Look before you change: list and search files, and read what you are about to edit.
- Do what was asked, all of it and nothing else. Keep to the style of the code around.
- Use the shell for everything: to read and write files, to search (rg where there is one), to run tests.
- Edit small parts of files in place; don't rewrite a file for a few lines of it.
- After a change, run what shows that it works. If it fails, find out why before you try something else.
- Never undo changes that you didn't make, never commit or delete unless you are asked to.
- If a tool fails, read its error and go on from there; don't repeat the same call.
- When you are done, say in a few sentences what you did and what you could not do.
"""
"""Codex takes a catalogue's instructions in place of its own, and can't do without: short ones, since a
model at home has to read them before its first word."""


def codex_model(model: KnownModel, place: int) -> CodexModel:
    """A model as Codex reads it.

    Args:
        model: The model.
        place: Where it stands in the list; the first is the default.
    """
    return CodexModel(
        slug=model.name,
        display_name=model.name,
        description="Runs on this machine, by Isthmus.",
        context_window=model.context_length,
        max_context_window=model.context_length,
        priority=place,
        base_instructions=_INSTRUCTIONS,
        truncation_policy=_OUTPUT,
        supported_reasoning_levels=_EFFORTS,
        input_modalities=["text"],
    )
