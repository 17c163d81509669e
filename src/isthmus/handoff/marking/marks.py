"""Home-only marks: what keeps a conversation on this machine, and how that spreads to what is made of it.

    marking = await marks.look(request)     # marking.why: what in it is marked, or None
    marking.note(event)                     # ... for each event of its answer
    await marking.close()

A mark is a request's, a message's, or a rule's of the person (`mark_rules`). APIs are stateless, though:
clients send histories back, and summaries, quotations and calls' arguments in other conversations. So what is
generated from a marked conversation is remembered by its fingerprints (`fingerprints`), as are the marked
messages themselves, and a conversation that holds any of it is marked like the one that it came from:

- any `QUOTED` words in a row of a marked message, of a marked call's result, or of anything generated since;
- a marked message as a whole; of a marked conversation, any message of a person or tool that is longer;
- a call by its identifier, which the model at home draws at random;
- a conversation that goes on from a marked one, however short its messages are (`turns`).

Numbers are kept, never texts, and the key that they are made with is a file beside the database. Where they
can't be read, nobody knows what is marked, so nothing leaves.
"""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio.to_thread
from msgspec import Struct
from sqlalchemy import Engine

from isthmus.errors import IsthmusError, LedgerError
from isthmus.handoff.conversations.turns import followed, texts_of, trail
from isthmus.handoff.marking.fingerprints import GRAM, Fingerprinter, words
from isthmus.handoff.marking.key import read_key
from isthmus.handoff.marking.rules import MarkRules
from isthmus.ledger import MarkTable
from isthmus.messages import Event, Finish, GenerationRequest, Message
from isthmus.settings import HomeOnlySettings
from isthmus.wire.gathered import Completion

KEY_FILE = "marks.key"
_DRAWN = 16
"""Characters from which on a call's identifier is one that was drawn, not counted."""
_SHARED = frozenset({"system", "developer"})
"""Whose messages stand in conversations that have nothing to do with each other."""

_log = logging.getLogger(__name__)


class _Seen(Struct, frozen=True):
    """What was found: what is marked, from which message on, and which messages themselves."""

    why: str
    since: int
    marked: tuple[int, ...] = ()


class Marking:
    """What is known of one conversation's marks, and who remembers what is generated from it.

    Attributes:
        why: What in it is marked; None where nothing is, so that it may leave.
    """

    def __init__(self, why: str | None = None, memory: "_Memory | None" = None) -> None:
        self.why = why
        self._memory = memory

    def note(self, event: Event) -> None:
        """Take note of an event of the answer, before anybody else sees it."""
        if self._memory is not None:
            self._memory.add(event)

    async def close(self) -> None:
        """The answer is over, however it ended: see to it that its marks outlive this process."""
        if self._memory is not None:
            await self._memory.close()


UNMARKED = Marking()


def flagged(request: GenerationRequest) -> str | None:
    """Which mark the request itself bears."""
    if request.home_only:
        return "the whole conversation, as its request says"
    if any(message.home_only for message in request.messages):
        return "a message, as its request says"
    return None


