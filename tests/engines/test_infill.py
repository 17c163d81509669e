"""Prompts that ask for what lies between: played marks, and the starter model's own."""

import anyio
import pytest

from isthmus.engines.infill import Snippet, fill_in_the_middle
from isthmus.engines.llama import LlamaEngine
from isthmus.engines.scripted import ScriptedTokenizer
from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest, TextDelta
from isthmus.settings import EngineSettings
from isthmus.trust import verify


class Marked(ScriptedTokenizer):
    """Knows one family's marks."""

    file_mark = None

    def __init__(self, *marks):
        self._marks = marks

    async def tokenize(self, text, *, special=False, add_special=False):
        if special and text == "".join(self._marks):
            return [1001, 1002, 1003]
        if special and text == self.file_mark:
            return [1004]
        return await super().tokenize(text, special=special, add_special=add_special)


@pytest.mark.parametrize(
    "family",
    [
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
        ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    ],
)
def test_the_prompt_is_made_of_the_models_own_marks(family):
    made = anyio.run(fill_in_the_middle, Marked(*family), "a", "<fim_prefix>")
    assert made == (256, 1001, ord("a"), 1002, *b"<fim_prefix>", 1003)


SNIPPETS = [Snippet("int x;", "x.h"), Snippet("y")]
FAMILY = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


def test_other_files_come_first_each_after_the_models_mark():
    tokenizer = Marked(*FAMILY)
    tokenizer.file_mark = "<|file_sep|>"
    made = anyio.run(fill_in_the_middle, tokenizer, "a", "b", SNIPPETS)
    files = (1004, *b"x.h\nint x;\n", 1004, *b"snippet\ny\n", 1004)
    assert made == (256, *files, 1001, ord("a"), 1002, ord("b"), 1003)


def test_files_are_told_apart_in_words_where_there_is_no_mark():
    made = anyio.run(fill_in_the_middle, Marked(*FAMILY), "a", "b", SNIPPETS)
    files = b"\n--- x.h ---\nint x;\n\n--- snippet ---\ny\n"
    assert made == (256, *files, 1001, ord("a"), 1002, ord("b"), 1003)


def test_a_model_without_marks_is_refused():
    with pytest.raises(RequestError, match="in the middle") as caught:
        anyio.run(fill_in_the_middle, ScriptedTokenizer(), "a", "b")
    assert caught.value.param == "suffix"


@pytest.mark.starter
def test_the_starter_model_fills_in_the_middle(starter):
    before, after = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"

    async def main():
        engine = LlamaEngine(verify(starter), EngineSettings(context_length=512, parallel=1))
        try:
            raw = await fill_in_the_middle(engine.tokenizer, before, after)
            request = GenerationRequest((), max_tokens=16, temperature=0, raw=raw)
            events = [event async for event in engine.stream(request)]
        finally:
            await engine.close()
        return "".join(event.text for event in events if isinstance(event, TextDelta))

    assert anyio.run(main).startswith("a + b\n")
