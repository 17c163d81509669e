"""What an image manifest says of a model: the one form that OCI registries and Ollama's store share.

A manifest lists layers, each by media type, length and hash (OCI image-spec 1.1, manifest.md). Those that
pack models agree on the layers, but not on their names for them, so this module knows them all.
"""

from pathlib import PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from isthmus.store.releases import SIGNATURE, is_statement
from isthmus.store.sources.variants import RepositoryFile, Variant, is_projector, variants

TITLE = "org.opencontainers.image.title"
LICENCES = "org.opencontainers.image.licenses"
DESCRIPTION = "org.opencontainers.image.description"
FILE_PATH = "org.cncf.model.filepath"

_WEIGHTS = frozenset(
    {
        "application/vnd.docker.ai.gguf.v3",
        "application/vnd.ollama.image.model",
        "application/vnd.cncf.model.weight.v1.gguf",
        "application/vnd.cncf.model.weight.gguf",
    }
)
_LICENCE = frozenset({"application/vnd.docker.ai.license", "application/vnd.ollama.image.license"})
_PROJECTOR = frozenset(
    {
        "application/vnd.ollama.image.projector",
        "application/vnd.docker.ai.mmproj",
        "application/vnd.docker.ai.gguf.v3.mmproj",
    }
)
_LEFT_OUT = {
    "application/vnd.ollama.image.adapter": "the adapter",
    "application/vnd.docker.ai.gguf.v3.lora": "the adapter",
}
_LICENCE_CHARACTERS = 80


class Descriptor(Struct, frozen=True, rename="camel"):
    """A layer or a manifest that another names: its hash, its length, what it is."""

    digest: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
    size: Annotated[int, Meta(ge=0)]
    media_type: str = ""
    annotations: dict[str, str] | None = None

    @property
    def sha256(self) -> str:
        """The hash as hex."""
        return self.digest.removeprefix("sha256:")

    @property
    def path(self) -> str:
        """The path of the file that was packed; empty where nobody says. A name only, and never followed."""
        notes = self.annotations or {}
        return notes.get(FILE_PATH) or notes.get(TITLE) or ""

    @property
    def title(self) -> str:
        """The name of the file that was packed, without folders; empty where nobody says."""
        return PurePosixPath(self.path).name

    @property
    def file(self) -> RepositoryFile:
        """It, as a file of a repository."""
        return RepositoryFile(self.title or f"layer {self.sha256[:12]}", self.size, self.sha256)


class ImageManifest(Struct, frozen=True, rename="camel"):
    """A manifest; one with ``manifests`` is an index of others, and has no layers."""

    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] | None = None

    @property
    def licence_layer(self) -> Descriptor | None:
        """The (first) layer with a licence's text."""
        return next((layer for layer in self.layers if layer.media_type in _LICENCE), None)

    @property
    def projector(self) -> RepositoryFile | None:
        """What makes the model see, where it is packed with it: by its kind, or else by its title."""
        marked = [layer for layer in self.layers if layer.media_type in _PROJECTOR]
        found = marked or [layer for layer in self.layers if is_projector(layer.title)]
        return found[0].file if found else None

    @property
    def statements(self) -> list[RepositoryFile]:
        """What the release that is packed states of itself; nothing of what nobody signed."""
        found = [
            RepositoryFile(each.path, each.size, each.sha256)
            for each in self.layers
            if is_statement(each.path)
        ]
        return found if SIGNATURE in {each.path for each in found} else []

    @property
    def contents(self) -> tuple[tuple[str, str], ...]:
        """Every file that is packed, by its path, with its SHA-256."""
        return tuple((each.path or f"layer {each.sha256[:12]}", each.sha256) for each in self.layers)

    @property
    def left_out(self) -> list[str]:
        """What is packed beside the weights and changes what the model can do, in words."""
        words = (_LEFT_OUT.get(layer.media_type) for layer in self.layers)
        return sorted(set(filter(None, words)))

    def models(self) -> list[Variant]:
        """The models that are packed: by their titles, and, where there are none, all weights as one."""
        titled, untitled = list[RepositoryFile](), list[RepositoryFile]()
        for layer in self.layers:
            if layer.media_type in _LEFT_OUT or layer.media_type in _PROJECTOR:
                continue
            if layer.title.lower().endswith(".gguf"):
                titled.append(layer.file)
            elif layer.media_type in _WEIGHTS:
                untitled.append(layer.file)
        return variants(titled) + ([Variant(None, tuple(untitled))] if untitled else [])


def read_manifest(content: bytes) -> ImageManifest:
    """Read a manifest or an index.

    Raises:
        ValueError: It is neither; the message says where it goes wrong.
    """
    try:
        return msgspec.json.decode(content, type=ImageManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def licence_line(text: str) -> str | None:
    """A licence's name: the first line of its text that has any letters."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return next((line[:_LICENCE_CHARACTERS] for line in lines if any(map(str.isalpha, line))), None)
