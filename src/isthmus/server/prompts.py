"""Prompts on their way to a model: tokens with texts between them become tokens."""

from collections.abc import Iterable, Sequence

from isthmus.generator import Tokenizer
from isthmus.wire.raw_request import Prompt, Raw, is_raw


async def settled(tokenizer: Tokenizer, prompts: Iterable[Prompt]) -> list[Raw]:
    """Each prompt as a text or as tokens, whichever it was sent as; those of both become tokens."""
    return [each if is_raw(each) else await _tokens(tokenizer, each) for each in prompts]


async def _tokens(tokenizer: Tokenizer, prompt: Sequence[int | str]) -> tuple[int, ...]:
    tokens: list[int] = []
    for place, piece in enumerate(prompt):
        if isinstance(piece, str):
            # A text at the beginning has the marks that the model wants there.
            tokens += await tokenizer.tokenize(piece, special=True, add_special=place == 0)
        else:
            tokens.append(piece)
    return tuple(tokens)
