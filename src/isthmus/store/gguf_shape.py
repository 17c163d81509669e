"""From a GGUF's keys and tensors to the sizes that decide how much memory the model takes.

The rules are llama.cpp's (src/llama-model.cpp, llama-hparams.cpp, llama-kv-cache.cpp and src/models/ of its
build 11549): which layers keep keys and values, how wide, and how far they look back. Where a key is missing,
the tensors' own sizes speak. What is unknown here counts as if it kept everything, so that a plan errs on the
large side.
"""

import re
from pathlib import Path

from msgspec import Struct

from isthmus.errors import InvalidWeights
from isthmus.store.gguf_bytes import PULL_HINT, Number, Strings, Value
from isthmus.store.quantization import REPACKED_TYPES
from isthmus.store.shape import LayerShape, ModelShape

MAX_LAYERS = 512
"""llama.cpp's own limit."""

_LAYER = re.compile(r"^blk\.(\d{1,6})\.(.+)$")
_EXPERTS = re.compile(r"^ffn_(up|down|gate|gate_up)_(ch)?exps\.")
_STATE = re.compile(r"^(ssm|shortconv)_?\w*\.")
_F32_BYTES = 4


class Tensor(Struct, frozen=True):
    """A tensor: ``sizes`` as GGUF has them, the length of a row first; ``kind`` is its ``ggml_type``."""

    name: str
    sizes: tuple[int, ...]
    kind: int
    size_bytes: int


class _Windows(Struct, frozen=True):
    """How an architecture's layers look back where the file has no pattern of its own.

    All but every ``every``-th look back on a window: the last of each group is the one that sees everything,
    or with ``full_first`` the first. ``default`` is the window where the file names none; 0: no windows then.
    """

    every: int
    default: int = 0
    full_first: bool = False


_WINDOWS = {
    "afmoe": _Windows(4),
    "cohere2": _Windows(4),
    "cohere2moe": _Windows(4),
    "exaone-moe": _Windows(4),
    "exaone4": _Windows(4),
    "gemma2": _Windows(2, default=4096),
    "gemma3": _Windows(6),
    "gemma3n": _Windows(5),
    "gpt-oss": _Windows(2),
    "laguna": _Windows(4, full_first=True),
    "llama4": _Windows(4, default=8192),
    "mellum": _Windows(4),
    "olmo2": _Windows(4),
    "plamo3": _Windows(8),
    "smallthinker": _Windows(4, full_first=True),
}


def text(metadata: dict[str, Value], key: str) -> str | None:
    """A key's string, None where it has none."""
    value = metadata.get(key)
    return value if isinstance(value, str) else None


def whole(metadata: dict[str, Value], key: str, *, default: int = 0) -> int:
    """A key's whole number, ``default`` where it has none."""
    value = metadata.get(key)
    return value if isinstance(value, int) else default


def shape_of(metadata: dict[str, Value], tensors: list[Tensor], path: Path) -> ModelShape:
    """The sizes of a model; ``path`` is what errors call it.

    Raises:
        InvalidWeights: It claims more layers than any engine takes.
    """
    keys = _Keys(metadata)
    layers, outside = _by_layer(tensors, keys, path)
    embedding = outside.get("token_embd.weight")
    output = outside.get("output.weight")
    shapes = tuple(_layer(keys, number, layer) for number, layer in enumerate(layers))
    last = output or embedding
    return ModelShape(
        architecture=keys.architecture,
        layers=shapes,
        embedding_length=keys.whole("embedding_length") or _size(embedding, 0),
        feed_forward_length=keys.largest("feed_forward_length", len(layers)),
        heads=keys.largest("attention.head_count", len(layers)),
        head_length=keys.key_length,
        vocabulary=_size(embedding, 1) or keys.vocabulary,
        context_length=keys.whole("context_length"),
        input_bytes=sum(each.size_bytes for each in outside.values() if each is not output),
        output_bytes=output.size_bytes if output else 0,
        output_repacked_bytes=_repacked(last) if last else 0,
        experts=keys.whole("expert_count"),
        experts_used=keys.largest("expert_used_count", len(layers)),
        expert_feed_forward_length=keys.largest("expert_feed_forward_length", len(layers)),
        recurrent_bytes=_recurrent_bytes(keys, layers),
    )


