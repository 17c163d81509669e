"""The sizes of a model that decide how much memory it takes."""

import msgspec
from msgspec import Struct


class LayerShape(Struct, frozen=True):
    """One layer: its weights, those of them that are a mixture's experts, and its KV cache's width.

    ``kv_width`` is how many numbers a token leaves in the layer's KV cache (keys and values together); 0
    where it keeps none. ``window`` is how many tokens it looks back on, 0: all of them. ``repacked_bytes``
    is how much of the weights is in formats of which llama.cpp makes another arrangement for the CPU.
    """

    weights_bytes: int
    expert_bytes: int = 0
    kv_width: int = 0
    window: int = 0
    repacked_bytes: int = 0


class ProjectorShape(Struct, frozen=True, kw_only=True):
    """A projector: a second network beside a model's, which turns images into what the model reads.

    An image is brought to ``image_length`` pixels a side and cut into patches of ``patch_length``;
    ``embedding_length`` and ``feed_forward_length`` are of the layers that the patches go through. All are 0
    of one that knows no images (but sounds).
    """

    weights_bytes: int
    image_length: int
    patch_length: int
    embedding_length: int
    feed_forward_length: int

    @property
    def patches(self) -> int:
        """Of an image."""
        return (self.image_length // self.patch_length) ** 2 if self.patch_length else 0


class ModelShape(Struct, frozen=True, kw_only=True):
    """A model's sizes, from the header of its GGUF or from the catalogue.

    ``output_bytes`` is the output matrix's size (0 where it is the token embeddings again), ``input_bytes``
    that of everything else outside the layers: the token embeddings above all. ``recurrent_bytes`` is the
    state that a sequence keeps whatever its length. ``head_length`` is a query head's,
    ``feed_forward_length`` a dense layer's and ``expert_feed_forward_length`` an expert's. ``projector`` is
    of a model that sees.
    """

    architecture: str
    layers: tuple[LayerShape, ...]
    embedding_length: int
    feed_forward_length: int
    heads: int
    head_length: int
    vocabulary: int
    context_length: int
    input_bytes: int
    output_bytes: int
    output_repacked_bytes: int = 0
    experts: int = 0
    experts_used: int = 0
    expert_feed_forward_length: int = 0
    recurrent_bytes: int = 0
    projector: ProjectorShape | None = None

    @property
    def weights_bytes(self) -> int:
        """All weights together."""
        return self.input_bytes + self.output_bytes + sum(layer.weights_bytes for layer in self.layers)

    @property
    def expert_bytes(self) -> int:
        """The experts' weights together."""
        return sum(layer.expert_bytes for layer in self.layers)

    @property
    def repacked_bytes(self) -> int:
        """What llama.cpp arranges anew for the CPU, together."""
        return self.output_repacked_bytes + sum(layer.repacked_bytes for layer in self.layers)


class LatentAttention(Struct, frozen=True):
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434).

    The cache holds ``kv_rank`` + ``rope_length`` numbers a token, of which every head makes its own keys and
    values.
    """

    query_rank: int
    kv_rank: int
    rope_length: int
    value_length: int


class Dimensions(Struct, frozen=True, kw_only=True):
    """A model's dimensions as its maker publishes them (config.json), from which `published` makes a shape.

    The first ``dense_layers`` have no experts. Every ``full_attention_every``-th layer looks back on all
    tokens and the others on ``window`` (0: all layers on all). ``tied``: the output matrix is the embeddings.
    ``head_length`` is a query head's: for latent attention without and with its rotated part.
    """

    architecture: str
    layers: int
    embedding_length: int
    feed_forward_length: int
    heads: int
    kv_heads: int
    head_length: int
    vocabulary: int
    context_length: int
    tied: bool = False
    experts: int = 0
    experts_used: int = 0
    expert_feed_forward_length: int = 0
    shared_experts: int = 0
    dense_layers: int = 0
    window: int = 0
    full_attention_every: int = 0
    latent: LatentAttention | None = None

    @property
    def parameter_count(self) -> int:
        """The weights of all matrices; norms and biases don't count."""
        tables = self.vocabulary * self.embedding_length * (1 if self.tied else 2)
        return tables + sum(self.layer_parameters(number) for number in range(self.layers))

    def layer_parameters(self, number: int) -> int:
        """The weights of one layer's matrices."""
        return self._attention_parameters + self.expert_parameters(number) + self._other_parameters(number)

    def expert_parameters(self, number: int) -> int:
        """The weights of one layer's routed experts."""
        if not self.experts or number < self.dense_layers:
            return 0
        return self.experts * self._gated(self.expert_feed_forward_length)

    def _other_parameters(self, number: int) -> int:
        if not self.experts or number < self.dense_layers:
            return self._gated(self.feed_forward_length)
        router = self.embedding_length * self.experts
        return router + self.shared_experts * self._gated(self.expert_feed_forward_length)

    def _gated(self, length: int) -> int:
        """Gate, up and down."""
        return 3 * self.embedding_length * length

    @property
    def _attention_parameters(self) -> int:
        queries = self.heads * self.head_length
        latent = self.latent
        if latent is None:
            return self.embedding_length * (2 * queries + 2 * self.kv_heads * self.head_length)
        unrotated = self.head_length - latent.rope_length
        return (
            latent.query_rank * (self.embedding_length + queries)
            + self.embedding_length * (latent.kv_rank + latent.rope_length)
            + self.heads * latent.kv_rank * (unrotated + latent.value_length)
            + self.heads * latent.value_length * self.embedding_length
        )


