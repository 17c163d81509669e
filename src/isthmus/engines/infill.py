"""Fill in the middle: a prompt of what comes before and after, for models that were trained for it.

llama.cpp's own ``/infill`` cuts what doesn't fit a batch without a word, so the prompt is made here.
"""

from collections.abc import Sequence

from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.generator import Tokenizer

_MARKS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen2.5-Coder, CodeGemma
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder, Granite
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001 - DeepSeek's bars are wide ones
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),  # CodeLlama
    ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),  # GLM
    ("<|prefix|>", "<|suffix|>", "<|middle|>"),  # Falcon-H1
)
"""How model families mark what comes before a gap, what comes after it, and the gap."""


_FILE_MARKS = ("<|file_sep|>", "<file_sep>", "<|file_separator|>", "<filename>")
"""How they mark the beginning of a file, where several come in one prompt."""


class Snippet(Struct, frozen=True):
    """A piece of another file."""

    text: str
    name: str | None = None


async def fill_in_the_middle(
    tokenizer: Tokenizer,
    before: str,
    after: str,
    beside: Sequence[Snippet] = (),
    *,
    param: str = "suffix",
) -> tuple[int, ...]:
    """The tokens of a prompt that has a model write what stands between two texts.

    Args:
        tokenizer: The model's.
        before: The text before the gap.
        after: The text behind it.
        beside: Of other files; they come first.
        param: What errors name.

    Raises:
        RequestError: The model has no tokens for that.
    """
    prefix, suffix, middle = await _marks(tokenizer, param)
    begin = await tokenizer.tokenize("", add_special=True)
    files = await _files(tokenizer, beside) if beside else ()
    left, right = await tokenizer.tokenize(before), await tokenizer.tokenize(after)
    return (*begin, *files, prefix, *left, suffix, *right, middle)


async def _files(tokenizer: Tokenizer, snippets: Sequence[Snippet]) -> tuple[int, ...]:
    """Pieces of other files, and the mark at which the gap's own begins."""
    mark = await _file_mark(tokenizer)
    tokens: list[int] = []
    for snippet in snippets:
        name = snippet.name or "snippet"
        text = f"{name}\n{snippet.text}\n" if mark else f"\n--- {name} ---\n{snippet.text}\n"
        tokens += [*mark, *await tokenizer.tokenize(text)]
    return (*tokens, *mark)


async def _file_mark(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The model's own mark; none where it has none."""
    for mark in _FILE_MARKS:
        cut = await tokenizer.tokenize(mark, special=True)
        if len(cut) == 1:
            return tuple(cut)
    return ()


async def _marks(tokenizer: Tokenizer, param: str) -> tuple[int, int, int]:
    for family in _MARKS:
        cut = await tokenizer.tokenize("".join(family), special=True)
        if len(cut) == len(family):
            return cut[0], cut[1], cut[2]
    raise RequestError(
        "the model has no tokens to fill in the middle with",
        hint="name a model that was trained for it, such as qwen2.5-coder:0.5b",
        param=param,
    )
