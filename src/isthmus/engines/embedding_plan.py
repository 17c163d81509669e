"""How weights are loaded that are to turn texts into vectors, and what they take then.

llama.cpp reads a text in one micro-batch there, and keeps a row of logits for each of its tokens, whether or
not somebody looks at them: what a text may have of tokens is what a vocabulary leaves of memory.
"""

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.fit import Budget, Plan, plan
from isthmus.settings import EngineSettings
from isthmus.store import GgufHeader

Pooling: TypeAlias = Literal["own", "mean"]
"""How a text's vector is made of its tokens': as the weights say, or as their mean."""

_AT_ONCE = 4
"""Texts that are read at once, where the context has room for so many."""
_LEAST_TOKENS, _MOST_TOKENS, _STEP = 512, 2048, 256
_LOGITS_BYTES = 256 << 20
"""What the logits of a micro-batch may take, if a text is to have more than the fewest tokens."""
_F32_BYTES = 4


class EmbeddingLoad(Struct, frozen=True):
    """How weights are loaded to turn texts into vectors.

    A text may have ``text_tokens``; ``at_once`` of them are read side by side.
    """

    pooling: Pooling
    text_tokens: int
    at_once: int

    @property
    def context_length(self) -> int:
        """Tokens of all texts that are read side by side."""
        return self.text_tokens * self.at_once


def embedding_load(header: GgufHeader, name: str) -> EmbeddingLoad:
    """How to load a model for embedding; one that was made to answer gives the mean of its tokens' vectors.

    Raises:
        RequestError: It ranks texts, and makes no vectors of them.
    """
    if header.pooling == "rank":
        raise RequestError(f"{name} ranks texts and makes no vectors of them", param="model")
    trained = header.context_length or _LEAST_TOKENS
    affordable = _LOGITS_BYTES // (_F32_BYTES * max(header.shape.vocabulary, 1)) // _STEP * _STEP
    tokens = min(trained, max(_LEAST_TOKENS, min(affordable, _MOST_TOKENS)))
    return EmbeddingLoad(
        pooling="own" if header.pooling in ("mean", "cls", "last") else "mean",
        text_tokens=tokens,
        at_once=max(1, min(_AT_ONCE, trained // tokens)),
    )


def embedding_settings(load: EmbeddingLoad, engine: EngineSettings) -> EngineSettings:
    """The person's settings, without what is for answers."""
    return msgspec.structs.replace(
        engine,
        parallel=load.at_once,
        context_length=load.context_length,
        speculation="off",
        draft_model=None,
        adapters=(),
    )


def plan_embedding(header: GgufHeader, load: EmbeddingLoad, budget: Budget, engine: EngineSettings) -> Plan:
    """What a model takes that is loaded so: its logits once on the way and once at the end."""
    logits = 2 * _F32_BYTES * load.text_tokens * header.shape.vocabulary
    left = Budget(max(0, budget.ram_bytes - logits), budget.gpu_bytes)
    planned = plan(header.shape, left, embedding_settings(load, engine))
    return msgspec.structs.replace(
        planned,
        compute_bytes=planned.compute_bytes + logits,
        total_bytes=planned.total_bytes + logits,
        ram_bytes=planned.ram_bytes + logits,
    )
