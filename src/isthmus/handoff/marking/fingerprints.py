"""Texts as sets of small numbers, by which they are known again without being kept.

A text is cut into words (letters and digits alone, in lower case), each run of `GRAM` words becomes a number,
and of every `WINDOW` numbers in a row the least is kept: winnowing, by S. Schleimer, D. Wilkerson and
A. Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003, section 3. So any
``GRAM + WINDOW - 1`` words of a kept text are recognised wherever they are quoted, and nothing shorter than
``GRAM`` words ever is. The numbers are keyed digests: without the key nobody can try whether a text is among
them.
"""

import re
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple, TypeAlias

import anyio.to_thread

GRAM = 16
"""Words: models repeat themselves in shorter phrases ("let me know if you have any further questions")."""
WINDOW = 4
QUOTED = GRAM + WINDOW - 1
"""So many words of a kept text, in a row, are always recognised."""
WHOLE = 4
"""Words that a text has at least to be known as a whole: "yes, please" is everybody's."""
LONG = 50_000
"""Characters from which on a text's fingerprint takes long enough to be taken in a thread."""

Kind: TypeAlias = Literal["gram", "whole", "turn", "call", "check"]
"""What a number stands for: two kinds never meet, whatever the bytes."""

# Scripts that put no spaces between words give a word a letter.
_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]"
    r"|[^\W_]+"
)
_HELD = 2048
"""Texts whose numbers are held ready: those of the conversations under way."""


def words(text: str) -> list[str]:
    """The words of a text, alike however it is set: case, punctuation and widths of letters don't count."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def winnowed(numbers: Sequence[int], window: int = WINDOW) -> set[int]:
    """Of every ``window`` numbers in a row the least; the last one of several."""
    if len(numbers) <= window:
        return {min(numbers)} if numbers else set()
    kept: set[int] = set()
    lowest: deque[int] = deque()  # places in the window whose numbers rise from the least
    for place, number in enumerate(numbers):
        while lowest and numbers[lowest[-1]] >= number:
            lowest.pop()
        lowest.append(place)
        if lowest[0] <= place - window:
            lowest.popleft()
        if place >= window - 1:
            kept.add(numbers[lowest[0]])
    return kept


class Fingerprint(NamedTuple):
    """A text's numbers: of all its runs of `GRAM` words, and of the whole; None if that is short."""

    grams: tuple[int, ...]
    whole: int | None

    @property
    def kept(self) -> set[int]:
        """The numbers by which any `QUOTED` words of the text are recognised."""
        return winnowed(self.grams)


_NOTHING = Fingerprint((), None)


class Fingerprinter:
    """Takes fingerprints with one key, and holds those of late ready. Not to be shared between threads.

    Args:
        key: 32 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._held: OrderedDict[bytes, Fingerprint] = OrderedDict()

    def digest(self, kind: Kind, data: bytes) -> int:
        """A number of 64 bits, signed as databases have them."""
        digest = blake2b(data, digest_size=8, key=self._key, person=kind.encode()).digest()
        return int.from_bytes(digest, "little", signed=True)

    def of(self, text: str) -> Fingerprint:
        """A text's numbers."""
        if len(text) < 2 * WHOLE - 1 and text.isascii():
            return _NOTHING
        name = _name(text)
        if (found := self._held.get(name)) is None:
            return self._hold(name, self._take(text))
        self._held.move_to_end(name)
        return found

    async def prepare(self, text: str) -> None:
        """Have a long text's numbers ready, taken in a thread."""
        if len(text) >= LONG and (name := _name(text)) not in self._held:
            self._hold(name, await anyio.to_thread.run_sync(self._take, text))

    def _hold(self, name: bytes, taken: Fingerprint) -> Fingerprint:
        self._held[name] = taken
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        return taken

    def _take(self, text: str) -> Fingerprint:
        said = words(text)
        if len(said) < WHOLE:
            return _NOTHING
        runs = (" ".join(said[start : start + GRAM]) for start in range(len(said) - GRAM + 1))
        grams = tuple(self.digest("gram", run.encode("utf-8", "surrogatepass")) for run in runs)
        return Fingerprint(grams, self.digest("whole", " ".join(said).encode("utf-8", "surrogatepass")))


def _name(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
