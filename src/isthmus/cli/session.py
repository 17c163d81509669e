"""What `ask` and `chat` share: who answers, ready to do so, at home or through a running server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio
import anyio.to_thread
import msgspec
from sqlalchemy import Engine

from isthmus.cli import console
from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.server_control import load_model
from isthmus.cli.spinner import spinning
from isthmus.configuration import Configuration, Source
from isthmus.engines.llama import LlamaEngine
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import EngineError
from isthmus.generator import Generator
from isthmus.handoff.rules import stricter
from isthmus.ledger import Ledger, ledger_of, open_database
from isthmus.messages import HandoffMode, Notice
from isthmus.naming import ModelRef, parse_model
from isthmus.runtime.answer import Runtime
from isthmus.runtime.assembly import Talk, have_weights, open_home, open_terms
from isthmus.runtime.effort import WithEffort
from isthmus.server import run_file
from isthmus.server.answering import INTERNAL
from isthmus.server.run_file import RunFile
from isthmus.settings import ProviderSettings, Settings
from isthmus.store import Store, find
from isthmus.transport.chat_client import UpstreamError


class _Home(NamedTuple):
    """The local model, and the server that it runs in, where it isn't a worker of our own."""

    model: Generator
    server: RunFile | None


class _ServedModel(RunnerEngine):
    """A local model of a running server, without the server's hand-off and ledger."""

    batched = True

    def __init__(self, server: RunFile, model: str) -> None:
        address = ProviderSettings(base_url=server.base_url, local=True)
        super().__init__("the server", address, model, key=server.secret, headers={INTERNAL: "1"})
        self._server = server

    async def open(self) -> None:
        """Have the server load it, and say what its template is, by which its way to think is known."""
        if self.model.name != self._server.model:
            await load_model(self._server, self.model.name)
        told: dict[str, Any] = {}
        with suppress(UpstreamError):  # the question will say what is wrong with the server
            told = await self._beside.get(f"/props?model={quote(self.model.name, safe='')}")
        self._info = msgspec.structs.replace(self.model, template=told.get("chat_template") or None)


class Switchboard:
    """Who answers, as the settings say; the model and the hand-off mode may change between questions.

    `open_switchboard` makes one.
    """

    def __init__(self, configuration: Configuration, home: _Home, ledger: Ledger) -> None:
        self._wanted = configuration
        self._home: _Home | None = home
        self._ledger = ledger
        self._terms = open_terms(self._in_force, ledger)

    @property
    def settings(self) -> Settings:
        """The settings in force: the person's, made as strict as those of the server that answers."""
        return self._in_force.settings

    def runtime(self) -> Runtime:
        """What answers the next question.

        Raises:
            EngineError: No model is loaded: the last change failed, and so did going back.
        """
        if self._home is None:
            raise EngineError("no model is loaded", hint="/model NAME loads one")
        home = WithEffort(self.settings)(self._home.model)
        return Runtime(home, self._terms, ledger=self._ledger)

    async def change_mode(self, mode: HandoffMode) -> None:
        """Set who may answer from now on. The hard switches stay as they are."""
        settings = self._wanted.settings
        handoff = msgspec.structs.replace(settings.handoff, mode=mode)
        await self._adopt(
            msgspec.structs.replace(
                self._wanted,
                settings=msgspec.structs.replace(settings, handoff=handoff),
                sources=self._wanted.sources | {"handoff.mode": Source("flag", "/handoff")},
            )
        )

    async def change_model(self, name: str) -> None:
        """Load another model. Where that fails, or is cancelled, the one before goes on.

        Raises:
            IsthmusError: The model can't be had or loaded.
        """
        wanted = msgspec.structs.replace(
            self._wanted, settings=msgspec.structs.replace(self._wanted.settings, model=name)
        )
        home = await _reach(wanted)
        try:
            with anyio.CancelScope(shield=True):
                await self._let_go()  # first: there may not be memory for both
            await _load(home.model)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await home.model.close()
                self._home = await _reach(self._wanted)  # the next question starts its worker
            raise
        self._home = home
        await self._adopt(wanted)

    async def close(self) -> None:
        """Free both models."""
        await self._let_go()
        await self._terms.close()

    @property
    def _in_force(self) -> Configuration:
        server = self._home.server if self._home else None
        return _tightened(self._wanted, server) if server else self._wanted

    async def _adopt(self, configuration: Configuration) -> None:
        self._wanted = configuration
        terms, self._terms = self._terms, open_terms(self._in_force, self._ledger)
        await terms.close()

    async def _let_go(self) -> None:
        home, self._home = self._home, None
        if home is not None:
            await home.model.close()


