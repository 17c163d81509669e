"""``isthmus ps``, ``load`` and ``unload``: the models that the running server has in memory."""

from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import duration, size
from isthmus.cli.options import Json
from isthmus.cli.running import run
from isthmus.cli.server_control import (
    LoadedModels,
    load_model,
    loaded_models,
    running_server,
    unload_model,
)
from isthmus.cli.spinner import spinning
from isthmus.engines.resident import ModelStatus
from isthmus.naming import parse_model
from isthmus.settings import Settings

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")]


def ps(as_json: Json = False) -> None:
    """Show which models the running server has in memory.

    What is counted for a model is what was planned for it, or what it really takes where that is more.
    """
    loaded = run(loaded_models(running_server(configuration.load().settings)))
    if as_json:
        console.write_json(loaded)
    else:
        _write(loaded)


def load(model: Name) -> None:
    """Have the running server load a model.

    Others are unloaded for it where there is no room, the least recently used first, each when it is idle.
    """
    settings = configuration.load().settings
    server, name = running_server(settings), _anywhere(model, settings)
    loaded = run(_told(f"loading {model}", load_model(server, name)))
    console.say(f"{loaded} is loaded.")


def unload(model: Name) -> None:
    """Have the running server unload a model once it is idle."""
    settings = configuration.load().settings
    server, name = running_server(settings), _anywhere(model, settings)
    was_loaded = run(_told(f"waiting until {model} is idle", unload_model(server, name)))
    console.say(f"{model} is unloaded." if was_loaded else f"{model} wasn't loaded.")


def _anywhere(model: str, settings: Settings) -> str:
    """The model as the server, which may have been started in another folder, understands it."""
    return parse_model(model, settings.runners).anywhere


async def _told(text: str, work: Coroutine[Any, Any, T]) -> T:
    with spinning(text):
        return await work


def _write(loaded: LoadedModels) -> None:
    if loaded.models:
        header = ("NAME", "STATE", "MEMORY", "CONTEXT", "BUSY", "WAITING", "UNTIL")
        console.write_table(header, [_row(each) for each in loaded.models])
    taken, budget = size(loaded.taken_bytes), size(loaded.budget_bytes)
    console.say(f"{taken} of the {budget} that models may take.")


def _row(model: ModelStatus) -> tuple[str, ...]:
    return (
        model.name,
        model.state,
        size(model.memory_bytes),
        f"{model.context_length:,}" if model.context_length else "",
        f"{model.busy} of {model.slots}",
        str(model.waiting),
        _until(model),
    )


def _until(model: ModelStatus) -> str:
    if model.until is None:
        return "in use" if model.busy else "for good"
    left = (model.until - datetime.now(UTC)).total_seconds()
    return f"in {duration(max(0.0, left))}"
