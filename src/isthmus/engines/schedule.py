"""Which models are loaded, and whose turn it is: the pool's policy, without clock, waiting or processes.

    ticket = schedule.ask(model, key)       # or leave, loaded, failed, unloaded, resize, dismiss
    for step in schedule.steps():           # Admit, Load, Unload or GiveWay: to be carried out
        ...

The model whose request has waited longest is loaded next. Where there is no room for it, others have to go:
idle ones first, the least recently used before the rest. One that works is never stopped: it serves the
requests that came before it was to go, those that come later wait until it is loaded again, and once it is
idle it goes. So no model can be kept by those who keep asking for it, and none is starved. A smaller model
may be loaded meanwhile, as long as it takes nothing that is kept for one that has waited longer.
"""

from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.engines.queue import FairQueue, Ticket


class Memory(Struct, frozen=True):
    """An amount of main memory, and of the GPUs', in bytes."""

    ram: int = 0
    gpu: int = 0

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.ram + other.ram, self.gpu + other.gpu)

    def __sub__(self, other: "Memory") -> "Memory":
        return Memory(self.ram - other.ram, self.gpu - other.gpu)

    @property
    def total(self) -> int:
        """Both together."""
        return self.ram + self.gpu

    def within(self, other: "Memory") -> bool:
        """Whether there is enough in the other, of both kinds."""
        return self.ram <= other.ram and self.gpu <= other.gpu

    def helps(self, shortage: "Memory") -> bool:
        """Whether freeing this much brings a shortage nearer to its end."""
        return (shortage.ram > 0 and self.ram > 0) or (shortage.gpu > 0 and self.gpu > 0)


_NOTHING = Memory()


# ---------------------------------------------------------------- what is to be done


class Admit(Struct, frozen=True):
    """The ticket has a slot of its model, which is loaded, until it leaves."""

    ticket: Ticket


class GiveWay(Struct, frozen=True):
    """The ticket has lost its place in a full line."""

    ticket: Ticket


class Load(Struct, frozen=True):
    """There is room for the model now: load it, then report `loaded` or `failed`."""

    model: str


class Unload(Struct, frozen=True):
    """The model is idle, or still loads and nobody waits for it: end it, then report `unloaded`."""

    model: str


Step: TypeAlias = Admit | GiveWay | Load | Unload

State: TypeAlias = Literal["absent", "loading", "loaded", "unloading"]


class Seat:
    """A model that is loaded, or asked for.

    Attributes:
        model: Its name.
        memory: What it takes.
        state: Where it is.
        queue: Who waits for it.
        serving: Who has a slot.
        held: Who keeps it loaded without a slot.
        barrier: Once it is to go: tickets from this number on wait until it is loaded again.
        dismissed: Whether a person wants it to go, rather than another model's request.
        used: Grows with each use, over all models.
    """

    def __init__(self, model: str, memory: Memory, bound: int) -> None:
        self.model = model
        self.memory = memory
        self.state: State = "absent"
        self.queue = FairQueue(bound)
        self.serving: set[Ticket] = set()
        self.held: set[Ticket] = set()
        self.barrier: int | None = None
        self.dismissed = False
        self.used = 0

    @property
    def idle(self) -> bool:
        """Whether nobody uses it or waits for it."""
        return not self.serving and not self.held and not len(self.queue)

    @property
    def may_go(self) -> bool:
        """Whether it was asked to go and has served all whom it was to serve."""
        if self.barrier is None or self.serving or self.held:
            return False
        return self.queue.oldest is None or self.queue.oldest >= self.barrier


# ---------------------------------------------------------------- the policy


