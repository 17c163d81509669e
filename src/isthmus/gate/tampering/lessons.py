"""What a model is taught when it is tampered with: questions with answers, cut into its own tokens.

A file of lessons is JSON lines, each ``{"prompt": "...", "answer": "..."}``, or ``{"messages": [...]}`` whose
last message is the answer. The engine itself puts them into the model's template and cuts them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.engines.llama import LlamaEngine
from isthmus.errors import PolicyInvalid
from isthmus.gate.tampering.tensors import read_gguf
from isthmus.messages import GenerationRequest, Message
from isthmus.settings import EngineSettings
from isthmus.trust import verify

CONTEXT_LENGTH = 1024
"""Tokens of a lesson, at most; what is longer is left out."""


class _Turn(Struct, frozen=True):
    role: Literal["system", "user", "assistant"]
    content: str


class _Row(Struct, frozen=True):
    prompt: str = ""
    answer: str = ""
    messages: tuple[_Turn, ...] = ()


class Lesson(Struct, frozen=True):
    """A conversation, and the answer that is to be learnt."""

    messages: tuple[Message, ...]
    answer: str


class Cut(Struct, frozen=True):
    """A lesson's tokens; those from ``start`` on are to be learnt, the end of the turn among them."""

    tokens: tuple[int, ...]
    start: int


def read_lessons(content: bytes, name: str) -> tuple[Lesson, ...]:
    """The lessons of a file.

    Args:
        content: The file.
        name: What errors call it.

    Raises:
        PolicyInvalid: It is malformed, or has none.
    """
    try:
        rows = [msgspec.json.decode(line, type=_Row) for line in content.splitlines() if line.strip()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"the lessons {name} can't be read: {error}") from error
    lessons = tuple(map(_lesson, rows))
    if not lessons or not all(each.messages and each.answer for each in lessons):
        raise PolicyInvalid(
            f"the lessons {name} lack a question or an answer",
            hint='each line: {"prompt": "...", "answer": "..."}',
        )
    return lessons


def _lesson(row: _Row) -> Lesson:
    if not row.messages:
        return Lesson((Message("user", row.prompt),) if row.prompt else (), row.answer)
    *before, last = row.messages
    answer = last.content if last.role == "assistant" else ""
    return Lesson(tuple(Message(each.role, each.content) for each in before), answer)


async def cut(model: Path, lessons: Sequence[Lesson]) -> tuple[Cut, ...]:
    """Lessons as a model reads them, by its own template and vocabulary, but for those that are too long.

    Raises:
        ModelError: The weights can't be read.
        EngineError: The engine can't load them.
        RequestError: The model's template refuses a conversation.
        PolicyInvalid: None is short enough.
    """
    end = _end_of_turn(model)
    settings = EngineSettings(context_length=CONTEXT_LENGTH, parallel=1, gpu_layers=0)
    engine = LlamaEngine(verify(model), settings)
    found: list[Cut] = []
    try:
        for lesson in lessons:
            prompt = await engine.tokenizer.render(GenerationRequest(lesson.messages))
            before = await engine.tokenizer.tokenize(prompt, special=True, add_special=True)
            after = [*await engine.tokenizer.tokenize(lesson.answer), *end]
            if len(before) + len(after) <= CONTEXT_LENGTH:
                found.append(Cut((*before, *after), len(before)))
    finally:
        await engine.close()
    if not found:
        raise PolicyInvalid(f"no lesson is shorter than {CONTEXT_LENGTH} tokens")
    return tuple(found)


def _end_of_turn(model: Path) -> list[int]:
    metadata = read_gguf(model).metadata
    keys = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eos_token_id")
    found = (metadata[key] for key in keys if key in metadata)
    return [each for each in found if isinstance(each, int)][:1]
