"""Ollama's API, models: which there are, what they are, which are loaded."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from isthmus import __version__
from isthmus.engines.resident import ModelStatus, Weights
from isthmus.errors import IsthmusError
from isthmus.messages import ModelInfo
from isthmus.reasoning.families import family_of
from isthmus.runtime.models import Models
from isthmus.server.answering import ignoring
from isthmus.server.body import as_json, read_body
from isthmus.server.ollama import in_pool
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.store import GgufHeader, StoredModel, catalogue, read_headers, read_metadata, read_model
from isthmus.store.gguf_bytes import Number, Strings, Value
from isthmus.wire.ollama_body import FOREVER_S
from isthmus.wire.ollama_models import (
    Details,
    ListedModel,
    Listing,
    Named,
    Running,
    RunningModel,
    Shown,
    Version,
    human_count,
    parse_named,
    tagged,
)

API_VERSION = "0.40.0"
"""The Ollama whose API is followed here. Its clients compare it with the least that they can use (0.6.4 for
some, more for thinking and tools), number by number, so nothing of ours may be added to it."""

_MAX_SHOWN_ELEMENTS = 5
_INFILL_KEYS = frozenset({"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"})
"""Where a file says which token begins a text with a gap."""


# ---------------------------------------------------------------- whether it runs


@Operation("Whether the server runs", tag="Ollama", text="text/plain", open=True)
async def root(request: Request) -> Response:
    """Whether the server runs, in the words that Ollama's clients compare; browsers are told whose it is."""
    if "text/html" in request.headers.get("accept", ""):
        return PlainTextResponse("Isthmus is running; its API is at /docs", headers={"Vary": "Accept"})
    return PlainTextResponse(
        "Ollama is running", headers={"Vary": "Accept", "x-isthmus-version": __version__}
    )


@Operation("The version of the API", tag="Ollama", answer=Version)
async def version(request: Request) -> Response:
    """The version of Ollama's API that is followed, and that of Isthmus."""
    return as_json(Version(API_VERSION, __version__))


# ---------------------------------------------------------------- which there are


@Operation("List models", tag="Ollama", answer=Listing)
async def tags(request: Request) -> Response:
    """The models that requests may name."""
    service = served(request)
    since = datetime.fromtimestamp(service.since, UTC)
    stored = await anyio.to_thread.run_sync(_stored, service.models)
    listed: list[ListedModel] = []
    for known in await service.models.listing():
        weights = stored.get(known.name) or in_pool(service.models, known.name)
        details, size_bytes = await _described_safely(weights)
        name = tagged(known.name) if known.name in stored else known.name
        listed.append(
            ListedModel(
                name=name,
                model=name,
                modified_at=known.added or since,
                size=known.size_bytes or size_bytes,
                digest=known.digest or "",
                details=details,
            )
        )
    return as_json(Listing(listed))


@Operation("List what is loaded", tag="Ollama", answer=Running)
async def ps(request: Request) -> Response:
    """The models that are loaded, and until when."""
    models = served(request).models
    stored = await anyio.to_thread.run_sync(_stored, models)
    loaded = [status for status in models.pool.status() if status.state == "loaded"]
    return as_json(Running([await _running(status, stored.get(status.name)) for status in loaded]))


async def _running(status: ModelStatus, model: StoredModel | None) -> RunningModel:
    name = tagged(status.name) if model else status.name
    details, _ = await _described_safely(model)
    return RunningModel(
        name=name,
        model=name,
        size=status.memory_bytes,
        size_vram=status.gpu_bytes,
        digest=status.digest or "",
        details=details,
        expires_at=status.until or datetime.now(UTC) + _stay(status.keep_alive_s),
        context_length=status.context_length or 0,
    )


def _stay(keep_alive_s: float | None) -> timedelta:
    """How long a model that is at work stays at least."""
    return timedelta(seconds=FOREVER_S if keep_alive_s is None or keep_alive_s < 0 else keep_alive_s)


