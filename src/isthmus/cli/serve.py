"""``isthmus serve``: the OpenAI API on this machine."""

import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
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
from isthmus.cli.spinner import spinning
from isthmus.configuration import Configuration
from isthmus.ledger import Keys, Ledger, ledger_of, open_database
from isthmus.naming import parse_model
from isthmus.runtime.assembly import Talk, have_weights, open_models, open_terms
from isthmus.server.listen import serve as listen
from isthmus.server.listen import take_address
from isthmus.server.logs import set_up_logging
from isthmus.server.run_file import RunFile
from isthmus.server.state import Served


def serve(
    model: ModelOption = None,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="0 takes any free one.")] = None,
    handoff: HandoffOption = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option("--cors-origin", metavar="ORIGIN", help="Let this origin's pages ask. Repeatable."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="A name that leads here. Repeatable."),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option("--log-format", help="text: lines for people. json: an object a line.")
    ] = None,
) -> None:
    """Serve the OpenAI API on this machine.

    It listens on loopback; for any other address a key is needed first (isthmus key create NAME).
    """
    flags = {
        "model": model,
        "server.host": host,
        "server.port": port,
        "server.cors_origins": cors_origin or None,
        "server.allowed_hosts": allowed_host or None,
        "server.log_format": log_format,
        "handoff.mode": handoff,
    }
    config = configuration.load(flags=flags)
    set_up_logging(config.settings.server.log_format, sys.stderr)
    run(_serve(config), fast=True)


async def _serve(config: Configuration) -> None:
    settings = config.settings
    database = open_database(settings.ledger_path)
    keys = Keys(database)
    try:
        # The address first: that it is taken should not be learnt after loading a large model.
        with (
            take_address(settings.server.host, settings.server.port, keys) as sock,
            closing(ledger_of(database, settings)) as ledger,
        ):
            async with _opened(config, ledger) as service:
                stop = anyio.Event()
                async with anyio.create_task_group() as group:
                    await group.start(_stop_on_signal, stop, group.cancel_scope)
                    await listen(service, sock, settings, keys, _announce, stop)
                    group.cancel_scope.cancel()
    finally:
        database.dispose()


@asynccontextmanager
async def _opened(config: Configuration, ledger: Ledger) -> AsyncGenerator[Served, None]:
    """What answers, with the model that the settings name fetched and loaded."""
    settings = config.settings
    default = parse_model(settings.model, settings.runners)
    if default.kind != "runner":
        with ProgressDisplay() as progress:
            await have_weights(default, config, Talk(progress, show_notice))
    async with open_models(config) as models:
        if default.kind != "runner":
            with spinning(f"loading {models.default}"):
                await models.pool.load(models.weights())
        terms = open_terms(config, ledger)
        try:
            yield Served(
                models,
                terms,
                ledger,
                max_body_bytes=settings.server.max_body_mb * 2**20,
                ping_s=settings.server.ping_s,
                settings=settings.server,
            )
        finally:
            with anyio.CancelScope(shield=True):
                await terms.close()


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
