"""What a parent tells its worker; apart, so that neither imports the other's libraries."""

from typing import TypedDict


class WorkerConfig(TypedDict):
    """One line of JSON on the worker's stdin.

    ``model`` holds the paths of the weights, several for a split model; they, ``draft`` and ``adapters`` are
    often inherited file descriptors' paths. ``context_length`` in tokens for all slots together; ``threads``
    0 and ``gpu_layers`` -1 leave it to the engine; ``cpu_expert_layers`` counts the layers of a mixture whose
    experts stay in main memory; ``prompt_cache_mb`` bounds what is kept of earlier prompts; ``chat_template``
    empty takes the model's own, ``draft`` empty has none.
    """

    model: list[str]
    alias: str
    key: str
    context_length: int
    parallel: int
    threads: int
    gpu_layers: int
    cpu_expert_layers: int
    flash_attention: str
    kv_type: str
    speculation: str
    draft: str
    adapters: list[str]
    prompt_cache_mb: int
    chat_template: str
