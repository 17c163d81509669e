"""``isthmus import-ollama``: the models that Ollama has on this machine."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import size
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.errors import ModelError, UsageError
from isthmus.messages import Notice
from isthmus.naming import ModelRef
from isthmus.store import Store
from isthmus.store.sources import ollama
from isthmus.store.sources.ollama import OllamaModel


class Found(Struct, frozen=True):
    """A model of Ollama's; ``stored_name`` is what it is called here, or would be if it were ``imported``."""

    name: str
    stored_name: str
    size_bytes: int
    imported: bool


def import_ollama(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Ollama's names; none lists them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Take in all of them.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="PATH", help="Ollama's folder of models.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call the one model here.")] = None,
    as_json: Json = False,
) -> None:
    """Take in models that Ollama has here.

    Weights are hashed and linked, so that they take no more room and either program may let go of them. They
    are copied where no link can be made, as to another disk. Without a MODEL, what Ollama has is listed.
    """
    if name and (everything or len(models or ()) != 1):
        raise UsageError("--name is for one model", hint="isthmus import-ollama MODEL --name my-model:7b")
    store = Store(configuration.load().settings.home_path)
    known = ollama.models(ollama.default_folder(folder or configuration.ollama_models()), _tell)
    wanted = [ollama.find(each, known) for each in models or ()]
    if everything:
        wanted = [each for each in known if each.weights]
    if not wanted:
        _list([_found(each, store) for each in known if each.weights], as_json)
        return
    taken = [found for each in wanted if (found := _take_in(each, store, name, everything))]
    if as_json:
        console.write_json(taken)
    if len(taken) < len(wanted):
        raise ModelError(f"{len(wanted) - len(taken)} of {len(wanted)} models could not be taken in")


def _take_in(model: OllamaModel, store: Store, name: str | None, go_on: bool) -> Found | None:
    """Take a model in; with ``go_on``, a failure is only told."""
    try:
        with ProgressDisplay() as progress:
            stored = ollama.take_in(model, store, name=name, on_progress=progress, on_notice=_tell)
    except (ModelError, UsageError) as error:
        if not go_on:
            raise
        console.error(error)
        return None
    console.say(f'{stored.name} is here, {size(stored.total_bytes)}: isthmus ask --model {stored.name} "..."')
    return Found(model.name, stored.name, stored.total_bytes, imported=True)


def _found(model: OllamaModel, store: Store) -> Found:
    held = store.resolve(ModelRef("name", model.stored_name))
    imported = held is not None and [blob.digest for blob in held.blobs] == model.digests
    return Found(model.name, model.stored_name, model.size_bytes, imported)


def _list(found: list[Found], as_json: bool) -> None:
    if as_json:
        console.write_json(found)
    elif found:
        rows = [
            (each.name, size(each.size_bytes), "yes" if each.imported else "", each.stored_name)
            for each in found
        ]
        console.write_table(("NAME", "SIZE", "HERE", "NAME HERE"), rows)
        console.say(
            f"Take one in: isthmus import-ollama {found[0].name}; or all: isthmus import-ollama --all"
        )
    else:
        console.say("Ollama has no models here.")


def _tell(notice: Notice) -> None:
    console.note(notice.text, notice.hint)
