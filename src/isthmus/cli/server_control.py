"""Telling a running server of the same person what to load, and asking what is loaded."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from isthmus.engines.resident import ModelStatus
from isthmus.errors import Busy, EngineError, IsthmusError, ServerError
from isthmus.server import run_file
from isthmus.server.run_file import RunFile
from isthmus.settings import Settings
from isthmus.transport.chat_client import ChatClient, UpstreamError

_PATIENCE_S = 3600.0
"""Longer than the server's own, whose word is better than none."""


class LoadedModels(Struct, frozen=True):
    """The models that are loaded, and the memory that they share."""

    budget_bytes: int
    taken_bytes: int
    models: tuple[ModelStatus, ...]


def running_server(settings: Settings) -> RunFile:
    """The server that this person runs.

    Raises:
        ServerError: None runs.
    """
    run = run_file.read(settings.run_file)
    if run is None:
        raise ServerError("no server of yours is running", hint="isthmus serve")
    return run


async def loaded_models(run: RunFile) -> LoadedModels:
    """What is loaded there.

    Raises:
        IsthmusError: The server can't say.
    """
    return msgspec.convert(await _call(run, "GET", ""), LoadedModels)


async def load_model(run: RunFile, name: str) -> str:
    """Have a model loaded there; its name as the server knows it.

    Raises:
        IsthmusError: It can't be, for the reason that the server gives.
    """
    return str((await _call(run, "POST", f"/{quote(name, safe='')}/load"))["model"])


async def unload_model(run: RunFile, name: str) -> bool:
    """Have a model unloaded there; whether it was loaded.

    Raises:
        IsthmusError: It can't be, for the reason that the server gives.
    """
    return bool((await _call(run, "POST", f"/{quote(name, safe='')}/unload"))["was_loaded"])


async def _call(run: RunFile, method: str, path: str) -> Any:
    address = run.base_url.removesuffix("/v1") + "/isthmus/models"
    client = ChatClient(address, key=run.secret, first_byte_timeout_s=_PATIENCE_S)
    try:
        return await (client.get(path) if method == "GET" else client.post(path))
    except UpstreamError as error:
        raise as_told(error) from error
    finally:
        await client.close()


def as_told(error: UpstreamError) -> IsthmusError:
    """The server's own error, so that it ends this command as it would have ended the server's."""
    code, hint = error.detail.get("code"), error.detail.get("hint")
    hint = hint if isinstance(hint, str) else None
    if code == Busy.code:
        return Busy(error.message, retry_after_s=int(error.retry_after_s or 1), hint=hint)
    kind = next((each for each in _kinds(IsthmusError) if each.code == code), EngineError)
    return kind(error.message, hint=hint)


def _kinds(kind: type[IsthmusError]) -> Iterator[type[IsthmusError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)
