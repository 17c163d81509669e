"""Several models in one memory: loaded when asked for, kept while they are of use, never ended at work.

`isthmus.engines.schedule` decides; this is its driver, which waits, loads, unloads and knows the time.
Nothing is done here for each token: a request takes a slot, streams from the engine, gives the slot back.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from isthmus.engines import refusals
from isthmus.engines.pool_state import Entry, Record, Wait
from isthmus.engines.queue import QueueFull, Ticket, retry_after_s
from isthmus.engines.resident import (
    ForEmbedding,
    Loadable,
    Loader,
    ModelStatus,
    Resident,
    Weights,
    identity,
    info_before_loading,
)
from isthmus.engines.schedule import Admit, GiveWay, Load, Memory, Schedule, Seat, Unload
from isthmus.errors import Busy, IsthmusError, LoadError, WorkerDied
from isthmus.fit import Budget, Plan
from isthmus.generator import EventStream
from isthmus.messages import Finish, GenerationRequest, ModelInfo, Timings
from isthmus.settings import EngineSettings

_WEIGH_EVERY_S = 5.0
"""A worker grows slowly, so what it takes is looked at no more often."""
_NEWS = 0.2
"""How much the latest answer counts in what answers are thought to take."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_pool(loader: Loader, settings: EngineSettings, budget: Budget) -> AsyncGenerator["Pool", None]:
    """A pool, whose models are unloaded at the end."""
    failed: list[Exception] = []
    group = anyio.create_task_group()
    pool = Pool(loader, settings, budget, group)
    try:
        async with group:
            try:
                yield pool
            except Exception as error:  # noqa: BLE001 - raised again below: the group would wrap it
                failed.append(error)
            finally:
                pool.drain()
                group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await pool.unload_all()
    if failed:
        raise failed[0]


