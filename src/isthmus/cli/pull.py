"""``isthmus pull``: a model of the catalogue, of a source, or of a file."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import size
from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.running import run
from isthmus.configuration import Configuration
from isthmus.errors import UnknownModel, UsageError
from isthmus.fit import weights_room
from isthmus.messages import Notice
from isthmus.naming import ModelRef, name_from, parse_model
from isthmus.settings import Settings
from isthmus.store import CatalogueEntry, Store, StoredModel, find, pull_reference
from isthmus.store import pull as pull_entry
from isthmus.trust import admission_in, release_folder, trust_in, verify

Reference = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A name, hf:ORG/REPO[:QUANT], https://, oci:, wheel:, or a GGUF file's path."
    ),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="What to call the model; not for those of the catalogue.")
]
QuantOption = Annotated[
    str | None,
    typer.Option("--quant", help="The quantization, Q4_K_M; by default that, or the largest that fits."),
]
ProjectorOption = Annotated[
    Path | None,
    typer.Option(
        "--projector", help="For a file: the one that makes it see (mmproj-*.gguf). Repositories bring it."
    ),
]


def pull(
    model: Reference, name: NameOption = None, quant: QuantOption = None, projector: ProjectorOption = None
) -> None:
    """Fetch a model, or take in a GGUF file.

    A fetch that was cut short goes on where it was. A file is linked into the store, or copied where
    that can't be. Of a release's folder all is checked first, and kept to be checked at each load.
    """
    found = configuration.load()
    settings = found.settings
    ref, store = parse_model(model, settings.runners), Store(settings.home_path)
    if projector is not None and ref.kind != "path":
        raise UsageError(
            f"--projector is for a GGUF file, and {model} is none",
            hint="isthmus pull ./MODEL.gguf --projector ./mmproj-MODEL.gguf",
        )
    match ref.kind:
        case "runner":
            raise UsageError(
                f"{ref.value} is a runner of yours and keeps its own models", hint="isthmus list"
            )
        case "path" if release := release_folder(ref.path.absolute()):
            stored = _take_in_release(ref, release, store, settings, name)
        case "path":
            stored = _take_in(ref, store, name, quant, projector)
        case "source":
            stored = _pull_source(ref, store, found, name, quant)
        case "name":
            stored = _pull_by_name(ref, store, found, name, quant)
    _require_proof(stored, settings)
    console.say(f'{stored.name} is here, {size(stored.total_bytes)}: isthmus ask --model {stored.name} "..."')


def _take_in(
    ref: ModelRef, store: Store, name: str | None, quant: str | None, projector: Path | None
) -> StoredModel:
    if quant:
        raise UsageError(f"--quant is for repositories, and {ref} is one file")
    with ProgressDisplay() as progress:
        return store.add_file(ref.path, name or name_from(ref.path.stem), progress, projector=projector)


def _take_in_release(
    ref: ModelRef, folder: Path, store: Store, settings: Settings, name: str | None
) -> StoredModel:
    """Take in the model of a release, with what the release proves."""
    from isthmus.trust.publishers import Trust
    from isthmus.trust.pulling import take_in

    chosen = ref.path.absolute()
    with ProgressDisplay() as progress:
        stored, origin = take_in(
            folder, store, Trust(settings), name=name, file=chosen if chosen != folder else None,
            on_progress=progress,
        )  # fmt: skip
    if origin.publisher is None:
        console.note(
            f"{folder} is signed by nobody whom you know: nothing of it was proven, and nothing is required",
            "[publishers.NAME] in isthmus.toml pins a publisher's key; isthmus verify says what is proven",
        )
    return stored


def _require_proof(stored: StoredModel, settings: Settings) -> None:
    """Tell now, and not at the first question, that a model will never be loaded as it is."""
    if trust := trust_in(settings):
        verify(stored, trust=trust).close()


def _pull_source(
    ref: ModelRef, store: Store, found: Configuration, name: str | None, quant: str | None
) -> StoredModel:
    settings = found.settings
    budget_bytes = _room_bytes(settings)
    with ProgressDisplay() as progress:
        return run(
            pull_reference(
                ref.value,
                store,
                name=name,
                quant=quant,
                fits=lambda size_bytes: size_bytes <= budget_bytes,
                offline=settings.offline,
                hf_endpoint=settings.hf_endpoint,
                hf_token=found.hf_token,
                admit=admission_in(settings),
                on_progress=progress,
                on_notice=_note,
            )
        )


def _pull_by_name(
    ref: ModelRef, store: Store, found: Configuration, name: str | None, quant: str | None
) -> StoredModel:
    settings, entry = found.settings, find(ref.value)
    if name is not None:
        raise UsageError(
            "--name is not for models of the catalogue, which have their names", hint="isthmus list"
        )
    if entry is None:
        return store.require(
            ref
        )  # a model that was pulled from elsewhere; or an error that names the nearest
    if quant:
        entry = _in_quantization(entry, quant)
    with ProgressDisplay() as progress:
        return run(
            pull_entry(
                entry,
                store,
                offline=settings.offline,
                hf_endpoint=settings.hf_endpoint,
                hf_token=found.hf_token,
                on_progress=progress,
                on_notice=_note,
            )
        )


def _in_quantization(entry: CatalogueEntry, quant: str) -> CatalogueEntry:
    offered = (entry, *entry.in_other_quantizations())
    for each in offered:
        if each.quantization.lower() == quant.lower():
            return each
    known = ", ".join(each.quantization for each in offered if each.quantization)
    raise UnknownModel(
        f"the catalogue has no {quant} of {entry.name}" + (f"; on offer are {known}" if known else ""),
        hint=f"isthmus pull {entry.name}",
    )


def _room_bytes(settings: Settings) -> int:
    """The largest weights that this machine has memory and disk for."""
    from isthmus.cli.outlook import look  # looks at GPUs: only for those who must choose

    outlook = look(settings)
    return min(weights_room(outlook.budget), outlook.machine.disk_free_bytes)


def _note(notice: Notice) -> None:
    console.note(notice.text, notice.hint)
