"""Models that Ollama keeps on this machine, taken into the store without a second copy of their bytes.

    FOLDER/manifests/HOST/NAMESPACE/MODEL/TAG   an image manifest
    FOLDER/blobs/sha256-HEX                     a layer: weights, template, parameters, licence

In a model's name ``registry.ollama.ai/library/`` goes without saying. Weights are linked and hashed. What
Ollama keeps beside them stays behind: its templates are written in Go's language, and the weights bring
their own; its parameters are told, for the person to set where they matter.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.errors import DigestMismatch, InvalidWeights, UnknownModel, UsageError
from isthmus.messages import Notice, Progress
from isthmus.naming import ModelRef, closest
from isthmus.store import catalogue
from isthmus.store.gguf import read_headers
from isthmus.store.manifest import StoredModel
from isthmus.store.manifests import checked_name
from isthmus.store.pieces import read_projector
from isthmus.store.sources.layers import Descriptor, ImageManifest, licence_line, read_manifest
from isthmus.store.sources.variants import RepositoryFile
from isthmus.store.store import Store

OnProgress: TypeAlias = Callable[[Progress], None]
OnNotice: TypeAlias = Callable[[Notice], None]

SERVICE_FOLDER = Path("/usr/share/ollama/.ollama/models")
"""Where Ollama keeps models that runs as a service on Linux."""

_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_PARAMETERS = "application/vnd.ollama.image.params"
_SYSTEM = "application/vnd.ollama.image.system"
_SMALL_BYTES = 1 << 20


def default_folder(chosen: Path | None) -> Path:
    """Where Ollama's models are: in the folder that was chosen, or else the person's, or the service's."""
    own = Path.home() / ".ollama" / "models"
    if chosen is not None:
        return chosen
    return SERVICE_FOLDER if SERVICE_FOLDER.is_dir() and not own.is_dir() else own


