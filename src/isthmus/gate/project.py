"""A release on its way out: a folder that can live in Git, with files that people can read.

release.toml      its name, its files' folder, and whose keys may do what
policy.toml       what it must show
evidence.jsonl    what happened to it; the only state there is
runs/             the outcomes that were recorded, by their digest
notices/          signed notices of holds, for the public
sittings/         what `isthmus gate run` works with: prompts and answers, which no record holds
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import GateError, GateRefused, SigningError, StorageError
from isthmus.gate.lifecycle import Situation, after, replay
from isthmus.gate.policy import Policy, read_policy
from isthmus.signing import PublicKey, SigningKey, read_public_key
from isthmus.store.disk import storage_errors, write_atomically
from isthmus.store.locks import exclusive
from isthmus.trust.evidence import Evidence, Kind, Record
from isthmus.trust.statements import Person

RELEASE_FILE, EVIDENCE_FILE = "release.toml", "evidence.jsonl"


class PersonEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """[people.NAME]: a public key's file, from the project's folder, and roles.

    ``submitter`` seals, ``publisher`` signs the release, ``reviewer`` and the policy's own roles approve.
    """

    key: Annotated[str, Meta(min_length=1)]
    roles: tuple[str, ...] = ()


class ServedEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """[beside.control], [beside."baseline:NAME"]: a model that is measured beside the release.

    ``model`` is a file, from the project's folder, or the name of one in the store.
    """

    model: Annotated[str, Meta(min_length=1)]
    adapters: tuple[str, ...] = ()


class ReleaseFile(Struct, frozen=True, forbid_unknown_fields=True):
    """release.toml.

    ``model`` and ``adapters`` say which of the files `isthmus gate run` serves; by default the only GGUF.
    """

    name: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
    version: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
    publisher: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    people: dict[str, PersonEntry]
    files: str = "weights"
    policy: str = "policy.toml"
    parent: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    model: str = ""
    adapters: tuple[str, ...] = ()
    beside: dict[str, ServedEntry] = {}


class Project:
    """A release's folder.

    Args:
        folder: As `isthmus gate init` makes it.
        clock: The time, for tests.

    Raises:
        GateError: It isn't one, or its files can't be read.
        EvidenceBroken: Its evidence was changed.
        SigningError: A person's key can't be read.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self._clock = clock
        self.release = _read_release(folder / RELEASE_FILE)
        self.people = self._people()
        self.evidence = Evidence.read(self._log(), [person.public for person in self.people.values()])
        self.situation = replay(self.evidence)

    # ------------------------------------------------------------ what lies in it

    @property
    def files(self) -> Path:
        """The folder of what is to be released."""
        return self.folder / self.release.files

    @property
    def policy_path(self) -> Path:
        """The policy's file."""
        return self.folder / self.release.policy

    @property
    def policy(self) -> Policy:
        """The policy as it is now, sealed or not.

        Raises:
            PolicyInvalid: It can't be read, or is malformed.
        """
        return read_policy(self.policy_path)

    def read(self, path: str, what: str) -> bytes:
        """A file that is named from the project's folder.

        Raises:
            GateError: It can't be read.
        """
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise GateError(f"{what} {path} can't be read: {why}") from error

    def run_path(self, sha256: str) -> Path:
        """Where a recorded run's outcomes lie."""
        return self.folder / "runs" / f"{sha256}.jsonl"

    def sitting_path(self, run: str) -> Path:
        """Where a sitting of `isthmus gate run` keeps its work, with prompts and answers in it."""
        return self.folder / "sittings" / run

    def now(self) -> datetime:
        """The time, in UTC, to the second."""
        return self._clock().astimezone(UTC).replace(microsecond=0)

    def name_of(self, key: str) -> str:
        """Whose a key's id is."""
        found = (name for name, person in self.people.items() if person.public.id == key)
        return next(found, key[:12])

    # ------------------------------------------------------------ adding to it

    def draft(
        self,
        kind: Kind,
        key: SigningKey,
        *,
        why: str = "",
        digests: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> "Step":
        """A record more, signed and allowed, but not written yet.

        Raises:
            GateRefused: It isn't allowed.
            EvidenceBroken: The clock was set back.
        """
        if key.public.id not in {person.public.id for person in self.people.values()}:
            raise GateRefused(
                "that key is nobody's here",
                hint=f"name its holder under [people] in {self.folder / RELEASE_FILE}",
            )
        longer = self.evidence.also(kind, key, self.now(), why=why, digests=digests, data=data)
        return Step(longer, after(self.situation, longer.records[-1]))

    def add(self, step: "Step") -> Record:
        """Write a record down.

        Raises:
            GateRefused: Somebody else wrote another meanwhile.
            StorageError: It can't be written.
        """
        with exclusive(self.folder / ".lock"):
            if self._log() != self.evidence.to_bytes():
                raise GateRefused("somebody else added to the evidence meanwhile", hint="try again")
            write_atomically(self.folder / EVIDENCE_FILE, step.evidence.to_bytes())
        self.evidence, self.situation = step.evidence, step.situation
        return step.evidence.records[-1]

    def _log(self) -> bytes:
        try:
            return (self.folder / EVIDENCE_FILE).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise GateError(f"the evidence can't be read: {(error.strerror or '').lower()}") from error

    def _people(self) -> dict[str, Person]:
        people: dict[str, Person] = {}
        holders: dict[PublicKey, str] = {}
        for name, entry in self.release.people.items():
            key = read_public_key(self.folder / entry.key)
            if key in holders:
                raise SigningError(f"{name} and {holders[key]} have the same key, and each needs their own")
            holders[key] = name
            people[name] = Person(key.pem, entry.roles)
        return people


class Step(Struct, frozen=True):
    """A record more: the evidence with it, and what it adds up to."""

    evidence: Evidence
    situation: Situation


def read_file(path: Path) -> bytes:
    """A file that a person names.

    Raises:
        GateError: It can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise GateError(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from error


def write_new(path: Path, content: bytes) -> None:
    """Write a file that mustn't be there yet.

    Raises:
        StorageError: It is, or it can't be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError as error:
            raise StorageError(f"{path} is there already") from error


def _read_release(path: Path) -> ReleaseFile:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=ReleaseFile)
    except FileNotFoundError as error:
        raise GateError(
            f"{path.parent} holds no {path.name}", hint=f"isthmus gate init {path.parent}"
        ) from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GateError(f"{path} can't be read: {error}") from error
