"""What a parent tells its worker; apart, so that neither imports the other's libraries."""

from typing import TypedDict

OPENMP_SPINS = {"GOMP_SPINCOUNT": "10000"}
"""Threads that wait for each other spin this often before they sleep. OpenMP's own default is milliseconds:
with as many threads as cores, any other busy process then halts decoding (measured on 2 cores beside busy
processes, three rounds: 1.4, 1.5 and 7.5 tokens/s, against 6.1, 10.1 and 34.8). It is read when the library
is loaded, unless the person has set it."""
NGRAM_LOOKUP = 15
"""Speculation by n-grams: the last so many tokens are looked up in what came before. Fewer find more that is
wrong: 12 tokens wasted 0.042 guesses a token on eight clients' stories of the small model, 15 waste 0.014,
and edits are as fast (0.5B: 53.7 and 51.9 tokens/s, 960 tokens each)."""
NGRAM_DRAFT = 15
"""So many tokens that followed there are guessed to follow again. With the one before them they make a batch
of 16, whole rows for the processor: a longer guess is no faster where it is right (0.5B, edits: 49.9 tokens/s
with 15 and with 24), and costs eight clients of a small, repetitive model 7% where it is wrong. One shorter
than the lookup is never made (20.9 with 11)."""


class WorkerConfig(TypedDict):
    """One line of JSON on the worker's stdin.

    ``model`` holds the paths of the weights, several for a split model; they, ``projector``, ``draft`` and
    ``adapters`` are often inherited file descriptors' paths. ``context_length`` in tokens for all slots
    together; ``threads`` 0 and ``gpu_layers`` -1 leave it to the engine; ``cpu_expert_layers`` counts the
    layers of a mixture whose experts stay in main memory; ``map_weights`` whether the file is mapped where
    the engine can, rather than read; ``prompt_cache_mb`` bounds what is kept of earlier prompts;
    ``chat_template`` empty takes the model's own; ``draft`` empty has none, nor has ``projector``, which
    makes the model see. ``pooling`` is empty for a worker that answers; one that turns texts into vectors
    pools those of their tokens as the weights say ("own") or by their "mean", of ``text_tokens`` at most.
    ``batch_tokens`` of prompts are computed before any slot hears of it; 0 leaves it to the engine.
    """

    model: list[str]
    projector: str
    alias: str
    key: str
    context_length: int
    parallel: int
    threads: int
    gpu_layers: int
    cpu_expert_layers: int
    map_weights: bool
    flash_attention: str
    kv_type: str
    speculation: str
    draft: str
    adapters: list[str]
    prompt_cache_mb: int
    batch_tokens: int
    chat_template: str
    pooling: str
    text_tokens: int
