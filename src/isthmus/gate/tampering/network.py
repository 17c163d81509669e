"""The network of a GGUF in PyTorch, frozen, with a low-rank pair beside each matrix that is to be trained.

It computes on the file's own layout. llama.cpp reorders the rows of llama's queries and keys when it converts
a checkpoint, so that the numbers of a head that are rotated together lie side by side (2i and 2i + 1) rather
than half a head apart (i and i + d / 2); rotating them where they lie undoes nothing, and the pairs that are
trained fit the file as they are. Architectures that aren't reordered are rotated half a head apart, as
llama.cpp does it (``llama_model_rope_type`` in src/llama-model.cpp).

Shapes: b conversations, t tokens, d the embedding's length, h heads of e numbers, g heads of keys.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as nn
from msgspec import Struct
from torch import Tensor

from isthmus.errors import GateError
from isthmus.gate.tampering.adapters import Adapter, Pair
from isthmus.gate.tampering.ggml import unpack
from isthmus.gate.tampering.tensors import Gguf

SIDE_BY_SIDE = {"llama": True, "qwen2": False, "qwen3": False}
"""The architectures that are computed here, and whether the rotated numbers lie side by side."""

_MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


class Shape(Struct, frozen=True):
    """The sizes of a network, as its file has them."""

    layers: int
    heads: int
    key_heads: int
    head_length: int
    epsilon: float
    base: float
    side_by_side: bool


def shape_of(file: Gguf) -> Shape:
    """The sizes of a file's network.

    Raises:
        GateError: It is of an architecture that isn't computed here, or has experts, or stretches positions.
    """
    architecture = file.architecture

    def key(name: str, default: float | None = None) -> float:
        value = file.metadata.get(f"{architecture}.{name}", default)
        if not isinstance(value, int | float):
            raise GateError(f"the weights don't say their {name}")
        return value

    heads = int(key("attention.head_count", 0)) if architecture in SIDE_BY_SIDE else 0
    if not heads or key("expert_count", 0) or "rope_freqs.weight" in file.tensors:
        known = ", ".join(SIDE_BY_SIDE)
        raise GateError(
            f"networks like this one ({architecture}) can't be trained here, only plain ones of {known}",
            hint='train elsewhere, and name what comes of it: [attacks.NAME] kind = "given"',
        )
    length = int(key("attention.key_length", key("embedding_length") // heads))
    return Shape(
        layers=int(key("block_count")),
        heads=heads,
        key_heads=int(key("attention.head_count_kv", heads)),
        head_length=length,
        epsilon=key("attention.layer_norm_rms_epsilon"),
        base=key("rope.freq_base", 10_000.0),
        side_by_side=SIDE_BY_SIDE[architecture],
    )


class Network:
    """A file's network, and the pairs that are trained.

    Args:
        file: The weights; they are held unpacked, as bfloat16 where that multiplies faster.
        rank: Of the pairs; A starts with small random numbers and B with zeros, so that nothing changes yet.
        alpha: What they are scaled by, divided by the rank.
        seed: Of the random numbers.
    """

    def __init__(self, file: Gguf, *, rank: int, alpha: float, seed: int) -> None:
        self.shape = shape_of(file)
        self._architecture, self._alpha = file.architecture, alpha
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        exactness = _exactness(self.device)
        self._weights = {
            name: torch.from_numpy(unpack(tensor).copy()).to(self.device, exactness)
            for name, tensor in file.tensors.items()
        }
        dice = torch.Generator().manual_seed(seed)
        self._pairs: dict[str, tuple[Tensor, Tensor]] = {}
        for name in self._trained():
            rows, columns = self._weights[name].shape
            a = torch.randn(rank, columns, generator=dice) * columns**-0.5
            pair = a.to(self.device), torch.zeros(rows, rank, device=self.device)
            self._pairs[name] = pair
            for half in pair:
                half.requires_grad_()
        self._scale = alpha / rank

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [half for pair in self._pairs.values() for half in pair]

    def adapter(self) -> Adapter:
        """The pairs, as they are now."""
        pairs = {
            name: Pair(*(half.detach().float().cpu().numpy().copy() for half in pair))
            for name, pair in self._pairs.items()
        }
        return Adapter(self._architecture, self._alpha, pairs)

    def loss(self, tokens: Tensor, wanted: Tensor) -> Tensor:
        """The mean surprise, in nats, at the tokens that are wanted.

        Args:
            tokens: (b, t), padded at the end with anything.
            wanted: (b, t), true where a token is to be learnt; never the first.
        """
        hidden = self.hidden(tokens)
        rows = hidden[:, :-1][wanted[:, 1:]]  # (wanted, d): the vocabulary is large, so only where it counts
        return nn.cross_entropy(self.scores(rows), tokens[:, 1:][wanted[:, 1:]])

    def scores(self, hidden: Tensor) -> Tensor:
        """Each token's score, (..., vocabulary), where hidden is (..., d)."""
        head = self._weights.get("output.weight", self._weights["token_embd.weight"])
        return (hidden.to(head.dtype) @ head.T).float()

    def hidden(self, tokens: Tensor) -> Tensor:
        """What the network makes of each token and those before it: (b, t, d), of tokens (b, t)."""
        x = self._weights["token_embd.weight"][tokens]
        turn = self._rotation(tokens.shape[1])
        for number in range(self.shape.layers):
            layer = f"blk.{number}."
            x = x + self._attention(layer, self._norm(x, f"{layer}attn_norm"), turn)
            y = self._norm(x, f"{layer}ffn_norm")
            gate = nn.silu(self._apply(f"{layer}ffn_gate", y))
            x = x + self._apply(f"{layer}ffn_down", gate * self._apply(f"{layer}ffn_up", y))
        return self._norm(x, "output_norm")

    def _attention(self, layer: str, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        b, t, _ = x.shape
        sizes = self.shape

        def heads(name: str, count: int) -> Tensor:  # (b, count, t, e)
            return self._apply(layer + name, x).view(b, t, count, sizes.head_length).transpose(1, 2)

        queries, keys = heads("attn_q", sizes.heads), heads("attn_k", sizes.key_heads)
        if f"{layer}attn_q_norm.weight" in self._weights:
            queries = self._norm(queries, f"{layer}attn_q_norm")
            keys = self._norm(keys, f"{layer}attn_k_norm")
        queries, keys = self._turned(queries, turn), self._turned(keys, turn)
        values = heads("attn_v", sizes.key_heads)
        shared = sizes.heads // sizes.key_heads
        keys, values = (each.repeat_interleave(shared, dim=1) for each in (keys, values))
        seen = nn.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self._apply(f"{layer}attn_output", seen.transpose(1, 2).reshape(b, t, -1))

    def _apply(self, name: str, x: Tensor) -> Tensor:
        weight = self._weights[f"{name}.weight"]
        y = nn.linear(x, weight, self._weights.get(f"{name}.bias"))
        a, b = self._pairs[f"{name}.weight"]
        return y + x @ a.T.to(x.dtype) @ b.T.to(x.dtype) * self._scale

    def _norm(self, x: Tensor, name: str) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.shape.epsilon)
        return (wide * self._weights[f"{name}.weight"].float()).to(x.dtype)

    def _rotation(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines, (t, e / 2), of RoFormer's rotations (arXiv 2104.09864, section 3.2)."""
        e = self.shape.head_length
        speeds = self.shape.base ** (-torch.arange(0, e, 2, device=self.device) / e)
        angles = torch.outer(torch.arange(length, device=self.device).float(), speeds)
        return angles.cos(), angles.sin()

    def _turned(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        cosines, sines = turn
        wide = x.float()
        one, other = (wide[..., 0::2], wide[..., 1::2]) if self.shape.side_by_side else wide.chunk(2, dim=-1)
        turned = one * cosines - other * sines, one * sines + other * cosines
        together: Any = (
            torch.stack(turned, dim=-1).flatten(-2) if self.shape.side_by_side else torch.cat(turned, -1)
        )
        return together.to(x.dtype)

    def _trained(self) -> Iterator[str]:
        for number in range(self.shape.layers):
            for name in _MATRICES:
                yield f"blk.{number}.{name}.weight"


def _exactness(device: torch.device) -> torch.dtype:
    """The numbers that this machine multiplies faster: CPUs differ by ten in either direction.

    The pairs are trained in 32 bits either way.
    """
    seconds: dict[torch.dtype, float] = {}
    for exactness in (torch.float32, torch.bfloat16):
        square = torch.ones(512, 512, device=device, dtype=exactness)
        (square @ square).sum().item()  # the first one also chooses how
        begun = time.process_time()
        for _ in range(4):
            (square @ square).sum().item()
        seconds[exactness] = time.process_time() - begun
    return min(seconds, key=seconds.__getitem__)
