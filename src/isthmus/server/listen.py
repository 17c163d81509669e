"""Taking an address, saying so, serving until asked to stop."""

import errno
import gc
import os
import secrets
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

import anyio
import uvicorn

from isthmus.errors import ServerError
from isthmus.ledger import Keys
from isthmus.server import run_file
from isthmus.server.app import build_app
from isthmus.server.run_file import RunFile
from isthmus.server.state import Served
from isthmus.settings import LOOPBACK, Secret, Settings


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

    Those who still wait for a model are sent away at once.
    """
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
    server = _Server(
        uvicorn.Config(
            build_app(service, keys=keys, run_key=Secret(run.key), host=host),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=int(settings.server.drain_s),
        )
    )
    # What was built until here lives as long as the server: the collector needn't look at it again.
    gc.freeze()
    run_file.write(settings.run_file, run)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_stop_server, server, service, stop)
            on_ready(run)
            await server.serve(sockets=[sock])
            group.cancel_scope.cancel()
    finally:
        run_file.remove(settings.run_file, run.pid)


class _Server(uvicorn.Server):
    """Signals are the command's: uvicorn would raise them again, and end the process before it cleans up."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _stop_server(server: uvicorn.Server, service: Served, stop: anyio.Event) -> None:
    await stop.wait()
    service.models.pool.drain()
    server.should_exit = True
