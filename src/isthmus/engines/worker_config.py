"""What a parent tells its worker; apart, so that neither imports the other's libraries."""

from typing import TypedDict


class WorkerConfig(TypedDict):
    """One line of JSON on the worker's stdin. ``model`` is a path, often an inherited file descriptor's.

    ``context_length`` in tokens for all slots together; ``threads`` 0 and ``gpu_layers`` -1 leave it to
    the engine; ``chat_template`` empty takes the model's own.
    """

    model: str
    alias: str
    key: str
    context_length: int
    parallel: int
    threads: int
    gpu_layers: int
    chat_template: str
