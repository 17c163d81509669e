"""The line before a model: first come first served inside a key, one after the other between keys.

There is no clock and no waiting here: `isthmus.engines.schedule` asks who comes next.
"""

import math
from collections import deque
from collections.abc import Iterator

from msgspec import Struct


class Ticket(Struct, frozen=True):
    """A request's place in line. ``number`` grows with each one; ``key`` is the API key's name, if any."""

    number: int
    model: str
    key: str | None


class QueueFull(Exception):
    """As many wait as may, and nobody has more of them than the newcomer."""


class FairQueue:
    """The requests that wait for one model, at most ``bound`` of them."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lines: dict[str | None, deque[Ticket]] = {}  # the key whose turn it is comes first
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def __iter__(self) -> Iterator[Ticket]:
        for line in self._lines.values():
            yield from line

    @property
    def oldest(self) -> int | None:
        """The number of the ticket that has waited longest."""
        return min((line[0].number for line in self._lines.values()), default=None)

    def push(self, ticket: Ticket) -> Ticket | None:
        """Join the line.

        Where it is full, the newest ticket of the key that has the most gives way, so that one busy key
        can't lock the others out.

        Returns:
            The ticket that had to give way, if one had to.

        Raises:
            QueueFull: The newcomer's own key has the most.
        """
        removed = None
        if self._waiting >= self._bound:
            longest = max(self._lines.values(), key=len)
            if len(longest) <= len(self._lines.get(ticket.key, ())) + 1:
                raise QueueFull
            removed = longest[-1]
            self.remove(removed)
        self._lines.setdefault(ticket.key, deque()).append(ticket)
        self._waiting += 1
        return removed

    def pop(self, before: int | None = None) -> Ticket | None:
        """Take the next ticket, of those with a number below ``before``; None where there is none."""
        for key, line in self._lines.items():
            if before is None or line[0].number < before:
                ticket = line.popleft()
                self._waiting -= 1
                del self._lines[key]
                if line:
                    self._lines[key] = line  # behind the other keys
                return ticket
        return None

    def remove(self, ticket: Ticket) -> bool:
        """Leave the line; whether the ticket was in it."""
        line = self._lines.get(ticket.key)
        if line is None or ticket not in line:
            return False
        line.remove(ticket)
        self._waiting -= 1
        if not line:
            del self._lines[ticket.key]
        return True


def retry_after_s(ahead: int, slots: int, service_s: float, load_s: float) -> int:
    """When it may be worth trying again: once those ahead have been served, a slotful at a time.

    Args:
        ahead: How many wait.
        slots: How many are served at once.
        service_s: What one takes, in seconds.
        load_s: What has to be waited for before the first of them is served, in seconds.

    Returns:
        Whole seconds, from 1 to an hour.
    """
    return max(1, min(3600, math.ceil(load_s + math.ceil((ahead + 1) / slots) * service_s)))