class Pool:
    """The models that share this machine's memory. `open_pool` makes one.

    Args:
        loader: Where they come from.
        settings: How many slots each has, how long its line may be, how long it is kept.
        budget: The memory that all of them may take together.
        group: Where they are loaded and unloaded.
    """

    def __init__(self, loader: Loader, settings: EngineSettings, budget: Budget, group: TaskGroup) -> None:
        self._loader = loader
        self._settings = settings
        self._group = group
        self._schedule = Schedule(
            Memory(budget.ram_bytes, sum(budget.gpu_bytes)),
            slots=settings.parallel,
            max_queue=settings.max_queue,
        )
        self._entries: dict[str, Entry] = {}  # of the models that have a seat in the schedule
        self._waiting: dict[Ticket, Wait] = {}
        self._records: dict[str, Record] = {}
        self._draining = False

    # ------------------------------------------------------------ using

    def model(self, weights: Weights, *, key: str | None = None) -> "PooledModel":
        """A model as one caller sees it: a generator that has it loaded when it is asked.

        Args:
            weights: The model.
            key: The caller's API key's name; those who wait are served in turn, key by key.
        """
        return PooledModel(self, weights, key)

    async def acquire(
        self, weights: Loadable, key: str | None = None, *, patience_s: float | None = None
    ) -> tuple[Ticket, Resident]:
        """Wait for a slot of a model, loaded if need be; `release` gives it back.

        Args:
            weights: The model.
            key: The caller's API key's name.
            patience_s: How long to wait; by default engine.queue_timeout_s.

        Raises:
            Busy: Too many wait already, or it took too long; the message says what is in the way.
            DoesNotFit: It takes more than all models may.
            ModelError: The weights can't be read.
            LoadError: The engine can't load them.
        """
        entry = self._entries.get(identity(weights)) or await self._prepared(weights)
        if self._draining:
            raise refusals.stopping(weights.name)
        ticket = self._join(entry, key)
        try:
            engine = await self._admitted(ticket, entry, patience_s or self._settings.queue_timeout_s)
        except BaseException:
            self._waiting.pop(ticket, None)
            self._leave(ticket)
            raise
        return ticket, engine

    def release(self, ticket: Ticket, service_s: float) -> None:
        """Give a slot back.

        Args:
            ticket: What `acquire` gave.
            service_s: What the answer took.
        """
        record = self._record(ticket.model)
        record.service_s += _NEWS * (service_s - record.service_s)
        self._leave(ticket)

    @asynccontextmanager
    async def held(self, weights: Loadable, key: str | None = None) -> AsyncGenerator[Resident, None]:
        """A model that stays loaded for short work, which takes a slot only where it has to be waited for.

        Raises:
            IsthmusError: As `acquire`.
        """
        name = identity(weights)
        ticket = None if self._draining else self._schedule.hold(name, key)
        engine = self._entries[name].engine if ticket is not None else None
        if ticket is None or engine is None:
            ticket, engine = await self.acquire(weights, key)
        else:
            self._entries[name].stop_clock()
        try:
            yield engine
        finally:
            self._leave(ticket)

    def info(self, weights: Loadable) -> ModelInfo:
        """What is known of a model; all of it once it was loaded."""
        name = identity(weights)
        entry, record = self._entries.get(name), self._records.get(name)
        if entry is not None and entry.engine is not None:
            return entry.engine.model
        if record is not None and record.info is not None:
            return record.info
        return info_before_loading(weights)

    async def context_of(self, weights: Weights) -> int | None:
        """The context that a model has, or would have if it were loaded; None where it can't be."""
        if (known := self.info(weights).context_length) is not None:
            return known
        try:
            planned = await self._loader.plan(weights)
        except IsthmusError:  # whoever asks it hears why
            return None
        return planned.context_length if planned.fits else None

    # ------------------------------------------------------------ managing

    async def load(self, weights: Weights, key: str | None = None) -> None:
        """Load a model, unless it is.

        Raises:
            IsthmusError: As `acquire`.
        """
        seat = self._schedule.seat(identity(weights))
        if seat is not None and seat.state == "loaded" and seat.barrier is None:
            return
        patience_s = self._settings.queue_timeout_s + self._settings.load_timeout_s
        ticket, _ = await self.acquire(weights, key, patience_s=patience_s)
        self._leave(ticket)

    async def unload(self, weights: Weights) -> bool:
        """Unload a model once it has answered whoever has asked for it until now.

        Its embedder goes with it.

        Returns:
            Whether it was loaded.

        Raises:
            Busy: It still works after engine.queue_timeout_s; it goes when it is done.
        """
        were_loaded = [await self._unload_one(each) for each in (weights, ForEmbedding(weights))]
        return any(were_loaded)

    async def _unload_one(self, weights: Loadable) -> bool:
        name = identity(weights)
        entry, seat = self._entries.get(name), self._schedule.seat(name)
        if entry is None or seat is None or seat.state == "absent":
            return False
        gone = entry.gone
        self._schedule.dismiss(name)
        self._advance()
        try:
            async with asyncio.timeout(self._settings.queue_timeout_s):
                await gone.wait()
        except TimeoutError as error:
            why = refusals.at_work([(entry.name, len(seat.serving))])
            raise Busy(
                f"{why}, and goes when that is done", retry_after_s=self._retry_after_s(name)
            ) from error
        return True

    def keep(self, weights: Loadable, keep_alive_s: float) -> None:
        """Say how long a model stays after its last answer, in place of engine.keep_alive_s.

        It holds until the model is unloaded; one that isn't loaded is none the wiser.

        Args:
            weights: The model.
            keep_alive_s: So long; -1: as long as there is room.
        """
        name = identity(weights)
        if (entry := self._entries.get(name)) is not None and entry.engine is not None:
            entry.keep_alive_s = keep_alive_s
            self._look_after(name)

    def status(self) -> list[ModelStatus]:
        """The models that are loaded, or on their way in or out."""
        return [self._status(seat) for seat in self._schedule.seats if seat.state != "absent"]

    def note_fall(self, weights: Loadable) -> None:
        """A model's worker fell at work; the next question starts another."""
        self._record(identity(weights)).falls += 1

    def falls(self) -> int:
        """How often a worker of any model fell."""
        return sum(record.falls for record in self._records.values())

    @property
    def budget_bytes(self) -> int:
        """What all models may take together."""
        return self._schedule.budget.total

    @property
    def slots(self) -> int:
        """How many requests a model serves at once."""
        return self._schedule.slots

    @property
    def taken_bytes(self) -> int:
        """What is counted for those that are loaded."""
        return self._schedule.taken.total

    def drain(self) -> None:
        """Send those who wait away, and take nobody in any more; what is in flight goes on."""
        self._draining = True
        for ticket, wait in self._waiting.items():
            wait.end(refusals.stopping(self._entries[ticket.model].name))

    async def unload_all(self) -> None:
        """Unload everything, whoever uses it."""
        async with anyio.create_task_group() as group:
            for entry in self._entries.values():
                group.start_soon(entry.close)

    # ------------------------------------------------------------ waiting

    async def _prepared(self, weights: Loadable) -> Entry:
        """A model that nobody has asked for yet, or that somebody has while it was looked at."""
        plan = await self._loader.plan(weights)
        if not (plan.fits and _memory(plan).within(self._schedule.budget)):
            raise refusals.does_not_fit(weights.name, plan, self.budget_bytes)
        return self._entries.get(identity(weights)) or Entry(weights, plan)

    def _join(self, entry: Entry, key: str | None) -> Ticket:
        name = identity(entry.weights)
        try:
            ticket = self._schedule.ask(name, key, _memory(entry.plan))
        except QueueFull as error:
            raise self._line_full(name) from error
        self._entries[name] = entry
        return ticket

    async def _admitted(self, ticket: Ticket, entry: Entry, patience_s: float) -> Resident:
        """Wait until the ticket has a slot; the engine that has it."""
        wait = self._waiting[ticket] = Wait()
        self._advance()
        if not wait.over.is_set():
            try:
                async with asyncio.timeout(patience_s):
                    await wait.over.wait()
            except TimeoutError as error:
                why, later = self._what_is_in_the_way(ticket.model), self._retry_after_s(ticket.model)
                raise refusals.too_long(entry.name, patience_s, why, later) from error
        if wait.error is not None:
            raise wait.error
        if entry.engine is None:
            raise LoadError(f"{entry.name} has been unloaded")
        return entry.engine

    def _leave(self, ticket: Ticket) -> None:
        self._schedule.leave(ticket)
        self._advance()
        self._look_after(ticket.model)

    def _line_full(self, name: str) -> Busy:
        seat = self._schedule.seat(name)
        waiting = len(seat.queue) if seat else 0
        return refusals.line_full(self._entries[name].name, waiting, self._retry_after_s(name))

    def _what_is_in_the_way(self, name: str) -> str:
        seat = self._schedule.seat(name)
        if seat is not None and seat.state == "loading":
            return "it is still being loaded"
        if seat is not None and seat.state == "loaded" and seat.barrier is None:
            return f"all of its {self._schedule.slots} slots are at work"
        others = self._schedule.in_the_way(name)
        if others:
            return refusals.at_work([(self._entries[s.model].name, len(s.serving)) for s in others])
        return "other models had their turn first"

    def _retry_after_s(self, name: str) -> int:
        seat, record = self._schedule.seat(name), self._record(name)
        load_s = 0.0 if seat is not None and seat.state == "loaded" else record.load_s
        ahead = len(seat.queue) if seat is not None else 0
        return retry_after_s(ahead, self._schedule.slots, record.service_s, load_s)

    # ------------------------------------------------------------ carrying out

    def _advance(self) -> None:
        """Carry out what follows from what has just happened."""
        if self._group.cancel_scope.cancel_called:
            return
        for step in self._schedule.steps():
            match step:
                case Admit(ticket):
                    self._entries[ticket.model].stop_clock()
                    self._waiting.pop(ticket).end()
                case GiveWay(ticket):
                    self._waiting.pop(ticket).end(self._line_full(ticket.model))
                case Load(name):
                    self._entries[name].loading = anyio.CancelScope()
                    self._group.start_soon(self._load, name, self._entries[name])
                case Unload(name) if self._entries[name].engine is None:
                    self._entries[name].loading.cancel()  # _load does the rest
                case Unload(name):
                    self._group.start_soon(self._unload, name, self._entries[name])
        for name in [each for each in self._entries if self._schedule.seat(each) is None]:
            del self._entries[name]

    async def _load(self, name: str, entry: Entry) -> None:
        began = asyncio.get_running_loop().time()
        with entry.loading:
            try:
                entry.engine = await self._loader.load(entry.weights, entry.plan)
            except Exception as error:  # noqa: BLE001 - told to all who wait for it
                if not self._is_to_go(name):
                    self._load_failed(name, entry, error)
                    return
        if entry.engine is None or self._is_to_go(name):
            await self._unload(name, entry)
            return
        record = self._record(name)
        record.info, record.load_s = entry.engine.model, asyncio.get_running_loop().time() - began
        self._schedule.loaded(name)
        self._advance()
        self._look_after(name)

    def _is_to_go(self, name: str) -> bool:
        seat = self._schedule.seat(name)
        return seat is not None and seat.state == "unloading"

    def _load_failed(self, name: str, entry: Entry, error: Exception) -> None:
        if not isinstance(error, IsthmusError):
            _log.error("loading %s failed", entry.name, exc_info=error)
            error = LoadError(f"{entry.name} can't be loaded: something went wrong inside Isthmus")
        for ticket in self._schedule.failed(name):
            self._waiting.pop(ticket).end(error)
        entry.gone.set()
        self._advance()

    async def _unload(self, name: str, entry: Entry) -> None:
        with anyio.CancelScope(shield=True):
            await entry.close()
        self._schedule.unloaded(name)
        entry.keep_alive_s = None
        entry.gone.set()
        entry.gone = asyncio.Event()  # somebody may have asked for it again
        self._advance()

    # ------------------------------------------------------------ housekeeping

    def _look_after(self, name: str) -> None:
        """After a use: when is the model to go, and what does it take by now?"""
        entry, seat = self._entries.get(name), self._schedule.seat(name)
        if entry is None or entry.engine is None or seat is None or seat.state != "loaded" or self._draining:
            return
        loop = asyncio.get_running_loop()
        if seat.idle:
            entry.stop_clock()
            entry.idle_since = datetime.now(UTC)
            if (keep_s := self._keep_s(entry)) >= 0:
                entry.expiry = loop.call_later(keep_s, self._expire, name)
        if loop.time() - entry.weighed_at >= _WEIGH_EVERY_S:
            entry.weighed_at = loop.time()
            self._group.start_soon(self._weigh, name, entry, entry.engine)

    def _keep_s(self, entry: Entry) -> float:
        return self._settings.keep_alive_s if entry.keep_alive_s is None else entry.keep_alive_s

    def _expire(self, name: str) -> None:
        self._schedule.dismiss(name)
        self._advance()

    async def _weigh(self, name: str, entry: Entry, engine: Resident) -> None:
        """Count what a worker really takes, where that is more than was planned."""
        taken = await anyio.to_thread.run_sync(engine.memory_bytes)
        if taken is None or entry.engine is not engine:
            return
        planned, budget = _memory(entry.plan), self._schedule.budget
        # Never more than there is: a model that takes all of it may stay, alone.
        self._schedule.resize(name, Memory(min(max(planned.ram, taken), budget.ram), planned.gpu))
        self._advance()

    def _record(self, name: str) -> Record:
        return self._records.setdefault(name, Record())

    def _status(self, seat: Seat) -> ModelStatus:
        entry = self._entries[seat.model]
        info, since, keep_s = self.info(entry.weights), entry.idle_since, self._keep_s(entry)
        return ModelStatus(
            name=entry.name,
            digest=info_before_loading(entry.weights).digest,
            state=seat.state,
            memory_bytes=seat.memory.total,
            gpu_bytes=seat.memory.gpu,
            context_length=info.context_length or entry.plan.context_length,
            slots=self._schedule.slots,
            busy=len(seat.serving),
            waiting=len(seat.queue),
            keep_alive_s=keep_s,
            idle_since=since,
            until=since + timedelta(seconds=keep_s) if since is not None and keep_s >= 0 else None,
            embeds=isinstance(entry.weights, ForEmbedding),
        )


