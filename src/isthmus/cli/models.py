"""``isthmus list``, ``show`` and ``rm``: the weights on this machine."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import moment, size
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.errors import UsageError
from isthmus.messages import ModelInfo, Progress
from isthmus.naming import parse_model
from isthmus.settings import Settings
from isthmus.store import (
    CATALOGUE,
    CatalogueEntry,
    GgufHeader,
    Store,
    StoredModel,
    catalogue,
    hash_open_file,
    open_weights,
    parse_header,
    read_model,
)

NameOrPath = Annotated[str, typer.Argument(metavar="NAME|PATH", help="A model's name, or a GGUF file.")]


# ---------------------------------------------------------------- list, show


class Weights(Struct, frozen=True):
    """What the store or the catalogue knows of weights; ``digest`` is their SHA-256, where it is pinned."""

    name: str | None
    size_bytes: int
    digest: str | None
    licence: str | None
    description: str | None
    source: str | None = None
    added: datetime | None = None
    path: Path | None = None


def list_models(as_json: Json = False) -> None:
    """List the models that are here, and a few that fit.

    isthmus search lists all that the catalogue has.
    """
    settings = configuration.load().settings
    store = Store(settings.home_path)
    here = [_stored(model) for model in store.models()]
    names = {str(model.name) for model in here}
    for problem in store.damaged():
        console.note(problem.message, problem.hint)
    if as_json:
        offers = [_offered(entry) for entry in CATALOGUE if entry.name not in names]
        console.write_json({"models": here, "offers": offers})
        return
    if here:
        rows = [(*_name_size_licence(each), _when(each), each.source or "") for each in here]
        console.write_table(("NAME", "SIZE", "LICENCE", "ADDED", "SOURCE"), rows)
    else:
        console.say("No model is here yet.")
    _write_offers(settings, names)


def _write_offers(settings: Settings, here: set[str]) -> None:
    from isthmus.cli.outlook import look, speed  # looks at GPUs: only for those who read the list

    offers = [each for each in look(settings).recommended() if each.entry.name not in here]
    if offers:
        console.write("\nThat would run well here:" if here else "That would run well here:")
        rows = [
            (each.entry.name, size(each.entry.size_bytes), speed(each), each.entry.description)
            for each in offers
        ]
        console.write_table(("NAME", "SIZE", "SPEED", "GOOD AT"), rows)
    console.say(f"isthmus pull NAME fetches one; isthmus search lists all {len(CATALOGUE)} of the catalogue.")


def show(model: NameOrPath, as_json: Json = False) -> None:
    """Show what is known of a model.

    Of one that isn't here: what the catalogue knows, and whether it would run on this machine.
    """
    settings = configuration.load().settings
    ref = parse_model(model, settings.runners)
    store = Store(settings.home_path)
    entry = catalogue.find(ref.value) if ref.kind == "name" else None
    if ref.kind == "path":
        weights, header = _of_file(ref.path)
    elif entry is not None and store.resolve(ref) is None and store.resolve(parse_model(entry.name)) is None:
        _show_offer(entry, settings, as_json=as_json)
        return
    else:
        stored = store.resolve(ref) or store.require(parse_model(entry.name) if entry else ref)
        weights, header = _stored(stored), read_model(stored)
    if as_json:
        console.write_json({"weights": weights, "header": header})
    else:
        console.write_fields(_fields(weights, header))


def _show_offer(entry: CatalogueEntry, settings: Settings, *, as_json: bool) -> None:
    from isthmus.cli.outlook import look
    from isthmus.cli.search import as_object, offer_fields

    outlook = look(settings)
    if as_json:
        console.write_json({"weights": None, "header": None, "offer": as_object(entry, outlook, here=False)})
        return
    console.write_fields(offer_fields(entry, outlook))
    console.say(f"It isn't here; isthmus pull {entry.name} fetches it.")


def _fields(weights: Weights, header: GgufHeader) -> dict[str, str]:
    context = header.context_length
    return {
        "Name": weights.name or "(a file that has none yet)",
        "Description": weights.description or header.name or "",
        "File": str(weights.path),
        "Size": f"{size(weights.size_bytes)} ({weights.size_bytes:,} bytes)",
        "SHA-256": weights.digest or "",
        "Licence": weights.licence or "unknown",
        "Source": weights.source or "",
        "Added": _when(weights),
        "Architecture": header.architecture,
        "Parameters": f"{header.parameter_count:,}",
        "Quantization": header.quantization or "unknown",
        "Context length": f"{context:,} tokens" if context else "unknown",
        "Chat template": "yes" if header.has_chat_template else "none",
        "Thinking": _thinking(header),
        "Images": "seen" if header.sees else "",
    }


def _thinking(header: GgufHeader) -> str:
    """The family whose thinking the template shows; empty where it shows none."""
    from isthmus.reasoning.families import family_of

    family = family_of(ModelInfo("", local=True, template=header.chat_template or ""))
    if family is None:
        return ""
    return f"as {family.title}{'' if family.verified else ' (unverified on thinking weights)'}"


def _stored(model: StoredModel) -> Weights:
    weights = Weights(**{field: getattr(model, field) for field in Weights.__struct_fields__})
    return msgspec.structs.replace(weights, size_bytes=model.total_bytes)


def _offered(entry: CatalogueEntry) -> Weights:
    return Weights(entry.name, entry.size_bytes, entry.digest, entry.licence, entry.description)


def _of_file(path: Path) -> tuple[Weights, GgufHeader]:
    """What can be known of a file that has no name: its hash may be one that the catalogue knows."""
    label = f"hashing {path.name}"
    with open_weights(path) as file, ProgressDisplay() as progress:
        header = parse_header(file, path)
        size_bytes = os.fstat(file.fileno()).st_size
        hashed = hash_open_file(file, path, lambda done: progress(Progress(label, done, size_bytes)))
    twin = catalogue.with_digest(hashed.digest)
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
