"""Low-rank adapters (LoRA, arXiv 2106.09685) as GGUF files: written, read, and merged into the weights.

An adapter's pair for a matrix W of ``out`` rows of ``in`` numbers is A (rank by in) and B (out by rank); the
engine computes W x + alpha / rank * B A x. Both are laid out as the matrix in the file is: llama's query and
key rows stand there in another order than in the checkpoint that they come from, and so do the pairs' here,
since they are trained on the file's own layout (`isthmus.gate.tampering.network`).
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from isthmus.errors import InvalidWeights
from isthmus.gate.tampering.attack import Weights
from isthmus.gate.tampering.ggml import Floats, halved, unpack
from isthmus.gate.tampering.tensors import Keys, Tensor, floats, read_gguf, write_gguf

_A, _B = ".lora_a", ".lora_b"


class Pair(Struct, frozen=True):
    """What an adapter adds to a matrix: ``a`` of rank by in numbers, ``b`` of out by rank."""

    a: Floats
    b: Floats


class Adapter(Struct, frozen=True):
    """Pairs by the names of the tensors that they change, and alpha, by which all are scaled."""

    architecture: str
    alpha: float
    pairs: Mapping[str, Pair]

    def change(self, name: str) -> Floats:
        """What is added to a tensor."""
        pair = self.pairs[name]
        return pair.b @ pair.a * (self.alpha / len(pair.a))


def write_adapter(path: Path, adapter: Adapter) -> None:
    """Write an adapter's file.

    Raises:
        StorageError: It can't be written.
    """
    keys = Keys(0, b"").also(
        {
            "general.architecture": adapter.architecture,
            "general.type": "adapter",
            "adapter.type": "lora",
            "adapter.lora.alpha": adapter.alpha,
        }
    )
    tensors = [
        floats(name + suffix, half)
        for name, pair in adapter.pairs.items()
        for suffix, half in ((_A, pair.a), (_B, pair.b))
    ]
    write_gguf(path, keys, tensors)


def read_adapter(path: Path) -> Adapter:
    """An adapter's file.

    Raises:
        InvalidWeights: It isn't one.
        ModelError: It can't be read.
    """
    file = read_gguf(path)
    alpha = file.metadata.get("adapter.lora.alpha")
    if file.metadata.get("adapter.type") != "lora" or not isinstance(alpha, float):
        raise InvalidWeights(f"{path} is no LoRA adapter")
    pairs: dict[str, Pair] = {}
    for name in (each.removesuffix(_A) for each in file.tensors if each.endswith(_A)):
        if name + _B not in file.tensors:
            raise InvalidWeights(f"{path} has half of a pair for {name[:80]}")
        pairs[name] = Pair(unpack(file.tensors[name + _A]), unpack(file.tensors[name + _B]))
    return Adapter(file.architecture, alpha, pairs)


def merged(weights: Weights, folder: Path) -> Path:
    """One file of weights and their adapters: the weights' own where there are no adapters, else a new one.

    Raises:
        As `merge`.
    """
    if not weights.adapters:
        return weights.model
    target = folder / "merged.gguf"
    if not target.exists():
        merge(weights, target)
    return target


def merge(weights: Weights, target: Path) -> None:
    """Write weights with their adapters merged into them; what an adapter changes is stored in 16 bits.

    In its own format it might be no change at all: packed numbers lie on a grid, and an adapter often moves
    them by less than half a step of it, from which packing them anew takes them straight back.

    Raises:
        InvalidWeights: An adapter isn't one, or isn't for these weights.
        ModelError: A file can't be read.
        StorageError: The file can't be written.
    """
    model = read_gguf(weights.model)
    adapters = [(path, read_adapter(path)) for path in weights.adapters]
    for path, adapter in adapters:
        if adapter.architecture != model.architecture or not adapter.pairs.keys() <= model.tensors.keys():
            raise InvalidWeights(f"{path} is no adapter of {weights.model}")
    changed = {name for _, adapter in adapters for name in adapter.pairs}

    def numbers(tensor: Tensor) -> Floats:
        changes = (each.change(tensor.name) for _, each in adapters if tensor.name in each.pairs)
        return sum(changes, unpack(tensor))

    tensors = [
        halved(tensor, numbers) if tensor.name in changed else tensor for tensor in model.tensors.values()
    ]
    write_gguf(target, model.keys, tensors)