class PooledModel:
    """A `Generator`: a model of a pool, as the holder of one key sees it."""

    def __init__(self, pool: Pool, weights: Weights, key: str | None) -> None:
        self._pool = pool
        self._weights = weights
        self._key = key

    @property
    def model(self) -> ModelInfo:
        """What is known of the model; exact once it was loaded."""
        return self._pool.info(self._weights)

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Wait for a slot, then yield the answer.

        Raises:
            IsthmusError: As `Pool.acquire`, and as the engine.
        """
        clock = asyncio.get_running_loop().time
        asked = clock()
        ticket, engine = await self._pool.acquire(self._weights, self._key)
        began = clock()
        try:
            async with aclosing(engine.stream(request)) as events:
                async for event in events:
                    yield _after_wait(event, began - asked) if isinstance(event, Finish) else event
        except WorkerDied:
            self._pool.note_fall(self._weights)
            raise
        finally:
            self._pool.release(ticket, clock() - began)

    async def close(self) -> None:
        """The model is the pool's to unload."""


def _after_wait(finish: Finish, wait_s: float) -> Finish:
    timings = msgspec.structs.replace(finish.timings or Timings(), wait_s=wait_s)
    return msgspec.structs.replace(finish, timings=timings)


def _memory(plan: Plan) -> Memory:
    return Memory(plan.ram_bytes, plan.gpu_bytes)
