"""Taking an address, saying so, serving until asked to stop."""

import errno
import gc
import math
import os
import secrets
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from functools import partial
from typing import Any, cast

import anyio
import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp

from isthmus.errors import ServerError
from isthmus.ledger import KeyRing, Keys
from isthmus.server import run_file
from isthmus.server.app import build_app
from isthmus.server.protocol import BoundedProtocol
from isthmus.server.run_file import RunFile
from isthmus.server.state import Served
from isthmus.server.watching import watching
from isthmus.settings import LOOPBACK, Secret, ServerSettings, Settings

if sys.platform != "win32":
    import resource

_OTHER_FILES = 512
"""Files that are open beside connections: weights, the ledger, calls upstream."""
_LAST_WORDS_S = 1
"""How long those may still write who were in flight when the time to drain was over."""
_TURN_S = 0.0002
"""How long the ledger's thread may hold the event loop up at a time. Python's own 5 ms would stand in the p99
of quick answers: a request waits for its turn each time that the loop has slept."""


def take_address(host: str, port: int, keys: Keys) -> socket.socket:
    """Bind and listen.

    Raises:
        ServerError: The address is not loopback and nobody has created a key; or it is taken, or not ours.
    """
    if host not in LOOPBACK and not keys.any_active():
        raise ServerError(
            f"{host} can be reached by others, so it needs a key first", hint="isthmus key create NAME"
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as undo:
            sock = undo.enter_context(socket.socket(family, kind, protocol))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(2048)
            undo.pop_all()
            return sock
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"port {port} on {host} is in use", hint=f"isthmus serve --port {port + 1}"
            ) from error
        raise ServerError(f"{host}:{port} can't be listened on: {error.strerror or error}") from error


async def serve(
    service: Served,
    sock: socket.socket,
    settings: Settings,
    keys: Keys,
    on_ready: Callable[[RunFile], None],
    stop: anyio.Event,
) -> None:
    """Serve on a bound socket until ``stop`` is set, then let answers in flight end, within ``drain_s``.

    From then on nobody new is let in, and those who still wait for a model are sent away.
    """
    _allow_open_files(settings.server.max_connections)
    host, port = settings.server.host, int(sock.getsockname()[1])
    run = RunFile(
        pid=os.getpid(),
        host="127.0.0.1" if host in ("0.0.0.0", "localhost") else host,  # noqa: S104 - compared, not bound
        port=port,
        key=secrets.token_urlsafe(32),
        model=service.models.default,
        reference=service.models.reference,
        local_only=settings.handoff.local_only,
        offline=settings.offline,
        mode=settings.handoff.mode,
    )
    async with AsyncExitStack() as held:
        ring = held.enter_context(closing(KeyRing(keys.engine)))
        watchers = await held.enter_async_context(watching(settings))
        app = build_app(service, keys=ring, run_key=Secret(run.key), host=host, watchers=watchers)
        server = _Server(_config(app, settings.server))
        # What was built until here lives as long as the server: the collector needn't look at it again.
        gc.freeze()
        sys.setswitchinterval(_TURN_S)
        run_file.write(settings.run_file, run)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_stop_server, server, service, settings.server.drain_s, stop)
                await anyio.to_thread.run_sync(service.responses.clean)
                await anyio.to_thread.run_sync(service.approver.pending.clean)
                await group.start(service.background.run)
                on_ready(run)
                await server.serve(sockets=[sock])
                group.cancel_scope.cancel()
        finally:
            run_file.remove(settings.run_file, run.pid)


def _config(app: ASGIApp, settings: ServerSettings) -> uvicorn.Config:
    # uvicorn calls whatever it is given here, as it would the class.
    protocol: Any = partial(BoundedProtocol, settings=settings)
    return uvicorn.Config(
        app,
        http=protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=math.ceil(settings.keep_alive_s),
        timeout_graceful_shutdown=_LAST_WORDS_S,
    )


def _allow_open_files(connections: int) -> None:
    """Raise this process's own limit, where it is lower than the connections that it may have need."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """Signals are the command's: uvicorn would raise them again, and end the process before it cleans up."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _stop_server(server: uvicorn.Server, service: Served, drain_s: float, stop: anyio.Event) -> None:
    await stop.wait()
    service.drain()
    # It listens on meanwhile: whoever still comes learns that it stops, and when to come back.
    with anyio.move_on_after(drain_s):
        await service.emptied()
    connections = cast("set[object]", server.server_state.connections)
    for connection in tuple(connections):
        if isinstance(connection, BoundedProtocol):
            connection.hang_up()
    server.should_exit = True