class OllamaModel(Struct, frozen=True):
    """A model as Ollama has it; ``name`` is what Ollama calls it."""

    name: str
    folder: Path
    manifest: ImageManifest

    @property
    def weights(self) -> tuple[RepositoryFile, ...]:
        """The files of its weights, in order; none where it has no GGUF."""
        models = self.manifest.models()
        return models[0].files if models else ()

    @property
    def files(self) -> tuple[RepositoryFile, ...]:
        """The files of its weights, then that of its projector, if it has one."""
        projector = self.manifest.projector
        return (*self.weights, *((projector,) if projector else ()))

    @property
    def size_bytes(self) -> int:
        """The length of all its files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def digests(self) -> list[str]:
        """The SHA-256 of each of its files, as hex."""
        return [file.sha256 or "" for file in self.files]

    @property
    def stored_name(self) -> str:
        """What the store calls it: ``hf.co/maker/Model:Q4_K_M`` is ``hf.co-maker-model:q4_k_m``.

        Where the catalogue has pinned bytes to that name, others get another.
        """
        family, _, tag = self.name.lower().rpartition(":")
        family = re.sub(r"[^a-z0-9._-]+", "-", family).strip("._-")
        tag = re.sub(r"[^a-z0-9._-]+", "-", tag).strip("._-")
        name = f"{family}:{tag}".removesuffix(f":{_TAG}")
        entry = catalogue.find(name)
        taken = entry is not None and entry.digest is not None and self.digests[:1] != [entry.digest]
        return f"ollama-{name}" if taken else name

    def blob(self, digest: str) -> Path:
        """The file with that SHA-256."""
        return self.folder / "blobs" / f"sha256-{digest}"


def models(folder: Path, on_notice: OnNotice) -> list[OllamaModel]:
    """What Ollama has in ``folder``, by name; manifests that make no sense are told and passed over.

    Raises:
        UnknownModel: Ollama keeps nothing there.
    """
    manifests = folder / "manifests"
    if not manifests.is_dir():
        raise UnknownModel(
            f"Ollama keeps no models in {folder}", hint="isthmus import-ollama --from ITS/models"
        )
    return sorted(_read(manifests, on_notice), key=lambda model: model.name)


def find(name: str, known: list[OllamaModel]) -> OllamaModel:
    """The model that Ollama calls ``name``, as a person types it: ``:latest`` may be left out.

    Raises:
        UnknownModel: Ollama hasn't got it.
    """
    wanted = name.lower()
    whole = wanted if ":" in wanted.rpartition("/")[2] else f"{wanted}:{_TAG}"
    for model in known:
        if model.name.lower() == whole:
            return model
    near = closest(wanted, [model.name.removesuffix(f":{_TAG}") for model in known])
    raise UnknownModel(
        f"Ollama has no model named {name}",
        hint=f"isthmus import-ollama {near}" if near else "isthmus import-ollama",
    )


def take_in(
    model: OllamaModel,
    store: Store,
    *,
    name: str | None = None,
    on_progress: OnProgress,
    on_notice: OnNotice,
) -> StoredModel:
    """Have a model of Ollama's in the store: linked where that is possible, and hashed in any case.

    Args:
        model: What to take.
        store: Where to.
        name: What to call it there, if not by Ollama's name.
        on_progress: Told of bytes hashed or copied.
        on_notice: Told what is left out, and of a copy where a link was impossible.

    Raises:
        UsageError: The name can't be a model's, or is another model's here.
        InvalidWeights: Its weights are no GGUF.
        DigestMismatch: Ollama's file is damaged.
        StorageError: There is no room, or the store can't be written.
    """
    name = checked_name(name or model.stored_name)
    if not model.weights:
        raise InvalidWeights(f"{model.name} has no GGUF in Ollama's store", hint=f"ollama show {model.name}")
    source = f"ollama:{model.name}"
    _require_free(name, source, model, store)
    files = [model.blob(digest).resolve() for digest in model.digests]
    count = len(model.weights)
    header = read_headers(files[:count])
    for projector in files[count:]:
        read_projector(projector)
    with store.staged(files, name, on_progress) as staged:
        for digest, hashed in zip(model.digests, staged, strict=True):
            if hashed.digest != digest:
                raise DigestMismatch(
                    f"{model.blob(digest)} is damaged: its hash is {hashed.digest[:12]}...",
                    hint=f"ollama pull {model.name}",
                )
        copied = any(
            (file.stat().st_dev, file.stat().st_ino) != (hashed.proof.device, hashed.proof.inode)
            for file, hashed in zip(files, staged, strict=True)
        )
        stored = store.publish(
            staged[:count],
            projector=staged[count] if len(staged) > count else None,
            name=name,
            source=source,
            licence=_licence(model),
            description=_description(model),
        )
    if copied:
        on_notice(
            Notice("copied", f"{model.name} was copied: no link leads from {store.home} to {model.folder}")
        )
    for text in _left_behind(model, header.has_chat_template):
        on_notice(Notice("left_out", f"{model.name}: {text}"))
    return stored


# ---------------------------------------------------------------- Ollama's files


def _read(manifests: Path, on_notice: OnNotice) -> Iterator[OllamaModel]:
    for path in manifests.glob("*/*/*/*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        host, namespace, family, tag = path.relative_to(manifests).parts
        shown = [family] if namespace == _NAMESPACE else [namespace, family]
        name = "/".join(shown if host == _HOST else [host, namespace, family]) + f":{tag}"
        try:
            manifest = read_manifest(path.read_bytes())
        except (OSError, ValueError) as error:
            on_notice(Notice("damaged", f"{name} can't be read: {error}", f"ollama pull {name}"))
        else:
            yield OllamaModel(name, manifests.parent, manifest)


def _small(model: OllamaModel, layer: Descriptor | None) -> bytes:
    """A layer other than weights; empty where it isn't there, or isn't what its hash says."""
    if layer is None or layer.size > _SMALL_BYTES:
        return b""
    try:
        with model.blob(layer.sha256).open("rb") as file:
            content = file.read(_SMALL_BYTES + 1)
    except OSError:
        return b""
    return content if hashlib.sha256(content).hexdigest() == layer.sha256 else b""


def _licence(model: OllamaModel) -> str | None:
    return licence_line(_small(model, model.manifest.licence_layer).decode(errors="replace"))


def _parameters(model: OllamaModel) -> dict[str, Any]:
    """What Ollama sets for the model, but for the stop words, which belong to its template."""
    layer = next((layer for layer in model.manifest.layers if layer.media_type == _PARAMETERS), None)
    try:
        parameters = msgspec.json.decode(_small(model, layer) or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {key: value for key, value in parameters.items() if key != "stop"}


def _description(model: OllamaModel) -> str | None:
    parameters = ", ".join(f"{key} {value}" for key, value in _parameters(model).items())
    return f"Ollama runs it with {parameters}" if parameters else None


def _left_behind(model: OllamaModel, has_template: bool) -> Iterator[str]:
    """What isn't taken over, in words."""
    for part in model.manifest.left_out:
        yield f"{part} is left out"
    if any(layer.media_type == _SYSTEM for layer in model.manifest.layers):
        yield "Ollama's system message for it is left out"
    if not has_template:
        yield "its weights bring no chat template, and Ollama's, in Go's language, isn't read here"
    if parameters := _description(model):
        yield f"{parameters}; set here what matters to you"


def _require_free(name: str, source: str, model: OllamaModel, store: Store) -> None:
    """Make sure that the name has no other model already."""
    held = store.resolve(ModelRef("name", name))
    if held and held.source != source and [blob.digest for blob in held.blobs] != model.digests:
        raise UsageError(
            f"{name} is the name of another model here already",
            hint=f"isthmus import-ollama {model.name} --name ollama-{name}",
        )
