"""What `ask` and `chat` share: a runtime that is ready to answer, at home or through a running server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import msgspec
from sqlalchemy import Engine

from isthmus.cli import console
from isthmus.cli.progress import ProgressDisplay
from isthmus.configuration import Configuration
from isthmus.engines.llama import LlamaEngine
from isthmus.engines.runner import RunnerEngine
from isthmus.generator import Generator
from isthmus.ledger import Ledger, open_database
from isthmus.messages import HandoffMode, Notice
from isthmus.runtime.answer import Runtime
from isthmus.runtime.assembly import Talk, open_home, open_hosted, rules_of
from isthmus.server import run_file
from isthmus.server.chat import INTERNAL
from isthmus.server.run_file import RunFile
from isthmus.settings import ProviderSettings, Settings

_STRICTEST_FIRST: tuple[HandoffMode, ...] = ("off", "ask", "auto", "always")


@asynccontextmanager
async def open_runtime(configuration: Configuration) -> AsyncGenerator[Runtime, None]:
    """A runtime for the model that the settings name, closed at the end.

    A server of the same person that has the model loaded answers for home; otherwise a worker is started,
    which loads while the ledger is opened. Either way hand-off, consent and ledger are this process's own.
    """
    settings = configuration.settings
    server = run_file.read(settings.run_file)
    if server is not None and server.model == settings.model:
        configuration = _tightened(configuration, server)
        home: Generator = _through(server)
    else:
        with ProgressDisplay() as progress:
            home = await open_home(configuration, settings.model, Talk(progress, show_notice))
    try:
        database = await _prepare(home, settings)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await home.close()
        raise
    ledger = Ledger(database)
    runtime = Runtime(
        home,
        rules_of(configuration.settings),
        hosted=open_hosted(configuration, ledger),
        ledger=ledger,
    )
    try:
        yield runtime
    finally:
        with anyio.CancelScope(shield=True):
            await runtime.close()
        database.dispose()


async def _prepare(home: Generator, settings: Settings) -> Engine:
    """Open the ledger while the worker loads."""
    opened: list[Engine] = []

    async def open_ledger() -> None:
        opened.append(await anyio.to_thread.run_sync(open_database, settings.ledger_path))

    async with anyio.create_task_group() as loading:
        loading.start_soon(open_ledger)
        if isinstance(home, LlamaEngine):
            loading.start_soon(home.open)
    return opened[0]


def show_notice(notice: Notice) -> None:
    """Tell a notice on stderr."""
    console.note(notice.text, notice.hint)


def _through(server: RunFile) -> RunnerEngine:
    """The server's local model, without its hand-off and its ledger."""
    address = ProviderSettings(base_url=server.base_url, local=True)
    return RunnerEngine("the server", address, server.model, key=server.secret, headers={INTERNAL: "1"})


def _tightened(configuration: Configuration, server: RunFile) -> Configuration:
    """These settings, made as strict as the server's; a mode typed as a flag is the person's own word."""
    settings = configuration.settings
    handoff = settings.handoff
    mode = handoff.mode
    typed = (source := configuration.sources.get("handoff.mode")) is not None and source.kind == "flag"
    if not typed:
        mode = min(mode, server.mode, key=_STRICTEST_FIRST.index)
    handoff = msgspec.structs.replace(handoff, mode=mode, local_only=handoff.local_only or server.local_only)
    settings = msgspec.structs.replace(settings, handoff=handoff, offline=settings.offline or server.offline)
    return msgspec.structs.replace(configuration, settings=settings)
