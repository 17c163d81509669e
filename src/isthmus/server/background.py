"""Responses that are made without their client, all in one task group: polled, followed, cancelled."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
from anyio.abc import TaskGroup, TaskStatus

from isthmus.errors import IsthmusError, RequestError, ServerError
from isthmus.generator import EventStream
from isthmus.wire.responses_writer import ResponseWriter

Keep = Callable[[], Awaitable[None]]
"""Keeps the response as it stands."""

_FOLLOWED = 32
"""How many streams that are over can still be followed."""

_log = logging.getLogger(__name__)


class Job:
    """One response in the making.

    Args:
        writer: Makes it.
        key: The name of the API key that asked.
        followed: Whether its events are wanted, and not only its end.
    """

    def __init__(self, writer: ResponseWriter, key: str | None, *, followed: bool) -> None:
        self.writer = writer
        self.key = key
        self.followed = followed
        self.over = anyio.Event()
        self.scope = anyio.CancelScope()
        self._told: list[bytes] = []
        self._more = anyio.Event()

    def tell(self, events: list[bytes]) -> None:
        """Take the next events; the place of an event is its number."""
        if self.followed and events:
            self._told.extend(events)
            self._stir()

    async def follow(self, after: int = -1) -> AsyncGenerator[bytes, None]:
        """The events after the one of a number, then those to come."""
        place = max(after + 1, 0)
        while True:
            if place < len(self._told):
                yield b"".join(self._told[place:])
                place = len(self._told)
            elif self.over.is_set():
                return
            else:
                await self._more.wait()

    async def work(self, events: EventStream, keep: Keep) -> None:
        """Make the response of an answer's events, and keep it however that ends."""
        writer = self.writer
        try:
            with self.scope:
                await self._make(events)
            if self.scope.cancelled_caught:
                writer.cancel()
        except anyio.get_cancelled_exc_class():
            self.tell(writer.fail(ServerError("the server was stopped before the answer was whole")))
            raise
        except Exception:  # noqa: BLE001 - a job must not end the others; the log learns what it was
            _log.exception("a response of the background failed")
            self.tell(writer.fail(IsthmusError("something went wrong inside Isthmus")))
        finally:
            with anyio.CancelScope(shield=True):
                await _kept(keep)
            self.over.set()
            self._stir()

    async def _make(self, events: EventStream) -> None:
        self.tell([self.writer.progress()])
        try:
            async with aclosing(events):
                async for event in events:
                    self.tell(self.writer.render(event))
            self.tell(self.writer.close())
        except IsthmusError as error:
            self.tell(self.writer.fail(error))

    def _stir(self) -> None:
        self._more.set()
        self._more = anyio.Event()


class Background:
    """The jobs of one server."""

    def __init__(self) -> None:
        self._group: TaskGroup | None = None
        self._jobs: dict[str, Job] = {}

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work on jobs until cancelled, which ends them all."""
        async with anyio.create_task_group() as group:
            self._group = group
            task_status.started()
            try:
                await anyio.sleep_forever()
            finally:
                self._group = None

    def start(self, job: Job, work: Callable[[], Awaitable[None]]) -> None:
        """Begin a job.

        Raises:
            RequestError: Nothing is run in the background here.
        """
        if self._group is None:
            raise RequestError("nothing is run in the background here", param="background")
        self._jobs[job.writer.id] = job
        self._group.start_soon(self._run, job, work)

    def find(self, id_: str, key: str | None) -> Job | None:
        """The job of a response, if the key is that of who asked."""
        job = self._jobs.get(id_)
        return job if job is not None and job.key == key else None

    def forget(self, id_: str) -> None:
        """Let go of what is left of a job."""
        self._jobs.pop(id_, None)

    async def _run(self, job: Job, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            if not job.followed:
                self.forget(job.writer.id)
            over = [id_ for id_, each in self._jobs.items() if each.over.is_set()]
            for id_ in over[:-_FOLLOWED]:
                self.forget(id_)


async def _kept(keep: Keep) -> None:
    try:
        await keep()
    except IsthmusError as error:
        _log.error("a response of the background can't be kept: %s", error.message)
    except Exception:  # noqa: BLE001 - nor may its keeping end the others
        _log.exception("a response of the background can't be kept")