def published(dimensions: Dimensions, weights_bytes: int) -> ModelShape:
    """A model's shape from what its maker publishes, for files that aren't here.

    Args:
        dimensions: Its dimensions.
        weights_bytes: The size of the file (or files): published too, or ``parameter_count`` times the bits
            per weight of a quantization (`isthmus.store.quantization.BITS_PER_WEIGHT`) by 8. It is shared
            out evenly among the weights.
    """
    each = weights_bytes / dimensions.parameter_count
    table = round(dimensions.vocabulary * dimensions.embedding_length * each)
    layers = tuple(_published_layer(dimensions, number, each) for number in range(dimensions.layers))
    output = 0 if dimensions.tied else table
    latent = dimensions.latent
    return ModelShape(
        architecture=dimensions.architecture,
        layers=layers,
        embedding_length=dimensions.embedding_length,
        feed_forward_length=dimensions.feed_forward_length,
        heads=dimensions.heads,
        # Latent attention works in the compressed space: a query is as wide as the cache's row.
        head_length=latent.kv_rank + latent.rope_length if latent else dimensions.head_length,
        vocabulary=dimensions.vocabulary,
        context_length=dimensions.context_length,
        # The rest after rounding, so that the whole is exact.
        input_bytes=max(weights_bytes - output - sum(layer.weights_bytes for layer in layers), 0),
        output_bytes=output,
        experts=dimensions.experts,
        experts_used=dimensions.experts_used,
        expert_feed_forward_length=dimensions.expert_feed_forward_length,
    )


def _published_layer(dimensions: Dimensions, number: int, bytes_each: float) -> LayerShape:
    latent, every = dimensions.latent, dimensions.full_attention_every
    width = 2 * dimensions.kv_heads * dimensions.head_length
    if latent is not None:
        width = latent.kv_rank + latent.rope_length
    full = not every or (number + 1) % every == 0
    return LayerShape(
        weights_bytes=round(dimensions.layer_parameters(number) * bytes_each),
        expert_bytes=round(dimensions.expert_parameters(number) * bytes_each),
        kv_width=width,
        window=0 if full else dimensions.window,
    )


def scaled(shape: ModelShape, factor: float) -> ModelShape:
    """The same model with weights ``factor`` times as large, as in another quantization."""
    layers = (
        msgspec.structs.replace(
            layer,
            weights_bytes=round(layer.weights_bytes * factor),
            expert_bytes=round(layer.expert_bytes * factor),
            repacked_bytes=0,
        )
        for layer in shape.layers
    )
    return msgspec.structs.replace(
        shape,
        layers=tuple(layers),
        input_bytes=round(shape.input_bytes * factor),
        output_bytes=round(shape.output_bytes * factor),
        output_repacked_bytes=0,
    )