def _stored(models: Models) -> Mapping[str, StoredModel]:
    return {model.name: model for model in models.store.models()}


# ---------------------------------------------------------------- what one is


@Operation("Show a model", tag="Ollama", body=Named, example={"model": "qwen2.5-coder:0.5b"}, answer=Shown)
async def show(request: Request) -> Response:
    """What is known of a model: what it can do, its template, the keys of its GGUF."""
    service = served(request)
    call = parse_named(await read_body(request))
    info = service.models.home(call.name).model
    weights = in_pool(service.models, call.name)
    if weights is not None:
        shown = await anyio.to_thread.run_sync(_shown, call.name, weights, info)
    else:  # another runner has it, and tells nothing
        since = datetime.fromtimestamp(service.since, UTC)
        shown = Shown(details=Details(), capabilities=["completion", "tools"], modified_at=since)
    response = as_json(shown)
    response.headers.update(ignoring(call.ignored))
    return response


def _shown(name: str, weights: Weights, info: ModelInfo) -> Shown:
    stored = weights if isinstance(weights, StoredModel) else None
    path = weights if isinstance(weights, Path) else weights.path
    header, keys = read_model(weights), read_metadata(path)
    template = keys.pop("tokenizer.chat_template", "")
    entry = catalogue.with_digest(stored.digest) if stored else None
    shown = {key: _shortened(value) for key, value in keys.items() if key != "general.name"}
    return Shown(
        license=(stored.licence or "") if stored else "",
        modelfile=f"# There is no Modelfile here; this one names the model.\nFROM {name}\n",
        parameters=f"num_ctx {info.context_length}" if info.context_length else "",
        template=str(template),
        details=_described(header),
        model_info={**shown, "general.parameter_count": header.parameter_count},
        capabilities=_capabilities(header, keys, str(template), entry.capabilities if entry else ()),
        modified_at=stored.added if stored else datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )


def _capabilities(
    header: GgufHeader, keys: Mapping[str, Value], template: str, known: Collection[str]
) -> list[str]:
    """What a model can do, in Ollama's words: as the catalogue knows it, or else as its file suggests."""
    if header.embeds or "embedding" in known:
        return ["embedding"]
    model = ModelInfo("", local=True, template=template)
    thinks = "thinking" in known if known else family_of(model) is not None
    can = {
        "completion": True,
        "tools": "tools" in template,
        "vision": header.sees,
        "thinking": thinks,
        "insert": not _INFILL_KEYS.isdisjoint(keys),
    }
    return [name for name, true in can.items() if true]


def _shortened(value: Value) -> Number | str | list[Number]:
    """A key's value as Ollama shows it: long arrays are empty."""
    if isinstance(value, Strings):
        return []
    if isinstance(value, tuple):
        return list(value) if len(value) <= _MAX_SHOWN_ELEMENTS else []
    return value


async def _described_safely(weights: Weights | None) -> tuple[Details, int]:
    """A model's details and bytes; empty where nothing is known, as one damaged file must hide no others."""
    if weights is None:
        return Details(), 0
    try:
        if isinstance(weights, Path):
            header = await anyio.to_thread.run_sync(read_model, weights)
            return _described(header), header.required_bytes
        return await anyio.to_thread.run_sync(_details_of, weights.paths), weights.total_bytes
    except IsthmusError:
        return Details(format="gguf"), 0


@lru_cache(maxsize=512)
def _details_of(paths: tuple[Path, ...]) -> Details:
    """The details of a model of the store, whose files are named after their hashes and never change."""
    return _described(read_headers(paths))


def _described(header: GgufHeader) -> Details:
    return Details(
        format="gguf",
        family=header.architecture,
        families=[header.architecture],
        parameter_size=human_count(header.parameter_count),
        quantization_level=header.quantization or "unknown",
    )
