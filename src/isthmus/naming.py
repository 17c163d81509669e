"""How models are named.

A reference is one of

    name[:tag]      qwen2.5-coder:0.5b     the catalogue, or a name given to a file by `isthmus pull`
    path            ./some.gguf  /x/y.gguf a GGUF file: it begins with . / or ~, or ends in .gguf
    runner[/model]  ollama/qwen3:8b        a model of a runner declared under [providers.ollama], local = true

Names are compared in lower case. The parts of a name hold letters, digits, ``.``, ``_`` and ``-``, and
begin with a letter or digit, so that no name can climb out of a folder.
"""

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from msgspec import Struct

from isthmus.errors import UnknownModel

_PART = r"[a-z0-9][a-z0-9._-]*"
_NAME = re.compile(rf"{_PART}(?::{_PART})?", re.ASCII)


class ModelRef(Struct, frozen=True):
    """A parsed reference: ``value`` is the name, path or runner, ``model`` the runner's model where named."""

    kind: Literal["name", "path", "runner"]
    value: str
    model: str | None = None

    @property
    def path(self) -> Path:
        """The file that a reference of kind ``path`` points to."""
        try:
            return Path(self.value).expanduser()
        except RuntimeError:  # ~nobody: there is no such file, as whoever opens it will say
            return Path(self.value)

    @property
    def anywhere(self) -> str:
        """The reference as it is understood from any folder: a path is made absolute."""
        return str(self.path.absolute()) if self.kind == "path" else str(self)

    def __str__(self) -> str:
        return f"{self.value}/{self.model}" if self.model else self.value


def parse_model(text: str, runners: Collection[str] = ()) -> ModelRef:
    """Read a model's name, path or runner as a person types it.

    Args:
        text: What was typed.
        runners: The names of the runners that the settings declare local.

    Raises:
        UnknownModel: The text is none of the three.
    """
    text = text.strip()
    head, _, rest = text.partition("/")
    if head in runners:
        return ModelRef("runner", head, rest or None)
    if text.lower().endswith(".gguf") or text.startswith((".", "/", "~")) or "\\" in text:
        return ModelRef("path", text)
    if _NAME.fullmatch(text.lower()):
        return ModelRef("name", text.lower())
    raise UnknownModel(f"{text!r} is not a model's name or the path of a GGUF file", hint="isthmus list")


def closest(word: str, known: Collection[str]) -> str | None:
    """The known word that is nearest to a misspelt one, or None where none is near."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)