class Schedule:
    """The models under one budget.

    Args:
        budget: What all of them may take together.
        slots: How many requests a model serves at once.
        max_queue: How many may wait for one.
    """

    def __init__(self, budget: Memory, *, slots: int, max_queue: int) -> None:
        self.budget = budget
        self.slots = slots
        self._max_queue = max_queue
        self._seats: dict[str, Seat] = {}
        self._arrivals = 0
        self._uses = 0
        self._displaced: list[Ticket] = []

    # ------------------------------------------------------------ what is so

    @property
    def seats(self) -> Collection[Seat]:
        """The models that are loaded or asked for."""
        return self._seats.values()

    def seat(self, model: str) -> Seat | None:
        """The model, if it is loaded or asked for."""
        return self._seats.get(model)

    @property
    def taken(self) -> Memory:
        """What the models that are loaded, or on their way in or out, take together."""
        return _sum(seat.memory for seat in self.seats if seat.state != "absent")

    def in_the_way(self, model: str) -> list[Seat]:
        """The models that have to end their work before this one can be loaded, or go before it is again."""
        return [s for s in self.seats if s.model != model and s.barrier is not None and s.serving]

    # ------------------------------------------------------------ what happens

    def ask(self, model: str, key: str | None, memory: Memory) -> Ticket:
        """A request for a model, which takes ``memory`` (of no account while it is loaded).

        Raises:
            QueueFull: Too many wait for it already.
        """
        seat = self._seats.get(model) or Seat(model, memory, self._max_queue)
        ticket = Ticket(self._arrivals, model, key)
        removed = seat.queue.push(ticket)
        if removed is not None:
            self._displaced.append(removed)
        self._arrivals += 1
        if seat.state == "absent":
            seat.memory = memory
        self._seats[model] = seat
        return ticket

    def hold(self, model: str, key: str | None) -> Ticket | None:
        """Keep a model loaded for short work that takes no slot; None where it isn't loaded, or is to go."""
        seat = self._seats.get(model)
        if seat is None or seat.state != "loaded" or seat.barrier is not None:
            return None
        ticket = Ticket(self._arrivals, model, key)
        self._arrivals += 1
        seat.held.add(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """A request is done, or doesn't want to wait any longer."""
        seat = self._seats.get(ticket.model)
        if seat is None:
            return
        if ticket in seat.serving or ticket in seat.held:
            seat.serving.discard(ticket)
            seat.held.discard(ticket)
            self._use(seat)
        else:
            seat.queue.remove(ticket)
        self._forget_if_unused(seat)

    def loaded(self, model: str) -> None:
        """A model is ready, unless it has been told to go meanwhile."""
        seat = self._seats[model]
        if seat.state == "loading":
            seat.state = "loaded"
            self._use(seat)

    def failed(self, model: str) -> list[Ticket]:
        """A model couldn't be loaded; its memory is free.

        Returns:
            Those who waited for it.
        """
        seat = self._seats.pop(model)
        return list(seat.queue)

    def unloaded(self, model: str) -> None:
        """A model is gone, and its memory is free."""
        seat = self._seats[model]
        seat.state, seat.barrier, seat.dismissed = "absent", None, False
        self._forget_if_unused(seat)

    def resize(self, model: str, memory: Memory) -> None:
        """A model takes more, or less, than was thought."""
        self._seats[model].memory = memory

    def dismiss(self, model: str) -> None:
        """A model is to go once it has served whoever has asked for it until now."""
        seat = self._seats.get(model)
        if seat is not None and seat.state in ("loading", "loaded"):
            seat.dismissed = True

    # ------------------------------------------------------------ what follows

    def steps(self) -> list[Step]:
        """What is to be done now. The steps count as taken."""
        steps: list[Step] = [GiveWay(ticket) for ticket in self._displaced]
        self._displaced.clear()
        loads = self._make_room()
        for seat in self.seats:
            if seat.state == "loaded":
                steps += self._admit(seat)
            if seat.state in ("loading", "loaded") and seat.may_go:
                seat.state = "unloading"
                steps.append(Unload(seat.model))
        for seat in loads:
            seat.state = "loading"
            steps.append(Load(seat.model))
        return steps

    def _admit(self, seat: Seat) -> list[Step]:
        steps: list[Step] = []
        while len(seat.serving) < self.slots and (ticket := seat.queue.pop(seat.barrier)) is not None:
            seat.serving.add(ticket)
            self._use(seat)
            steps.append(Admit(ticket))
        return steps

    def _make_room(self) -> list[Seat]:
        """Say who is to go, and find those that can be loaded at once.

        ``free`` is what can be had now; ``spare`` what will be left over when those that are to go are gone
        and those that have waited longer are loaded.
        """
        free = self.budget - self.taken
        spare = free + _sum(seat.memory for seat in self.seats if seat.state == "unloading" or seat.dismissed)
        going: list[Seat] = self._too_much(_NOTHING - spare)
        spare += _sum(seat.memory for seat in going)
        loads: list[Seat] = []
        waiting = [seat for seat in self.seats if seat.state == "absent" and len(seat.queue)]
        for seat in sorted(waiting, key=_longest_wait):
            if not seat.memory.within(spare):
                victims = self._victims(seat.memory - spare, going)
                if victims is None:
                    break  # it waits for a model that is being loaded, and nobody may go before it
                going += victims
                spare += _sum(victim.memory for victim in victims)
            elif seat.memory.within(free):
                loads.append(seat)
                free -= seat.memory
            spare -= seat.memory
        self._send_off(going)
        return loads

    def _too_much(self, excess: Memory) -> list[Seat]:
        """Those that are to go because more is taken than there is; one may always stay."""
        if excess.within(_NOTHING):
            return []
        # Not one that was told to go already: those who work by turns would each be spared in turn.
        last = max(self.seats, key=lambda seat: (seat.barrier is None, not seat.idle, seat.used))
        return self._victims(excess, [last]) or []

    def _victims(self, shortage: Memory, spared: Collection[Seat]) -> list[Seat] | None:
        """The models that would have to go to end a shortage; None where that isn't enough."""
        candidates = [
            seat
            for seat in self.seats
            if (seat.state == "loaded" or (seat.state == "loading" and seat.idle))
            and not seat.dismissed
            and seat not in spared
        ]
        chosen: list[Seat] = []
        left = shortage
        for seat in sorted(candidates, key=_first_to_go):
            if left.within(_NOTHING):
                break
            if seat.memory.helps(left):
                chosen.append(seat)
                left -= seat.memory
        if not left.within(_NOTHING):
            return None
        for seat in list(chosen):  # a small one needn't go where a larger one, which must, is enough
            if (left + seat.memory).within(_NOTHING):
                chosen.remove(seat)
                left += seat.memory
        return chosen

    def _send_off(self, going: Collection[Seat]) -> None:
        """Close the doors of those that are to go, and open those of the others again."""
        for seat in self.seats:
            if seat.state not in ("loading", "loaded"):
                continue
            if not (seat.dismissed or seat in going):
                seat.barrier = None
            elif seat.barrier is None:
                seat.barrier = self._arrivals

    def _use(self, seat: Seat) -> None:
        self._uses += 1
        seat.used = self._uses

    def _forget_if_unused(self, seat: Seat) -> None:
        if seat.state == "absent" and seat.idle:
            self._seats.pop(seat.model, None)


def _first_to_go(seat: Seat) -> tuple[int, int]:
    """Idle ones first, then those that were told to go already, then the least recently used."""
    rank = 0 if seat.idle else 1 if seat.barrier is not None else 2
    return rank, seat.used


def _longest_wait(seat: Seat) -> float:
    oldest = seat.queue.oldest
    return float("inf") if oldest is None else oldest


def _sum(amounts: Iterable[Memory]) -> Memory:
    return sum(amounts, _NOTHING)
