"""Where a model came from, as far as that was proven.

The nouns alone, and what is needed to ask for more: a question waits for signatures to be loaded only where
the person has pinned a publisher.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from isthmus.settings import Settings
from isthmus.store.arrival import Admit, admit_anything
from isthmus.store.releases import SIGNATURE

if TYPE_CHECKING:
    from isthmus.trust.publishers import Trust

Time = Annotated[datetime, Meta(tz=True)]

MAX_DEPTH = 4
"""How far above a file the signature of its release is looked for."""


class ContentFile(Struct, frozen=True):
    """A file: its path inside the folder, with / between its parts, and its SHA-256 in hex."""

    name: str
    sha256: str
    size_bytes: int = 0


class PolicyHead(Struct, frozen=True):
    """Which policy: its name, version and digest."""

    id: str
    version: int
    sha256: str


class Signer(Struct, frozen=True):
    """Someone who approved: the name and roles that the publisher gives to a key."""

    name: str
    roles: tuple[str, ...]
    key: str


class Proof(Struct, frozen=True, kw_only=True):
    """What was checked of a release.

    Attributes:
        level: signed: who published these files. gated: also that they passed, and who approved.
        key: The id of the publisher's key that signed.
        files: Every file of the release but the signature.
        weights: The digest of the files that were sealed, which advisories name a release by.
        release: Its name and version.
        parent: The digest of the release that it was derived from; empty for an original.
    """

    level: Literal["signed", "gated"]
    key: str
    files: tuple[ContentFile, ...]
    weights: str
    release: str = ""
    policy: PolicyHead | None = None
    areas: tuple[str, ...] = ()
    approvals: tuple[Signer, ...] = ()
    alpha: float | None = None
    look: int | None = None
    not_before: datetime | None = None
    parent: str = ""

    def covers(self, digests: Iterable[str]) -> bool:
        """Whether files with all of these digests are part of the release."""
        return set(digests) <= {file.sha256 for file in self.files}


class Advisory(Struct, frozen=True):
    """Something that users of a release should know; ``weights`` is the digest of its sealed files."""

    weights: str
    release: str
    kind: Literal["advised", "withdrawn"]
    text: str
    at: Time


class Trusted(Struct, frozen=True):
    """What is known of a model's origin: whose it is, what was proven, what was said; or nothing.

    Attributes:
        heeded: Whether there was a feed of advisories to look into.
    """

    publisher: str | None = None
    proof: Proof | None = None
    advisories: tuple[Advisory, ...] = ()
    heeded: bool = False


def trust_in(settings: Settings) -> "Trust | None":
    """The publishers that the settings pin; None where they pin none, and nothing need be proven."""
    if not settings.publishers:
        return None
    from isthmus.trust.publishers import Trust

    return Trust(settings)


def admission_in(settings: Settings) -> Admit:
    """Who looks at a model before it is taken into the store, by what the settings require of whom."""
    trust = trust_in(settings)
    return trust.admit if trust else admit_anything


def release_folder(path: Path) -> Path | None:
    """The release that a file or folder belongs to: the nearest of the folders above with a signature."""
    start = path if path.is_dir() else path.parent
    folders = (start, *start.parents)[:MAX_DEPTH]
    return next((each for each in folders if (each / SIGNATURE).is_file()), None)
