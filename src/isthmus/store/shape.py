"""The sizes of a model that decide how much memory it takes."""

from msgspec import Struct


class LayerShape(Struct, frozen=True):
    """One layer: its weights, those of them that are a mixture's experts, and its KV cache's width.

    ``kv_width`` is how many numbers a token leaves in the layer's KV cache (keys and values together); 0
    where it keeps none. ``window`` is how many tokens it looks back on, 0: all of them.
    """

    weights_bytes: int
    expert_bytes: int = 0
    kv_width: int = 0
    window: int = 0


class ModelShape(Struct, frozen=True, kw_only=True):
    """A model's sizes, from the header of its GGUF or from the catalogue.

    ``input_bytes`` are the token embeddings' and ``output_bytes`` the output matrix's (0 where it is the
    embeddings again); ``recurrent_bytes`` is the state that a sequence keeps whatever its length.
    """

    architecture: str
    layers: tuple[LayerShape, ...]
    embedding_length: int
    feed_forward_length: int
    heads: int
    vocabulary: int
    context_length: int
    input_bytes: int
    output_bytes: int
    experts: int = 0
    experts_used: int = 0
    recurrent_bytes: int = 0

    @property
    def weights_bytes(self) -> int:
        """All weights together."""
        return self.input_bytes + self.output_bytes + sum(layer.weights_bytes for layer in self.layers)