@asynccontextmanager
async def open_switchboard(configuration: Configuration) -> AsyncGenerator[Switchboard, None]:
    """Who answers under these settings, ready to do so, and closed at the end.

    A server of the same person answers for home; otherwise a worker is started, which loads while the ledger
    is opened. Either way hand-off, consent and ledger are this process's own.
    """
    home = await _reach(configuration)
    try:
        database = await _prepare(home.model, configuration.settings)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await home.model.close()
        raise
    ledger = ledger_of(database, configuration.settings)
    switchboard = Switchboard(configuration, home, ledger)
    try:
        yield switchboard
    finally:
        with anyio.CancelScope(shield=True):
            await switchboard.close()
        ledger.close()
        database.dispose()


@asynccontextmanager
async def open_runtime(configuration: Configuration) -> AsyncGenerator[Runtime, None]:
    """A runtime for the model that the settings name, closed at the end."""
    async with open_switchboard(configuration) as switchboard:
        yield switchboard.runtime()


async def _reach(configuration: Configuration) -> _Home:
    """The local model that the settings name, verified and not yet loaded.

    A server of the same person answers for all models of its store, which is ours too.
    """
    settings = configuration.settings
    server = run_file.read(settings.run_file)
    ref = parse_model(settings.model, settings.runners)
    with ProgressDisplay() as progress:
        talk = Talk(progress, show_notice)
        if server is not None and ref.anywhere == server.reference:
            return _Home(_ServedModel(server, server.model), server)
        if server is not None and _is_of_the_store(ref, settings):
            weights = await have_weights(ref, configuration, talk)
            return _Home(_ServedModel(server, weights.name), server)
        return _Home(await open_home(configuration, settings.model, talk), None)


def _is_of_the_store(ref: ModelRef, settings: Settings) -> bool:
    """Whether the store has the model, or can fetch it."""
    if ref.kind == "source" or (ref.kind == "name" and find(ref.value) is not None):
        return True
    return Store(settings.home_path).resolve(ref) is not None


async def _prepare(home: Generator, settings: Settings) -> Engine:
    """Open the ledger while the worker loads."""
    opened: list[Engine] = []

    async def open_ledger() -> None:
        opened.append(await anyio.to_thread.run_sync(open_database, settings.ledger_path))

    async with anyio.create_task_group() as loading:
        loading.start_soon(open_ledger)
        loading.start_soon(_load, home)
    return opened[0]


async def _load(home: Generator) -> None:
    """Start its worker, where it is ours or the server's; a runner loads when it is asked."""
    if isinstance(home, LlamaEngine | _ServedModel):
        with spinning(f"loading {home.model.name}"):
            await home.open()


def show_notice(notice: Notice) -> None:
    """Tell a notice on stderr."""
    console.note(notice.text, notice.hint)


def _tightened(configuration: Configuration, server: RunFile) -> Configuration:
    """These settings, made as strict as the server's; a mode typed as a flag is the person's own word."""
    settings = configuration.settings
    handoff = settings.handoff
    mode = handoff.mode
    typed = (source := configuration.sources.get("handoff.mode")) is not None and source.kind == "flag"
    if not typed:
        mode = stricter(mode, server.mode)
    handoff = msgspec.structs.replace(handoff, mode=mode, local_only=handoff.local_only or server.local_only)
    settings = msgspec.structs.replace(settings, handoff=handoff, offline=settings.offline or server.offline)
    return msgspec.structs.replace(configuration, settings=settings)
