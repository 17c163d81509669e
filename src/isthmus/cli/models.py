"""``isthmus pull``, ``list``, ``show`` and ``rm``: the weights on this machine."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import moment, size
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.running import run
from isthmus.errors import UsageError
from isthmus.messages import Progress
from isthmus.naming import ModelRef, parse_model
from isthmus.settings import Settings
from isthmus.store import (
    CATALOGUE,
    CatalogueEntry,
    GgufHeader,
    Store,
    StoredModel,
    catalogue,
    fetch,
    hash_open_file,
    open_weights,
    parse_header,
    read_header,
)

NameOrPath = Annotated[str, typer.Argument(metavar="NAME|PATH", help="A model's name, or a GGUF file.")]


# ---------------------------------------------------------------- pull


def pull(
    model: NameOrPath,
    name: Annotated[str | None, typer.Option("--name", help="What to call the file's model.")] = None,
) -> None:
    """Fetch a model, or take in a GGUF file.

    A fetch that was cut short goes on where it was. A file is linked into the store, or copied where
    that can't be.
    """
    settings = configuration.load().settings
    ref = parse_model(model, settings.runners)
    store = Store(settings.home_path)
    if ref.kind == "runner":
        raise UsageError(f"{ref.value} is a runner of yours and keeps its own models", hint="isthmus list")
    if ref.kind == "path":
        with ProgressDisplay() as progress:
            stored = store.add_file(ref.path, name or _name_for(ref.path), progress)
    elif name is not None:
        raise UsageError("--name is for files: a model of the catalogue has its name", hint="isthmus list")
    else:
        stored = _pull_by_name(ref, store, settings)
    console.say(f'{stored.name} is here, {size(stored.size_bytes)}: isthmus ask --model {stored.name} "..."')


def _pull_by_name(ref: ModelRef, store: Store, settings: Settings) -> StoredModel:
    entry = catalogue.find(ref.value)
    if entry is None:
        return store.require(ref)  # a file's model, here already; or an error that names the nearest
    with ProgressDisplay() as progress:
        return run(
            fetch.pull(
                entry,
                store,
                offline=settings.offline,
                hf_endpoint=settings.hf_endpoint,
                on_progress=progress,
                on_notice=lambda notice: console.note(notice.text, notice.hint),
            )
        )


def _name_for(path: Path) -> str:
    """A file's name as a model's: ``My Model-Q4_K_M.gguf`` is ``my-model-q4_k_m``."""
    return re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("._-")


# ---------------------------------------------------------------- list, show


class Weights(Struct, frozen=True):
    """What the store or the catalogue knows of weights; ``digest`` is their SHA-256."""

    name: str | None
    size_bytes: int
    digest: str
    licence: str | None
    description: str | None
    source: str | None = None
    added: datetime | None = None
    path: Path | None = None


def list_models(as_json: Json = False) -> None:
    """List the models that are here, and those on offer."""
    store = Store(configuration.load().settings.home_path)
    here = [_stored(model) for model in store.models()]
    digests = {model.digest for model in here}
    offers = [_offered(entry) for entry in CATALOGUE if entry.digest not in digests]
    for problem in store.damaged():
        console.note(problem.message, problem.hint)
    if as_json:
        console.write_json({"models": here, "offers": offers})
    else:
        _write_list(here, offers)


def _write_list(here: list[Weights], offers: list[Weights]) -> None:
    if here:
        rows = [(*_name_size_licence(each), _when(each), each.source or "") for each in here]
        console.write_table(("NAME", "SIZE", "LICENCE", "ADDED", "SOURCE"), rows)
    else:
        console.say("No model is here yet.")
    if offers:
        console.write("\nOn offer (isthmus pull NAME):" if here else "On offer (isthmus pull NAME):")
        rows = [(*_name_size_licence(each), each.description or "") for each in offers]
        console.write_table(("NAME", "SIZE", "LICENCE", "DESCRIPTION"), rows)


def show(model: NameOrPath, as_json: Json = False) -> None:
    """Show what is known of a model."""
    settings = configuration.load().settings
    ref = parse_model(model, settings.runners)
    if ref.kind == "path":
        weights, header = _of_file(ref.path)
    else:
        stored = Store(settings.home_path).require(ref)
        weights, header = _stored(stored), read_header(stored.path)
    if as_json:
        console.write_json({"weights": weights, "header": header})
    else:
        console.write_fields(_fields(weights, header))


def _fields(weights: Weights, header: GgufHeader) -> dict[str, str]:
    context = header.context_length
    return {
        "Name": weights.name or "(a file that has none yet)",
        "Description": weights.description or header.name or "",
        "File": str(weights.path),
        "Size": f"{size(weights.size_bytes)} ({weights.size_bytes:,} bytes)",
        "SHA-256": weights.digest,
        "Licence": weights.licence or "unknown",
        "Source": weights.source or "",
        "Added": _when(weights),
        "Architecture": header.architecture,
        "Parameters": f"{header.parameter_count:,}",
        "Quantization": header.quantization or "unknown",
        "Context length": f"{context:,} tokens" if context else "unknown",
        "Chat template": "yes" if header.has_chat_template else "none",
    }


def _stored(model: StoredModel) -> Weights:
    return Weights(**{field: getattr(model, field) for field in Weights.__struct_fields__})


def _offered(entry: CatalogueEntry) -> Weights:
    return Weights(entry.name, entry.size_bytes, entry.digest, entry.licence, entry.description)


def _of_file(path: Path) -> tuple[Weights, GgufHeader]:
    """What can be known of a file that has no name: its hash may be one that the catalogue knows."""
    label = f"hashing {path.name}"
    with open_weights(path) as file, ProgressDisplay() as progress:
        header = parse_header(file, path)
        size_bytes = os.fstat(file.fileno()).st_size
        hashed = hash_open_file(file, path, lambda done: progress(Progress(label, done, size_bytes)))
    twin = next((entry for entry in CATALOGUE if entry.digest == hashed.digest), None)
    weights = Weights(
        name=None,
        size_bytes=size_bytes,
        digest=hashed.digest,
        licence=twin.licence if twin else None,
        description=twin.description if twin else None,
        path=path.absolute(),
    )
    return weights, header


def _name_size_licence(weights: Weights) -> tuple[str, str, str]:
    return weights.name or "", size(weights.size_bytes), weights.licence or "unknown"


def _when(weights: Weights) -> str:
    return moment(weights.added) if weights.added else ""


# ---------------------------------------------------------------- rm


def remove(model: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")]) -> None:
    """Remove a model from this machine.

    The weights go with the last name that they have.
    """
    settings = configuration.load().settings
    ref = parse_model(model, settings.runners)
    if ref.kind != "name":
        raise UsageError(f"{ref} isn't one of the models that Isthmus keeps", hint="isthmus list")
    Store(settings.home_path).remove(ref.value)
    console.say(f"{ref} is removed.")
