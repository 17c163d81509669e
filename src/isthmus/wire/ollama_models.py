"""What Ollama's API says of models: its answers' shapes, and how it writes sizes and names."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.wire.decoding import BodyDecoder


class Details(Struct, frozen=True, kw_only=True):
    """A model in a few words; those that nobody knows are empty."""

    parent_model: str = ""
    format: str = ""
    family: str = ""
    families: list[str] = []
    parameter_size: str = ""
    quantization_level: str = ""


class ListedModel(Struct, kw_only=True):
    """A model of ``/api/tags``."""

    name: str
    model: str
    modified_at: datetime
    size: int
    digest: str
    details: Details


class Listing(Struct):
    """``GET /api/tags``."""

    models: list[ListedModel]


class RunningModel(Struct, kw_only=True):
    """A model of ``/api/ps``: sizes in bytes, the context as allocated."""

    name: str
    model: str
    size: int
    size_vram: int
    digest: str
    details: Details
    expires_at: datetime
    context_length: int


class Running(Struct):
    """``GET /api/ps``."""

    models: list[RunningModel]


class Shown(Struct, kw_only=True):
    """``POST /api/show``."""

    license: str = ""
    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    details: Details
    model_info: dict[str, Any] = {}
    capabilities: list[str]
    modified_at: datetime


class Version(Struct):
    """``GET /api/version``: the Ollama whose API this is, and the version of what answers."""

    version: str
    isthmus: str


class PullLine(Struct, omit_defaults=True):
    """A line of ``/api/pull``. ``digest`` is the same in all lines of one piece of work."""

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None


class Embedded(Struct, kw_only=True):
    """``POST /api/embed``: vectors of unit length; durations in nanoseconds."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class EmbeddedOne(Struct):
    """``POST /api/embeddings``, which came before ``/api/embed``."""

    embedding: list[float]


# ---------------------------------------------------------------- requests


class Named(Struct):
    """A request about one model; ``name`` is what ``model`` was called before."""

    model: str | None = None
    name: str | None = None
    stream: bool | None = None


class Copied(Struct):
    """``POST /api/copy``."""

    source: str
    destination: str


_NAMED = BodyDecoder(Named, {})
_COPIED = BodyDecoder(Copied, {})


class NamedCall(Struct, frozen=True):
    """A parsed request about one model; ``ignored`` parameters had no effect."""

    name: str
    stream: bool
    ignored: tuple[str, ...]


def parse_named(body: bytes) -> NamedCall:
    """Read a request about one model.

    Raises:
        RequestError: Not JSON, or it names no model.
    """
    asked = _NAMED.decode(body)
    name = asked.model or asked.name
    if not name:
        raise RequestError("model is required", param="model")
    return NamedCall(name, asked.stream is not False, _NAMED.unknown(body))


def parse_copied(body: bytes) -> Copied:
    """Read a request for one more name.

    Raises:
        RequestError: Not JSON, or one of the names is missing.
    """
    return _COPIED.decode(body)


# ---------------------------------------------------------------- words


def tagged(name: str) -> str:
    """A model's name with its tag, as Ollama always writes it."""
    return name if ":" in name else f"{name}:latest"


def human_count(count: int) -> str:
    """A number of parameters as Ollama writes it: 494.03M, 7.6B, 20B."""
    for unit, size, digits in (("B", 10**9, 1), ("M", 10**6, 2), ("K", 10**3, 0)):
        if count >= size:
            amount = count / size
            return f"{amount:.{0 if amount == int(amount) else digits}f}{unit}"
    return str(count)
