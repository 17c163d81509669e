"""``isthmus serve``: the OpenAI API on this machine."""

import signal
from typing import Annotated

import anyio
import typer
from anyio.abc import TaskStatus

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.options import HandoffOption, ModelOption
from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.running import run
from isthmus.cli.session import show_notice
from isthmus.configuration import Configuration
from isthmus.engines.llama import LlamaEngine
from isthmus.handoff.policy import Rules
from isthmus.ledger import Keys, Ledger, open_database
from isthmus.runtime.answer import Runtime
from isthmus.runtime.assembly import Talk, open_home, open_hosted, rules_of
from isthmus.server.listen import serve as listen
from isthmus.server.listen import take_address
from isthmus.server.run_file import RunFile
from isthmus.server.state import Served


def serve(
    model: ModelOption = None,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="0 takes any free one.")] = None,
    handoff: HandoffOption = None,
) -> None:
    """Serve the OpenAI API on this machine.

    It listens on loopback; for any other address a key is needed first (isthmus key create NAME).
    """
    flags = {"model": model, "server.host": host, "server.port": port, "handoff.mode": handoff}
    run(_serve(configuration.load(flags=flags)), fast=True)


async def _serve(config: Configuration) -> None:
    settings = config.settings
    database = open_database(settings.ledger_path)
    keys = Keys(database)
    # The address first: that it is taken should not be learnt after loading a large model.
    with take_address(settings.server.host, settings.server.port, keys) as sock:
        with ProgressDisplay() as progress:
            home = await open_home(config, settings.model, Talk(progress, show_notice))
        ledger = Ledger(database)
        runtime = Runtime(home, rules_of(settings), hosted=open_hosted(config, ledger), ledger=ledger)
        service = Served(runtime, Runtime(home, Rules()), settings.server.max_body_mb * 2**20)
        try:
            if isinstance(home, LlamaEngine):
                await home.open()
            stop = anyio.Event()
            async with anyio.create_task_group() as group:
                await group.start(_stop_on_signal, stop, group.cancel_scope)
                await listen(service, sock, settings, keys, _announce, stop)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await runtime.close()
            database.dispose()


async def _stop_on_signal(
    stop: anyio.Event, now: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """The first Ctrl-C, or SIGTERM, lets answers in flight end; a second one doesn't."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            if stop.is_set():
                now.cancel()
            stop.set()


def _announce(run: RunFile) -> None:
    console.say(f"{run.model} is served at {run.base_url} (hand-off: {run.mode}). Ctrl-C stops it.")
