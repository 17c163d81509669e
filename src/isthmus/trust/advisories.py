"""What a publisher says of releases that are out: signed, numbered, and good for a time only.

A feed is one file. Each issue replaces the one before it, has a higher number, and expires: whoever keeps an
old one from being replaced can do so until then. The highest number seen is remembered, and so is the latest
time, so that neither an older issue nor a clock that was set back passes.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from isthmus.errors import ReleaseRefused, StorageError
from isthmus.signing import Envelope, PublicKey, SigningKey
from isthmus.signing.statement import to_json
from isthmus.store.disk import write_atomically
from isthmus.trust.origin import Advisory, Time
from isthmus.trust.statements import read_envelope

FEED_TYPE = "application/vnd.isthmus.advisories.v1+json"
CLOCK_TOLERANCE = timedelta(minutes=10)
"""By how much clocks may differ before one of them counts as set back."""


class Feed(Struct, frozen=True):
    """An issue of a publisher's advisories."""

    publisher: str
    number: int
    issued: Time
    expires: Time
    advisories: tuple[Advisory, ...] = ()

    def sealed(self, key: SigningKey) -> bytes:
        """The feed's file, signed."""
        return to_json(Envelope.seal(to_json(self), FEED_TYPE, key))

    @classmethod
    def from_bytes(cls, content: bytes, keys: Collection[PublicKey]) -> Self:
        """A feed's file.

        Raises:
            SignatureInvalid: It isn't one, or isn't signed by any of the keys.
            ReleaseRefused: It says what makes no sense.
        """
        payload, _ = read_envelope(content, "the feed of advisories").open(keys, FEED_TYPE)
        try:
            return msgspec.json.decode(payload, type=cls)
        except msgspec.DecodeError as error:
            raise ReleaseRefused(f"the feed of advisories makes no sense: {error}") from error

    def of(self, weights: str) -> tuple[Advisory, ...]:
        """What it says of a release."""
        return tuple(each for each in self.advisories if each.weights == weights)


class _Seen(Struct, frozen=True):
    number: int
    sha256: str
    latest: Time


class Memory:
    """What was seen of publishers' feeds, in a folder of the person's own.

    Args:
        folder: Made when there is something to remember.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def admit(self, publisher: str, content: bytes, keys: Collection[PublicKey], now: datetime) -> Feed:
        """A publisher's feed, if it is the latest that was seen and hasn't expired; it is remembered.

        Raises:
            SignatureInvalid: It isn't signed by the publisher.
            ReleaseRefused: It is another's, has expired, is older than one that was seen, or differs from one
                of the same number; or the clock was set back.
            StorageError: It can't be remembered.
        """
        feed = Feed.from_bytes(content, keys)
        digest = hashlib.sha256(content).hexdigest()
        seen = self._seen(publisher)
        if feed.publisher != publisher:
            raise ReleaseRefused(f"the feed of advisories is {feed.publisher}'s, not {publisher}'s")
        if seen and now < seen.latest - CLOCK_TOLERANCE:
            raise ReleaseRefused(
                f"the clock says {now:%Y-%m-%d %H:%M}, and it has been {seen.latest:%Y-%m-%d %H:%M}: it was "
                "set back, so nobody can say what has expired",
                hint=f"set the clock right, or, where it ran ahead before: rm {self._file(publisher)}",
            )
        if now > feed.expires:
            raise ReleaseRefused(
                f"{publisher}'s advisories expired on {feed.expires:%Y-%m-%d}: there may be newer ones",
                hint=f"fetch {publisher}'s latest feed, and put it where the settings say",
            )
        if seen and feed.number < seen.number:
            raise ReleaseRefused(
                f"{publisher}'s advisories are number {feed.number}, and number {seen.number} has been seen: "
                "an old issue was put in the place of a newer one"
            )
        if seen and feed.number == seen.number and digest != seen.sha256:
            raise ReleaseRefused(
                f"there are two different issues number {feed.number} of {publisher}'s advisories"
            )
        latest = max(now, feed.issued, *((seen.latest,) if seen else ()))
        self._remember(publisher, _Seen(feed.number, digest, latest))
        return feed

    def _seen(self, publisher: str) -> _Seen | None:
        try:
            return msgspec.json.decode(self._file(publisher).read_bytes(), type=_Seen)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(
                f"what was seen of {publisher}'s advisories can't be read: {error}",
                hint=f"rm {self._file(publisher)} forgets it, and trusts the next issue to be the latest",
            ) from error

    def _remember(self, publisher: str, seen: _Seen) -> None:
        write_atomically(self._file(publisher), to_json(seen))

    def _file(self, publisher: str) -> Path:
        return self._folder / f"{hashlib.sha256(publisher.encode()).hexdigest()[:32]}.json"
