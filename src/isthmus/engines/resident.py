"""What a pool of models deals in: weights, what loads them, and what is then in memory."""

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import Struct

from isthmus.engines.schedule import State
from isthmus.errors import IsthmusError
from isthmus.fit import Plan
from isthmus.generator import Embedder, Generator, Tokenizer
from isthmus.messages import ModelInfo
from isthmus.store import StoredModel, read_metadata

Weights: TypeAlias = StoredModel | Path
"""What a model is made of: one of the store, or a person's file."""


class ForEmbedding(Struct, frozen=True):
    """Weights that are to turn texts into vectors: they take a worker of their own, which can't answer."""

    weights: Weights

    @property
    def name(self) -> str:
        """The model's."""
        return self.weights.name


Loadable: TypeAlias = Weights | ForEmbedding
"""What can be loaded: weights by themselves are to answer."""


def weights_of(loadable: Loadable) -> Weights:
    """The weights, whatever they are to be loaded for."""
    return loadable.weights if isinstance(loadable, ForEmbedding) else loadable


def identity(loadable: Loadable) -> str:
    """What tells a model from all others: its name alone might have other weights by now."""
    if isinstance(loadable, ForEmbedding):
        return f"{identity(loadable.weights)} for embedding"
    if isinstance(loadable, StoredModel):
        return f"{loadable.name}@{loadable.digest}"
    return str(loadable.absolute())


def info_before_loading(loadable: Loadable) -> ModelInfo:
    """What is known of a model that was never loaded. Of a person's file no hash is pinned."""
    weights = weights_of(loadable)
    if isinstance(weights, Path):
        return ModelInfo(weights.name, local=True, template=_template(weights))
    return ModelInfo(
        weights.name,
        local=True,
        digest=weights.digest,
        vision=weights.projector is not None,
        template=_template(weights.path),
    )


def _template(path: Path) -> str:
    """The chat template in a file of weights; empty where there is none, or no such file."""
    try:
        status = path.stat()
        return _template_in(path, status.st_ino, status.st_mtime_ns)
    except (OSError, IsthmusError):
        return ""  # whoever loads it says what is wrong with it


@lru_cache(maxsize=64)
def _template_in(path: Path, inode: int, mtime_ns: int) -> str:
    """Read once for each state of a file: a header takes tens of milliseconds."""
    return str(read_metadata(path).get("tokenizer.chat_template", ""))


class Resident(Generator, Protocol):
    """A model that is loaded."""

    @property
    def tokenizer(self) -> Tokenizer:
        """How it cuts text into tokens."""
        ...

    @property
    def embedder(self) -> Embedder:
        """How it turns texts into vectors, where it was loaded for that."""
        ...

    def memory_bytes(self) -> int | None:
        """The main memory that it takes now; None where nobody can tell. May take milliseconds."""
        ...


class Loader(Protocol):
    """Where models come from."""

    async def plan(self, weights: Loadable) -> Plan:
        """What a model would take.

        Raises:
            ModelError: The weights can't be read.
            RequestError: They are of no use for what they are to be loaded for.
        """
        ...

    async def load(self, weights: Loadable, plan: Plan) -> Resident:
        """Load a model. Nothing of it is left where this fails or is cancelled.

        Raises:
            ModelError: The weights can't be read, or aren't those that were promised.
            LoadError: The engine can't load them.
        """
        ...


class ModelStatus(Struct, frozen=True):
    """A model that is loaded, or on its way in or out.

    ``memory_bytes`` is what is counted for it: what was planned, or more where it takes more, ``gpu_bytes``
    of it on GPUs. ``busy`` of its ``slots`` answer, ``waiting`` requests wait for it. It stays for
    ``keep_alive_s`` after its last answer (-1: as long as there is room), which is until ``until``.
    ``embeds``: it turns texts into vectors, and doesn't answer.
    """

    name: str
    digest: str | None
    state: State
    memory_bytes: int
    context_length: int | None
    slots: int
    busy: int
    waiting: int
    idle_since: datetime | None = None
    until: datetime | None = None
    gpu_bytes: int = 0
    keep_alive_s: float | None = None
    embeds: bool = False
