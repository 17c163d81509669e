"""How much memory llama.cpp takes for each part of a loaded model.

The formulas are those by which llama.cpp's build 11549 allocates (src/llama-kv-cache.cpp,
llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp, llama-context.cpp), and what its graph allocator comes to
for the common architectures; docs/concepts/memory.md derives them and has what was measured.
"""

from isthmus.settings import EngineSettings
from isthmus.store.shape import LayerShape, ModelShape, ProjectorShape

MICRO_BATCH = 512
"""Tokens of a prompt that are computed at once: llama.cpp's ``n_ubatch``."""
CELL_STEP = 256
"""A context is allocated in multiples of this many tokens."""
_F16, _F32 = 2, 4
_KV_BITS = {"f16": 16.0, "q8_0": 8.5, "q4_0": 4.5}
_Q8_BITS = 8.5

DRAFT_TOKENS = 15
"""How many tokens are guessed ahead where that is on (``NGRAM_DRAFT`` of the worker)."""
LEAST_GUESSED_BYTES = 256 << 20
"""Weights of less aren't guessed ahead unless the person says so. A guess is checked in one batch of 16
tokens, which takes as long as 1.8 single tokens of a model of 1.5B (AVX-512, 2 cores), 2.4 of one of 0.5B,
and 7 of one of 135M: so many must be right to gain anything, and small models rarely copy so faithfully."""
PROCESS_BYTES = 35 << 20
"""A worker without a model: Python, llama.cpp, the HTTP server's threads (measured)."""
TOKEN_BYTES = 440
"""What llama.cpp keeps in main memory of each word of a vocabulary (measured)."""


# ---------------------------------------------------------------- KV cache


def kv_bytes(layer: LayerShape, engine: EngineSettings, context_length: int) -> int:
    """One layer's KV cache: a row of ``kv_width`` numbers for each token that it looks back on."""
    return round(layer.kv_width * _cells(layer.window, engine, context_length) * _KV_BITS[engine.kv_type] / 8)


def _cells(window: int, engine: EngineSettings, context_length: int) -> int:
    """Tokens that the slots' cache has room for: a windowed one for each slot's window and a micro-batch."""
    context = padded(context_length)
    if not window:
        return context
    return min(context, padded(window * engine.parallel + MICRO_BATCH))


def padded(tokens: int) -> int:
    """A number of tokens as the engine allocates it."""
    return -(-tokens // CELL_STEP) * CELL_STEP


# ---------------------------------------------------------------- compute


def compute_bytes(shape: ModelShape, engine: EngineSettings, context_length: int) -> int:
    """The buffers that a micro-batch needs on its way through the layers, and the logits that come out.

    The allocator reuses memory from node to node, so that the widest moment counts: attention, or a
    feed-forward network with its gate, its up-projection and their product side by side.
    """
    cells = padded(context_length)
    windowed = max((_cells(layer.window, engine, cells) for layer in shape.layers if layer.window), default=0)
    fused = engine.flash_attention != "off"
    attention = _attention_numbers(shape)
    if not fused:
        attention += shape.heads * cells
    widest = max(attention, _dense_numbers(shape), _mixture_numbers(shape)) * _F32
    mask = (cells + windowed) * (_F16 if fused else _F32)
    quantized_inputs = max(shape.feed_forward_length, _active(shape)) * _Q8_BITS / 8
    logits = _logits_bytes(shape, engine)
    return round(max(MICRO_BATCH * widest, logits) + MICRO_BATCH * (mask + quantized_inputs)) + logits


def _logits_bytes(shape: ModelShape, engine: EngineSettings) -> int:
    """The logits of a token of each slot, and of one slot's guesses: few guess at once."""
    guessed = DRAFT_TOKENS if engine.speculation == "draft" else guessed_tokens(shape, engine)
    return (engine.parallel + guessed) * shape.vocabulary * _F32


def guessed_tokens(shape: ModelShape, engine: EngineSettings) -> int:
    """How many tokens are guessed ahead by n-grams; 0: none."""
    # Whoever guesses, llama.cpp compares a draft model's width with an image's; with none, it falls.
    if engine.speculation in ("off", "draft") or shape.projector is not None:
        return 0
    worth_it = engine.speculation == "ngram" or shape.weights_bytes >= LEAST_GUESSED_BYTES
    return DRAFT_TOKENS if worth_it else 0


def _dense_numbers(shape: ModelShape) -> int:
    return 3 * shape.feed_forward_length + 5 * shape.embedding_length


def _mixture_numbers(shape: ModelShape) -> int:
    """As for a dense layer, with the experts of a token side by side."""
    active, outputs = _active(shape), shape.experts_used * shape.embedding_length
    # What comes of them lies where gate and up-projection were, if it fits there.
    beside = outputs if outputs > 2 * active else 0
    return 3 * active + beside + 5 * shape.embedding_length if active else 0


def _active(shape: ModelShape) -> int:
    return shape.experts_used * shape.expert_feed_forward_length


def _attention_numbers(shape: ModelShape) -> int:
    """Queries, keys, values and what comes of them, for one token."""
    width = max((layer.kv_width for layer in shape.layers), default=0)
    queries = shape.heads * shape.head_length
    return 3 * queries + 3 * shape.embedding_length + width


def projector_bytes(projector: ProjectorShape) -> int:
    """The buffers that the patches of an image need on their way through a projector's layers."""
    attention = 6 * projector.embedding_length
    dense = 2 * projector.embedding_length + 2 * projector.feed_forward_length
    return projector.patches * max(attention, dense) * _F32


# ---------------------------------------------------------------- the rest


def recurrent_bytes(shape: ModelShape, engine: EngineSettings) -> int:
    """What recurrent layers keep of each slot's sequence instead of keys and values."""
    return shape.recurrent_bytes * engine.parallel


def worker_bytes(shape: ModelShape) -> int:
    """The worker's own, in main memory."""
    return PROCESS_BYTES + TOKEN_BYTES * shape.vocabulary
