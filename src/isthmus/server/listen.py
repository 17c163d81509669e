"""Taking an address, saying so, serving until asked to stop."""

import errno
import os
import secrets
import socket
from collections.abc import Callable

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
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"port {port} on {host} is in use", hint=f"isthmus serve --port {port + 1}"
            ) from error
        raise ServerError(f"{host}:{port} can't be listened on: {error.strerror or error}") from error
    sock.set_inheritable(False)
    return sock


async def serve(
    service: Served, sock: socket.socket, settings: Settings, keys: Keys, on_ready: Callable[[RunFile], None]
) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM, then let answers in flight end."""
    host, port = settings.server.host, int(sock.getsockname()[1])
    run = RunFile(
        pid=os.getpid(),
        host="127.0.0.1" if host in ("0.0.0.0", "localhost") else host,  # noqa: S104 - compared, not bound
        port=port,
        key=secrets.token_urlsafe(32),
        model=service.runtime.home.model.name,
        local_only=settings.handoff.local_only,
        offline=settings.offline,
        mode=settings.handoff.mode,
    )
    app = build_app(service, keys=keys, run_key=Secret(run.key), host=host)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=int(settings.server.drain_s),
    )
    run_file.write(settings.run_file, run)
    try:
        on_ready(run)
        await uvicorn.Server(config).serve(sockets=[sock])
    finally:
        run_file.remove(settings.run_file, run.pid)
