"""Requests of Ollama's API as they come: their shapes, and what its clients write in more ways than one."""

import binascii
import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import Role
from isthmus.wire.call import Extension, Mark
from isthmus.wire.images import check_image

MAX_TOP_LOGPROBS = 20
MAX_TIME_CHARACTERS = 40
FOREVER_S = 100 * 365 * 86_400.0
"""As good as for ever, and still a time that clocks can count."""

Whole: TypeAlias = int | float
"""A whole number; Ollama takes 40.0 for one."""
Seconds: TypeAlias = int | float | str
"""A time: seconds, or a number with its unit, as ``5m``, ``1h30m`` and ``500ms``."""

# ---------------------------------------------------------------- shapes


class Options(Struct):
    """What ``options`` may hold and has an effect here."""

    num_predict: Whole | None = None
    num_ctx: Whole | None = None
    seed: Whole | None = None
    temperature: Annotated[float, Meta(ge=0)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Whole | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    typical_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Meta(ge=0)] | None = None
    repeat_last_n: Whole | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    stop: str | list[str] | None = None


class CalledFunction(Struct):
    """A function that a message calls; ``arguments`` is an object, or its text."""

    name: str
    arguments: dict[str, Any] | str = {}


class CalledTool(Struct):
    """One of a message's calls; older clients give it no identifier."""

    function: CalledFunction
    id: str | None = None


class OllamaMessage(Struct):
    """A turn of a conversation; ``images`` are base64."""

    role: Role
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[CalledTool] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    isthmus: Mark | None = None


class OfferedFunction(Struct):
    """A function that the model may call; ``parameters`` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class OfferedTool(Struct):
    """A tool that the model may use."""

    function: OfferedFunction
    type: Literal["function"] = "function"


class Asked(Struct, kw_only=True):
    """What ``/api/chat`` and ``/api/generate`` have in common."""

    model: str | None = None
    stream: bool | None = None
    format: str | dict[str, Any] | None = None
    think: bool | str | None = None
    options: Options | None = None
    keep_alive: Seconds | None = None
    truncate: bool | None = None
    shift: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    isthmus: Extension | None = None


class ChatBody(Asked, kw_only=True):
    """``POST /api/chat``. Without messages, the model is loaded; with a ``keep_alive`` of 0, unloaded."""

    messages: list[OllamaMessage] | None = None
    tools: list[OfferedTool] | None = None


class GenerateBody(Asked, kw_only=True):
    """``POST /api/generate``. Without a prompt, the model is loaded; with a ``keep_alive`` of 0, unloaded."""

    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = None
    suffix: str | None = None
    raw: bool | None = None
    template: str | None = None
    context: list[int] | None = None


class EmbedBody(Struct):
    """``POST /api/embed``. Without texts, the model is loaded."""

    model: str | None = None
    input: str | list[str] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    keep_alive: Seconds | None = None


class EmbeddingsBody(Struct):
    """``POST /api/embeddings``. Without a text, the model is loaded."""

    model: str | None = None
    prompt: str | None = None
    keep_alive: Seconds | None = None


class OptionNames(Struct):
    """The names in a body's ``options``."""

    options: dict[str, msgspec.Raw] | None = None


# ---------------------------------------------------------------- values


def whole(value: Whole | None, param: str, *, below: int = 2**31) -> int | None:
    """A whole number.

    Raises:
        RequestError: It has a fraction, or engines can't count that far.
    """
    if value is None:
        return None
    if abs(value) >= below:
        raise RequestError(f"{param}: {value} is out of range", param=param)
    if value != int(value):
        raise RequestError(f"{param}: {value} is not a whole number", param=param)
    return int(value)


_DURATION = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[a-zµμ]+(?:\d+\.?\d*|\.\d+))*[a-zµμ]*", re.ASCII)
_AMOUNT = re.compile(r"(\d+\.?\d*|\.\d+)([a-zµμ]*)", re.ASCII)
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "": 1}


def seconds(value: Seconds | None, param: str) -> float | None:
    """A time in seconds; -1 for any that is negative, which stands for ever.

    Raises:
        RequestError: It is no time.
    """
    if value is None:
        return None
    if isinstance(value, str):
        well_formed = len(value) <= MAX_TIME_CHARACTERS and _DURATION.fullmatch(value)
        amounts: list[tuple[str, str]] = _AMOUNT.findall(value) if well_formed else []
        if not amounts or any(unit not in _UNITS_S for _, unit in amounts):
            raise RequestError(f"{param}: {value!r} is no time; write 300, or 5m", param=param)
        time = sum(float(number) * _UNITS_S[unit] for number, unit in amounts)
        value = -time if value.startswith("-") else time
    return -1.0 if value < 0 else float(min(value, FOREVER_S))


_STARTS = {b"\xff\xd8": "jpeg", b"\x89PNG": "png", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}


def image_url(data: str, param: str) -> str:
    """A base64 image as the data: URL that the other APIs have.

    Raises:
        RequestError: It is no image within the limits.
    """
    url = data if data.startswith("data:") else f"data:image/{_kind(data)};base64,{data}"
    check_image(url, param)
    return url


def _kind(data: str) -> str:
    """What an image seems to be; `check_image` makes sure that it is one."""
    try:
        start = binascii.a2b_base64(data[:8])
    except ValueError:
        start = b""
    return next((kind for magic, kind in _STARTS.items() if start.startswith(magic)), "png")
