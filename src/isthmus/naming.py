"""How models are named.

A reference is one of

    name[:tag]      qwen2.5-coder:0.5b     the catalogue, or a name given to a file by `isthmus pull`
    path            ./some.gguf  /x/y.gguf a GGUF file: it begins with . / or ~, or ends in .gguf
    runner[/model]  ollama/qwen3:8b        a model of a runner declared under [providers.ollama], local = true
    scheme:where    hf:org/repo:Q4_K_M     a model that a source has: hf:, https:, file:, wheel:, oci:, ...

The addresses under which people know the models of Hugging Face are read as ``hf:`` references:
``hf.co/org/repo:Q4_K_M``, ``https://huggingface.co/org/repo``, .../blob/main/FILE.gguf. A scheme has two
letters at least, and what follows it holds something that no tag does, unless it is one of `SCHEMES`.

Names are compared in lower case. The parts of a name hold letters, digits, ``.``, ``_`` and ``-``, and
begin with a letter or digit, so that no name can climb out of a folder; they have 128 characters at most, so
that every name can be a file's.
"""

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct

from isthmus.errors import UnknownModel

SCHEMES = frozenset({"file", "hf", "http", "https", "oci", "wheel"})
"""The built-in sources: no model has one of these words for the first part of its name."""

_PART = r"[a-z0-9][a-z0-9._-]{0,127}"
_NAME = re.compile(rf"{_PART}(?::{_PART})?", re.ASCII)
_REFERENCE = re.compile(r"([a-z][a-z0-9+-]+):([^\x00-\x1f\x7f]+)", re.ASCII | re.IGNORECASE)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(?::[\w.-]+)?", re.ASCII)
_HUB = re.compile(r"(?:https?://)?(?:www\.)?(?:hf\.co|huggingface\.co)/(\S+)", re.ASCII | re.IGNORECASE)
_HUB_FILE = re.compile(r"([^/]+/[^/]+)/(?:blob|resolve)/main/([^?#]+)")
_HUB_PAGE = re.compile(r"([^/]+/[^/:?#]+)(?:/tree/main)?/?(?:[?#].*)?")


class ModelRef(Struct, frozen=True):
    """A parsed reference: ``value`` is the name, path, runner or the source's whole reference.

    ``model`` is the runner's model, where one is named.
    """

    kind: Literal["name", "path", "runner", "source"]
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
    def scheme(self) -> str:
        """The scheme of a reference of kind ``source``."""
        return self.value.partition(":")[0]

    @property
    def anywhere(self) -> str:
        """The reference as it is understood from any folder: a path is made absolute."""
        return str(self.path.absolute()) if self.kind == "path" else str(self)

    def __str__(self) -> str:
        return f"{self.value}/{self.model}" if self.model else self.value


def parse_model(text: str, runners: Collection[str] = ()) -> ModelRef:
    """Read a model's name, path, runner or source as a person types it.

    Args:
        text: What was typed.
        runners: The names of the runners that the settings declare local.

    Raises:
        UnknownModel: The text is none of them.
    """
    text = text.strip()
    head, _, rest = text.partition("/")
    if head in runners:
        return ModelRef("runner", head, rest or None)
    if reference := _reference(text):
        return ModelRef("source", reference)
    if text.lower().endswith(".gguf") or text.startswith((".", "/", "~")) or "\\" in text:
        return ModelRef("path", text)
    if _NAME.fullmatch(text.lower()):
        return ModelRef("name", text.lower())
    raise UnknownModel(
        f"{text[:200]!r} is not a model's name or the path of a GGUF file",
        hint=f"isthmus pull hf:{text}" if _REPOSITORY.fullmatch(text) else "isthmus list",
    )


def name_from(text: str) -> str:
    """A model's name made of what someone else calls it: ``My Model-Q4_K_M`` is ``my-model-q4_k_m``.

    A colon stays where it parts a name from its tag: ``Qwen3-8B:Q4_K_M`` is ``qwen3-8b:q4_k_m``.
    """
    head, _, tag = text.lower().partition(":")
    family, tag = (re.sub(r"[^a-z0-9._-]+", "-", part).strip("._-")[:120] for part in (head, tag))
    family = re.sub(r"\.gguf$", "", family) or "model"
    if tag.endswith(".gguf") or family in SCHEMES:  # they would be read as a path, or as a source's
        family, tag = f"my-{family}", tag.removesuffix(".gguf")
    return f"{family}:{tag}" if tag else family


def _reference(text: str) -> str | None:
    """A source's reference with its scheme in lower case; None where the text is something else."""
    if hub := _HUB.fullmatch(text):
        return f"hf:{_hub_path(hub[1])}"
    match = _REFERENCE.fullmatch(text)
    if match is None or (match[1].lower() not in SCHEMES and _NAME.fullmatch(text.lower())):
        return None
    return f"{match[1].lower()}:{match[2]}"


def _hub_path(path: str) -> str:
    """The path of an address of Hugging Face as it follows ``hf:``."""
    file = _HUB_FILE.fullmatch(path.partition("?")[0])
    if file and (name := unquote(file[2])).isprintable():
        return f"{file[1]}/{name.strip()}"
    page = _HUB_PAGE.fullmatch(path)
    return page[1] if page else path


def closest(word: str, known: Collection[str]) -> str | None:
    """The known word that is nearest to a misspelt one, or None where none is near."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)
