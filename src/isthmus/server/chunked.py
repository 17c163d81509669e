"""The answers of Chat Completions and Completions on their way: marked, and streamed in chunks."""

import secrets
import time
from collections.abc import AsyncGenerator, Callable

from isthmus.errors import IsthmusError
from isthmus.generator import EventStream
from isthmus.messages import Finish, Route
from isthmus.server.answering import Opening
from isthmus.server.failures import error_body
from isthmus.wire import sse
from isthmus.wire.chunks import ChunkWriter, Stamp


def stamp(prefix: str, route: Route | None) -> Stamp:
    """The marks of an answer that begins now; its id begins with ``prefix``."""
    id_, now = f"{prefix}-{secrets.token_hex(16)}", int(time.time())
    return Stamp(id_, now, "") if route is None else Stamp(id_, now, route.model, route.fingerprint)


async def chunks(
    events: EventStream, writer_for: Callable[[Route | None], ChunkWriter], opening: Opening
) -> AsyncGenerator[bytes, None]:
    """The stream of an answer, as server-sent events.

    Args:
        events: The answer.
        writer_for: Makes the API's writer, once it is known who answers.
        opening: How the answer begins.
    """
    try:
        beginning = await opening
        route, last = beginning.route, beginning.first
        writer = writer_for(route)
        yield sse.data(writer.open(route))
        for event in (*beginning.notices, beginning.first):
            if event is not None and (chunk := writer.render(event)):
                yield sse.data(chunk)
        async for event in events:
            last = event
            if chunk := writer.render(event):
                yield sse.data(chunk)
    except IsthmusError as error:
        # No [DONE] and no finish_reason: a cut answer must not look whole.
        yield sse.data(error_body(error))
        return
    if isinstance(last, Finish) and (chunk := writer.close(last, route)):
        yield sse.data(chunk)
    yield sse.data(sse.DONE)
