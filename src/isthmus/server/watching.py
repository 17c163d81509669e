"""Who is told of each request once it is over: log and traces, as the settings have it."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from isthmus.errors import ServerError, SettingsError
from isthmus.server.front import Watcher
from isthmus.server.logs import RequestLog
from isthmus.settings import Settings, is_loopback, without_credentials

_LAST_SPANS_S = 5.0
"""How long the last spans may take to be sent when the server stops."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def watching(settings: Settings) -> AsyncGenerator[list[Watcher], None]:
    """The watchers that the settings ask for; at the end they have told all.

    Raises:
        ServerError: Traces are asked for, and OpenTelemetry isn't installed.
        SettingsError: They are to be sent to what is no address.
    """
    server = settings.server
    watchers: list[Watcher] = []
    if server.log_requests:
        watchers.append(RequestLog(content=server.log_content).watch)
    endpoint = _endpoint(settings)
    if endpoint is None:
        yield watchers
        return
    try:
        from isthmus.server.traces import Traces
    except ImportError as error:
        raise ServerError(
            f"traces need a package that isn't installed: {error.name}", hint="pip install 'isthmus[otel]'"
        ) from error
    traces = Traces(endpoint, content=server.trace_content)
    try:
        yield [*watchers, traces.watch]
    finally:
        with anyio.move_on_after(_LAST_SPANS_S, shield=True):
            await anyio.to_thread.run_sync(traces.close, abandon_on_cancel=True)


def _endpoint(settings: Settings) -> str | None:
    endpoint = settings.server.traces_endpoint
    if endpoint is None:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            f"server.traces_endpoint {without_credentials(endpoint)!r} is not an http or https address",
            hint="traces are sent by OTLP over HTTP: http://127.0.0.1:4318/v1/traces",
        )
    if settings.offline and not is_loopback(parts.hostname):
        _log.warning("no traces are sent to %s: offline is set", parts.hostname)
        return None
    return endpoint
