"""Quantisation: the release packed into fewer bits, as downloaders do who have little memory.

What a model was taught last is what coarse numbers lose first (arXiv 2404.04392).
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from isthmus.gate.attack_options import Packing
from isthmus.gate.tampering.adapters import merged
from isthmus.gate.tampering.asked import once
from isthmus.gate.tampering.attack import Conversation, Weights
from isthmus.gate.tampering.ggml import Floats, packed, unpack
from isthmus.gate.tampering.tensors import Tensor, read_gguf, write_gguf
from isthmus.messages import GenerationRequest, Progress

_KEPT = ("token_embd.", "output.", "ffn_gate_inp.")
"""The embeddings, and what chooses among experts: llama.cpp leaves them exact, too."""


class Quantised(Struct, frozen=True):
    """A configuration: the format into which the matrices are packed."""

    wanted: Packing

    @property
    def name(self) -> str:
        """The format's name."""
        return self.wanted

    @property
    def settings(self) -> Mapping[str, str]:
        """The format."""
        return {"format": self.wanted}

    def weights(self, released: Weights, folder: Path, on_progress: Callable[[Progress], None]) -> Weights:
        """The packed file, its adapters merged into it."""
        target = folder / f"{self.wanted}.gguf"
        if not target.exists():
            model = merged(released, folder)
            quantise(model, target, self.wanted, on_progress)
        return Weights(target)

    def ask(self, question: GenerationRequest, seed: int) -> Conversation:
        """As it stands."""
        return once(question)


def quantise(model: Path, target: Path, wanted: Packing, on_progress: Callable[[Progress], None]) -> None:
    """Write a model's file with its matrices in a format.

    Raises:
        GateError: A tensor can't be unpacked or packed.
        ModelError: The file can't be read.
        StorageError: The new one can't be written.
    """
    file = read_gguf(model)
    done = iter(range(1, len(file.tensors) + 1))

    def numbers(tensor: Tensor) -> Floats:
        on_progress(Progress(f"quantising to {wanted}", next(done) / len(file.tensors), 1))
        return unpack(tensor)

    tensors = [
        tensor if len(tensor.sizes) < 2 or tensor.name.startswith(_KEPT) else packed(tensor, wanted, numbers)
        for tensor in file.tensors.values()
    ]
    write_gguf(target, file.keys, tensors)
