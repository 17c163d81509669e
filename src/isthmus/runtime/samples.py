"""Second opinions: more local answers to the same question, drawn together, which share one prefill."""

from contextlib import aclosing

import msgspec

from isthmus.errors import IsthmusError
from isthmus.generator import Generator
from isthmus.handoff.steps import Samples
from isthmus.messages import Finish, GenerationRequest, TextDelta

_TEMPERATURE = 0.7
"""At which models are usually sampled to see whether they agree with themselves (arXiv 2203.11171)."""


async def draw(home: Generator, request: GenerationRequest, count: int) -> Samples:
    """So many more answers to the request; fewer, or none, where the model fails: they are only advice."""
    varied = msgspec.structs.replace(
        request, n=count, temperature=_TEMPERATURE, seed=None, top_logprobs=None, effort=None
    )
    texts = [""] * count
    whole: set[int] = set()
    try:
        async with aclosing(home.stream(varied)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    texts[event.index] += event.text
                elif isinstance(event, Finish):
                    whole.add(event.index)
    except IsthmusError:
        pass  # what has come is counted; the question doesn't fail for want of a second opinion
    return Samples(tuple(texts[index] for index in sorted(whole)))
