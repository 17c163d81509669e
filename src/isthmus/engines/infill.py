"""Fill in the middle: a prompt of what comes before and after, for models that were trained for it.

llama.cpp's own ``/infill`` cuts what doesn't fit a batch without a word, so the prompt is made here.
"""

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


async def fill_in_the_middle(tokenizer: Tokenizer, before: str, after: str) -> tuple[int, ...]:
    """The tokens of a prompt that has a model write what stands between two texts.

    Raises:
        RequestError: The model has no tokens for that.
    """
    prefix, suffix, middle = await _marks(tokenizer)
    begin = await tokenizer.tokenize("", add_special=True)
    left, right = await tokenizer.tokenize(before), await tokenizer.tokenize(after)
    return (*begin, prefix, *left, suffix, *right, middle)


async def _marks(tokenizer: Tokenizer) -> tuple[int, int, int]:
    for family in _MARKS:
        cut = await tokenizer.tokenize("".join(family), special=True)
        if len(cut) == len(family):
            return cut[0], cut[1], cut[2]
    raise RequestError(
        "the model has no tokens to fill in the middle with",
        hint="leave suffix out, or name a model that was trained for it, such as qwen2.5-coder:0.5b",
        param="suffix",
    )