class Marks:
    """The marks of one person. For one thread.

    Args:
        rules: What the person says is marked.
        table: Where numbers are kept.
        key_file: The file with the key that they are made with; written when the first one is.
        days: How long they are kept after they were seen last.
    """

    def __init__(self, rules: MarkRules, table: MarkTable, key_file: Path, *, days: float = 365.0) -> None:
        self._rules = rules
        self._table = table
        self._key_file = key_file
        self._age = timedelta(days=days)
        self._forgotten = False
        self._known: set[int] = set()
        self._kept: set[int] = set()  # of late, so not again at each turn of a conversation
        self._kept_since = time.monotonic()
        self._fingers: Fingerprinter | None = None

    async def look(self, request: GenerationRequest) -> Marking:
        """What of a conversation is marked. It never raises: in doubt the conversation is marked."""
        try:
            await self._refresh()
            seen = await self._find(request)
            return UNMARKED if seen is None else Marking(seen.why, await self._memory(request, seen))
        except IsthmusError as error:
            _log.critical("home-only marks can't be read, so nothing leaves: %s", error)
            return Marking(f"the marks can't be read: {error.message}")
        except Exception:  # noqa: BLE001 - whatever went wrong, nobody knows what is marked
            _log.exception("home-only marks can't be read, so nothing leaves")
            return Marking("the marks can't be read")

    def close(self) -> None:
        """Give the database's connection back."""
        self._table.close()

    # ------------------------------------------------------------ what is marked

    async def _find(self, request: GenerationRequest) -> _Seen | None:
        messages = request.messages
        said = [place for place, message in enumerate(messages) if message.home_only]
        ruled = list(self._rules.find(messages))
        if not (said or ruled or request.home_only):
            return await self._recalled(messages)
        places = tuple(sorted({*said, *(found.place for found in ruled)}))
        if (why := flagged(request)) is not None:
            return _Seen(why, 0 if request.home_only else places[0], places)
        recalled = await self._recalled(messages)
        since = places[0] if recalled is None else min(places[0], recalled.since)
        return _Seen(ruled[0].why, since, places)

    async def _recalled(self, messages: tuple[Message, ...]) -> _Seen | None:
        """What of a conversation was marked, or made of what was, in an earlier one."""
        fingers, known = self._fingers, self._known
        if fingers is None or not known:
            return None
        for place, message in enumerate(messages):
            for call in message.tool_calls:
                if len(call.id) >= _DRAWN and fingers.digest("call", call.id.encode()) in known:
                    return _Seen("a call out of a marked conversation", place)
            for text in texts_of(message):
                await fingers.prepare(text)
                found = fingers.of(text)
                if found.whole in known:
                    return _Seen("a message out of a marked conversation", place)
                if not known.isdisjoint(found.grams):
                    return _Seen("words out of a marked conversation", place)
        for boundary in trail(messages).boundaries:
            if fingers.digest("turn", boundary.digest) in known:
                return _Seen("it goes on from a marked conversation", 0)
        return None

    # ------------------------------------------------------------ what is remembered

    async def _memory(self, request: GenerationRequest, seen: _Seen) -> "_Memory":
        if self._fingers is None:
            self._fingers = await self._read_key(create=True)
        fingers, digests = self._fingers, set[int]()
        for place, message in enumerate(request.messages):
            for text in texts_of(message):
                await fingers.prepare(text)
            if place in seen.marked and message.role not in _SHARED:
                digests.update(_of_marked(fingers, message))
            elif message.role == "assistant" and place >= seen.since:
                digests.update(_of_generated(fingers, message))
            elif request.home_only and message.role not in _SHARED and len(words(message.text)) >= GRAM:
                digests.update(filter(None, (fingers.of(message.text).whole,)))
        way = trail(request.messages)
        for boundary in way.boundaries:
            if boundary.place >= seen.since:
                digests.add(fingers.digest("turn", boundary.digest))
        self._known |= digests | {_check(fingers)}
        return _Memory(self, fingers, way.end, digests)

    def know(self, digests: set[int]) -> None:
        """Recognise these from now on."""
        self._known |= digests

    async def keep(self, digests: set[int]) -> None:
        """Have these outlive this process. That they can't is logged; while it runs, they are known."""
        if self._fingers is None:
            return
        if time.monotonic() - self._kept_since > self._age.total_seconds() / 10:
            self._kept, self._kept_since = set(), time.monotonic()
        keeping = (digests | {_check(self._fingers)}) - self._kept
        try:
            await anyio.to_thread.run_sync(self._table.add, keeping)
            self._kept |= keeping
        except IsthmusError as error:
            _log.critical("what stays home is known to this process only: %s", error)

    async def _refresh(self) -> None:
        """Learn what other processes have added.

        Raises:
            LedgerError: The database fails, or its numbers were made with another key.
            StorageError: The disk fails.
        """
        if not self._forgotten:
            await anyio.to_thread.run_sync(partial(self._table.forget, older_than=self._age))
            self._forgotten = True
        changes = self._table.changes()
        if changes.emptied:
            self._known, self._kept = set(), set()
        self._known.update(changes.added)
        if self._fingers is None and self._known:
            self._fingers = await self._read_key(create=False)
        if self._fingers is not None and self._known and _check(self._fingers) not in self._known:
            self._fingers = None
            raise LedgerError(
                f"the marks of what stays home were made with another key than {self._key_file}",
                hint=f"put the file that belongs to {self._key_file.parent} back",
            )

    async def _read_key(self, *, create: bool) -> Fingerprinter:
        reading = partial(read_key, self._key_file, create=create)
        return Fingerprinter(await anyio.to_thread.run_sync(reading))


def open_marks(settings: HomeOnlySettings, database: Engine, folder: Path) -> Marks:
    """The marks of one person, as the settings have them.

    Args:
        settings: The person's rules.
        database: The ledger's.
        folder: Where it lies; the key is kept beside it.
    """
    return Marks(MarkRules(settings), MarkTable(database), folder / KEY_FILE, days=settings.days)


class _Memory:
    """Remembers what is generated from one marked conversation."""

    def __init__(self, marks: Marks, fingers: Fingerprinter, before: bytes, digests: set[int]) -> None:
        self._marks = marks
        self._fingers = fingers
        self._before = before
        self._digests = digests
        self._answer = Completion()
        self._finished: set[int] = set()

    def add(self, event: Event) -> None:
        self._answer.add(event)
        if isinstance(event, Finish):
            self._remember(event.index)

    async def close(self) -> None:
        for index in self._answer.choices.keys() - self._finished:
            self._remember(index)  # it was cut, and what there is of it was shown
        await self._marks.keep(self._digests)

    def _remember(self, index: int) -> None:
        self._finished.add(index)
        choice = self._answer.choice(index)
        said = Message("assistant", choice.text, choice.reasoning or None, tuple(choice.calls))
        digests = {*_of_generated(self._fingers, said)}
        digests.add(self._fingers.digest("turn", followed(self._before, said)))
        self._digests |= digests
        self._marks.know(digests)


def _of_generated(fingers: Fingerprinter, message: Message) -> Iterator[int]:
    """The numbers of what a model said."""
    for text in texts_of(message):
        yield from fingers.of(text).kept
    for call in message.tool_calls:
        if len(call.id) >= _DRAWN:
            yield fingers.digest("call", call.id.encode())


def _of_marked(fingers: Fingerprinter, message: Message) -> Iterator[int]:
    """The numbers of a message that itself is marked."""
    yield from _of_generated(fingers, message)
    if (whole := fingers.of(message.text).whole) is not None:
        yield whole


def _check(fingers: Fingerprinter) -> int:
    """The number that is kept beside all others, to tell whether they were made with this key."""
    return fingers.digest("check", b"isthmus")
