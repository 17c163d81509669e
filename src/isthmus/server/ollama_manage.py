"""Ollama's API, which models there are to be: ``/api/pull``, ``/api/copy``, ``/api/delete``.

Where there are keys it takes one that may manage. Where there are none, everybody on this machine may ask for
it, as at Ollama; a web page of another site never.
"""

import asyncio
from collections.abc import AsyncGenerator

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import AccessDenied, IsthmusError, RequestError
from isthmus.messages import Notice, Progress
from isthmus.naming import ModelRef, parse_model
from isthmus.runtime.assembly import Talk, have_weights
from isthmus.server.answering import ignoring
from isthmus.server.body import read_body
from isthmus.server.cors import from_elsewhere
from isthmus.server.failures import error_body
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.server.streaming import EventStreamResponse, unless_gone
from isthmus.wire.ollama_models import Copied, Named, PullLine, parse_copied, parse_named
from isthmus.wire.ollama_writer import PING, one_line

NDJSON = "application/x-ndjson"

_LOCAL_SCHEMES = frozenset({"file"})
"""Sources that read this machine's files, which is for its person alone."""
_LINE_EVERY_S = 0.1
"""Bars need no more."""


def _check_asker(request: Request) -> None:
    """Whether whoever asks without a key is a program, and no page: the guard has seen to all others.

    Raises:
        AccessDenied: It is a page.
    """
    if not request.state.own and request.state.key is None and from_elsewhere(request):
        raise AccessDenied(
            "pages of other sites can't manage models without a key",
            hint="isthmus key create NAME --scope manage, then send it as a bearer token",
        )


# ---------------------------------------------------------------- pull


@Operation(
    "Fetch a model",
    tag="Ollama",
    body=Named,
    example={"model": "qwen2.5-coder:0.5b", "stream": False},
    answer=PullLine,
    pieces=PullLine,
    stream=NDJSON,
)
async def pull(request: Request) -> Response:
    """Fetch a model of the catalogue, or of a source (``hf.co/org/repo:Q4_K_M``).

    A fetch whose client hangs up goes on with the next one at the very byte.
    """
    _check_asker(request)
    call = parse_named(await read_body(request))
    work, said = _Pull(request, call.name), ignoring(call.ignored)
    if call.stream:
        quiet_s = served(request).ping_s
        return EventStreamResponse(work.lines(), said, ping=PING, quiet_s=quiet_s, media_type=NDJSON)
    await unless_gone(request, work.run)
    return Response(_line(PullLine("success")), media_type="application/json", headers=said)


class _Pull:
    """One fetch: the latest of each kind of progress, until it is written down."""

    def __init__(self, request: Request, name: str) -> None:
        self._models = served(request).models
        self._ref = _fetchable(request, name)
        self._news: dict[str, PullLine] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Have the model here.

        Raises:
            IsthmusError: As `have_weights`.
        """
        talk = Talk(on_progress=self._progress, on_notice=self._notice)
        await have_weights(self._ref, self._models.configuration, talk)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """How the work goes, line by line; closing this ends it."""
        yield _line(PullLine("pulling manifest"))
        work = asyncio.ensure_future(self.run())
        work.add_done_callback(lambda _: self._changed.set())
        try:
            while not work.done():
                await self._changed.wait()
                self._changed.clear()
                for line in self._taken():
                    yield line
                await asyncio.wait((work,), timeout=_LINE_EVERY_S)
            for line in self._taken():
                yield line
            work.result()
        except IsthmusError as error:
            yield one_line(error_body(error, "ollama")) + b"\n"
            return
        finally:
            work.cancel()
            await asyncio.wait((work,))
        yield _line(PullLine("success"))

    def _taken(self) -> list[bytes]:
        news, self._news = self._news, {}
        return [_line(each) for each in news.values()]

    def _progress(self, progress: Progress) -> None:
        # A total of 1 is a fraction of work that isn't counted in bytes.
        scale = 100 if progress.total == 1 else 1
        total = None if progress.total is None else round(progress.total * scale)
        # Clients draw a bar for each digest, and print each line that has none. Of a source's files nobody
        # knows the digest before they have come, so what is being done stands for it.
        line = PullLine(progress.label, progress.label, total, round(progress.done * scale))
        self._news[progress.label] = line
        self._changed.set()

    def _notice(self, notice: Notice) -> None:
        self._news[notice.text] = PullLine(notice.text)
        self._changed.set()


def _fetchable(request: Request, name: str) -> ModelRef:
    """What a name stands for, if it may be fetched on behalf of whoever asks.

    Raises:
        RequestError: It stands for a file of this machine, or a runner's model.
        UnknownModel: It can't be a model's name.
    """
    models = served(request).models
    ref = parse_model(name, models.configuration.settings.runners)
    if ref.kind == "runner":
        raise RequestError(f"{ref.value} is a runner of its own and keeps its models itself", param="model")
    if ref.kind == "path" or (ref.kind == "source" and ref.scheme in _LOCAL_SCHEMES):
        raise RequestError(
            "files of this machine are not taken in over HTTP",
            hint=f"isthmus pull {name}",
            param="model",
        )
    return ref


def _line(line: PullLine) -> bytes:
    return one_line(msgspec.json.encode(line)) + b"\n"


# ---------------------------------------------------------------- copy, delete


@Operation(
    "Give a model one more name",
    tag="Ollama",
    body=Copied,
    example={"source": "qwen2.5-coder:0.5b", "destination": "coder"},
)
async def copy(request: Request) -> Response:
    """Give a model one more name; its weights are there once all the same."""
    _check_asker(request)
    asked = parse_copied(await read_body(request))
    store = served(request).models.store
    await anyio.to_thread.run_sync(store.copy, asked.source, asked.destination)
    return Response()


@Operation("Remove a model", tag="Ollama", body=Named, example={"model": "coder"})
async def delete(request: Request) -> Response:
    """Forget a name, and the weights that no other name has; answers that they are giving go on."""
    _check_asker(request)
    models = served(request).models
    weights = models.weights(parse_named(await read_body(request)).name)
    await anyio.to_thread.run_sync(models.store.remove, weights.name)
    models.pool.keep(weights, 0)
    return Response()


# ---------------------------------------------------------------- what isn't done here


@Operation("Make a model, which isn't done here", tag="Ollama")
async def create(request: Request) -> Response:
    """Say how what a Modelfile does is done here."""
    raise RequestError(
        "models are not made from Modelfiles here: system prompts and parameters come with each request",
        hint="isthmus pull ./FILE.gguf --name NAME takes in a file; /api/copy gives a model one more name",
    )


@Operation("Publish a model, which isn't done here", tag="Ollama")
async def push(request: Request) -> Response:
    """Say that nothing is published this way."""
    raise RequestError("models are not published from here through Ollama's API")