class _Keys:
    """A model's keys, without the architecture's name that each begins with."""

    def __init__(self, metadata: dict[str, Value]) -> None:
        self._metadata = metadata
        self.architecture = text(metadata, "general.architecture") or ""

    def whole(self, key: str, default: int = 0) -> int:
        """A number that can't be negative."""
        return max(whole(self._metadata, f"{self.architecture}.{key}", default=default), 0)

    def at(self, key: str, number: int) -> int:
        """A number of one layer: the file has one for all, or an array."""
        values = self.array(key)
        if values is None:
            return self.whole(key)
        value = values[number] if number < len(values) else 0
        return max(value, 0) if isinstance(value, int) else 0

    def largest(self, key: str, layers: int) -> int:
        """The largest of the layers' numbers."""
        return max((self.at(key, number) for number in range(layers)), default=0)

    def array(self, key: str) -> tuple[Number, ...] | None:
        """An array's numbers, None where it has a single one or none."""
        value = self._metadata.get(f"{self.architecture}.{key}")
        return value if isinstance(value, tuple) else None

    def has(self, key: str) -> bool:
        """Whether the file says something of it."""
        return f"{self.architecture}.{key}" in self._metadata

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        tokens = self._metadata.get("tokenizer.ggml.tokens")
        return tokens.count if isinstance(tokens, Strings) else self.whole("vocab_size")

    @property
    def key_length(self) -> int:
        """A head's keys: said, or its share of the embedding."""
        heads = self.at("attention.head_count", 0)
        return self.whole("attention.key_length") or (self.whole("embedding_length") // heads if heads else 0)


# ---------------------------------------------------------------- layers


def _by_layer(
    tensors: list[Tensor], keys: _Keys, path: Path
) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
    """The tensors of each layer and those outside, by name."""
    numbered: list[tuple[int, str, Tensor]] = []
    outside: dict[str, Tensor] = {}
    for tensor in tensors:
        match = _LAYER.match(tensor.name)
        if match:
            numbered.append((int(match[1]), match[2], tensor))
        else:
            outside[tensor.name] = tensor
    count = max([keys.whole("block_count"), *(number + 1 for number, _, _ in numbered)])
    if count > MAX_LAYERS:
        raise InvalidWeights(
            f"{path} claims to have {count:,} layers, and engines take {MAX_LAYERS}", hint=PULL_HINT
        )
    layers: list[dict[str, Tensor]] = [{} for _ in range(count)]
    for number, name, tensor in numbered:
        layers[number][name] = tensor
    return layers, outside


def _layer(keys: _Keys, number: int, tensors: dict[str, Tensor]) -> LayerShape:
    window = _window(keys, number)
    return LayerShape(
        weights_bytes=sum(tensor.size_bytes for tensor in tensors.values()),
        expert_bytes=sum(tensor.size_bytes for name, tensor in tensors.items() if _EXPERTS.match(name)),
        kv_width=_kv_width(keys, number, tensors, windowed=window > 0),
        window=window,
        repacked_bytes=sum(_repacked(tensor) for tensor in tensors.values()),
    )


def _kv_width(keys: _Keys, number: int, tensors: dict[str, Tensor], *, windowed: bool) -> int:
    """How many numbers a token leaves in a layer's cache.

    Latent attention (MLA) keeps one compressed row that is keys and values at once; its file says
    ``key_length_mla``. Recurrent layers keep none, nor do layers that predict further tokens (they are
    loaded for speculation only), nor those that share an earlier layer's.
    """
    blocks = keys.whole("block_count") or number + 1
    if number >= blocks - keys.whole("nextn_predict_layers"):
        return 0
    if number >= blocks - keys.whole("attention.shared_kv_layers"):
        return 0
    if _is_recurrent(tensors) and "attn_k.weight" not in tensors and "attn_kv_a_mqa.weight" not in tensors:
        return 0
    grouped = keys.has("attention.head_count_kv")
    heads = keys.at("attention.head_count_kv" if grouped else "attention.head_count", number)
    length = keys.key_length
    value_length = keys.whole("attention.value_length", length)
    if windowed:
        length = keys.whole("attention.key_length_swa", length)
        value_length = keys.whole("attention.value_length_swa", value_length)
    indexer = keys.whole("attention.indexer.key_length")
    if keys.has("attention.key_length_mla"):
        return heads * length + indexer
    return heads * (length + value_length) + indexer


def _window(keys: _Keys, number: int) -> int:
    """How many tokens a layer looks back on; 0: all. The file has a pattern, or llama.cpp knows one."""
    pattern = keys.array("attention.sliding_window_pattern")
    if pattern is not None:
        return keys.whole("attention.sliding_window") if any(pattern[number : number + 1]) else 0
    windows = _WINDOWS.get(keys.architecture)
    if windows is None:
        return 0
    every = keys.whole("attention.sliding_window_pattern", windows.every)
    full = every > 0 and number % every == (0 if windows.full_first else every - 1)
    return 0 if full else keys.whole("attention.sliding_window", windows.default)


def _is_recurrent(tensors: dict[str, Tensor]) -> bool:
    return any(_STATE.match(name) for name in tensors)


def _recurrent_bytes(keys: _Keys, layers: list[dict[str, Tensor]]) -> int:
    """What the recurrent layers keep of a sequence: the last inputs of a convolution and a state, in F32."""
    inner, state = keys.whole("ssm.inner_size"), keys.whole("ssm.state_size")
    convolution = max(keys.whole("ssm.conv_kernel") - 1, 0) * (
        inner + 2 * keys.whole("ssm.group_count") * state
    )
    convolution += max(keys.whole("shortconv.l_cache") - 1, 0) * keys.whole("embedding_length")
    return sum(map(_is_recurrent, layers)) * (convolution + state * inner) * _F32_BYTES


def _repacked(tensor: Tensor) -> int:
    """Its bytes if llama.cpp makes another arrangement of them for the CPU (ggml-cpu/repack.cpp)."""
    fits = tensor.kind in REPACKED_TYPES and len(tensor.sizes) > 1 and tensor.sizes[1] % 8 == 0
    return tensor.size_bytes if fits else 0


def _size(tensor: Tensor | None, dimension: int) -> int:
    return tensor.sizes[dimension] if tensor and len(tensor.sizes) > dimension else 0
