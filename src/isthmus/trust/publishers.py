"""What you require of which publisher, and whether a model meets it.

A model is a publisher's if one of its pinned keys signed it, or if it goes by a name or source that you gave
to that publisher alone. Of any other model nothing is required: it is as trustworthy as where it came from.
"""

import os
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from isthmus.errors import DigestMismatch, ReleaseRefused, SignatureInvalid, SigningError
from isthmus.settings import PublisherSettings, Settings
from isthmus.signing import Bundle, PublicKey, read_public_key
from isthmus.store import FileProof, StoredModel, read_statements
from isthmus.store.arrival import Arrival
from isthmus.trust.advisories import Memory
from isthmus.trust.contents import OnProgress
from isthmus.trust.folder import check_folder, read_documents
from isthmus.trust.origin import SIGNATURE, Advisory, ContentFile, Proof, Trusted, release_folder
from isthmus.trust.release import MIN_APPROVALS, Documents, check


class Publisher(Struct, frozen=True):
    """A publisher whose keys are pinned."""

    name: str
    settings: PublisherSettings
    keys: tuple[PublicKey, ...]
    reviewers: tuple[PublicKey, ...]

    def owns(self, names: Collection[str]) -> bool:
        """Whether the person gave one of these names or sources to this publisher alone."""
        return any(
            fnmatchcase(name.lower(), pattern.lower()) for name in names for pattern in self.settings.models
        )


class Trust:
    """The publishers that the settings pin.

    Args:
        settings: The person's.
        now: The time; by default the clock's.
    """

    def __init__(self, settings: Settings, now: datetime | None = None) -> None:
        self._settings = settings
        self._memory = Memory(settings.home_path / "trust")
        self._now = now

    @cached_property
    def publishers(self) -> tuple[Publisher, ...]:
        """The publishers, their keys read.

        Raises:
            SigningError: One can't be read.
        """
        return tuple(_publisher(name, each) for name, each in self._settings.publishers.items())

    def of_model(
        self,
        model: StoredModel | Path,
        paths: Sequence[Path],
        states: Sequence[FileProof],
        on_progress: OnProgress | None = None,
    ) -> Trusted:
        """What is known of the origin of files that are open.

        Args:
            model: Of the store, or a file.
            paths: Where its files were found.
            states: In which they were then, those of a stored model with the digests that it has.
            on_progress: Told of bytes hashed.

        Raises:
            ReleaseRefused: It isn't proven as it must be.
            SignatureInvalid: A signature isn't by whom it should be.
            DigestMismatch: A file was changed meanwhile.
            StorageError: A file can't be read.
        """
        if isinstance(model, StoredModel):
            statements = read_statements(model.home, model.release) if model.release else {}
            digests = [blob.digest for blob in model.blobs]
            return self.of_files(digests, (model.name, model.source), statements)
        place = model.absolute()
        names, folder = (model.name, str(place), f"file:{place}"), release_folder(place)
        if folder is None:
            return self.of_files((), names, {})
        found = self.of_folder(folder, names, on_progress)
        for path, state in zip(paths, states, strict=True):
            # The release's files were hashed by their names: the open ones must be those, and untouched.
            if found.proof and FileProof.of(os.lstat(path)) != state:
                raise DigestMismatch(f"{path} was changed while it was read", hint="try again")
        return found

    def of_folder(
        self, folder: Path, names: Collection[str], on_progress: OnProgress | None = None
    ) -> Trusted:
        """What is known of a release in a folder, every byte of which is checked.

        Raises:
            ReleaseRefused: It isn't proven as it must be.
            SignatureInvalid: A signature isn't by whom it should be.
            StorageError: A file can't be read.
        """
        documents = read_documents(folder)
        publisher = self._publisher(names, documents)
        if publisher is None or publisher.settings.require == "none":
            return Trusted(publisher.name if publisher else None)
        return self._require(publisher, check_folder(folder, publisher.keys, self.now, on_progress))

    def admit(self, arrival: Arrival) -> None:
        """Refuse a model that is on its way into the store, where it isn't proven as it must be.

        Raises:
            ReleaseRefused: It isn't.
            SignatureInvalid: A signature isn't by whom it should be.
        """
        names = (arrival.name, arrival.source)
        self.of_files(arrival.digests, names, arrival.statements, arrival.contents)

    def of_files(
        self,
        digests: Sequence[str],
        names: Collection[str],
        documents: Documents,
        contents: Sequence[tuple[str, str]] | None = None,
    ) -> Trusted:
        """What is known of files whose digests were checked, by what their release states.

        Args:
            digests: The SHA-256 of each of them.
            names: What the model is called, and where it came from.
            documents: The release's statements; empty where it has none.
            contents: Every file that lies beside them, by its name and SHA-256, the signature among them;
                None where that isn't known.

        Raises:
            ReleaseRefused: It isn't proven as it must be.
            SignatureInvalid: A signature isn't by whom it should be.
        """
        publisher = self._publisher(names, documents)
        if publisher is None or publisher.settings.require == "none":
            return Trusted(publisher.name if publisher else None)
        proof = check(documents, publisher.keys, self.now, present=_present(contents))
        if not proof.covers(digests):
            raise ReleaseRefused(f"these weights are no part of the release that {publisher.name} signed")
        return self._require(publisher, proof)

    @property
    def now(self) -> datetime:
        """The time that releases and advisories are held against."""
        return self._now or datetime.now(UTC)

    def _publisher(self, names: Collection[str], documents: Documents) -> Publisher | None:
        """Whose a model is: by the names that are a publisher's alone, else by who signed it."""
        for publisher in self.publishers:
            if publisher.owns(names):
                return publisher
        return self._signer(documents) if SIGNATURE in documents else None

    def _signer(self, documents: Documents) -> Publisher | None:
        try:
            envelope = Bundle.from_bytes(documents[SIGNATURE]).dsse_envelope
        except SignatureInvalid:
            return None  # a file by that name, and no signature of anyone's
        for publisher in self.publishers:
            try:
                envelope.open(publisher.keys, envelope.payload_type)
            except SignatureInvalid:
                continue
            return publisher
        return None

    def _require(self, publisher: Publisher, proof: Proof) -> Trusted:
        """Make sure that a proof is enough for what is required of its publisher."""
        wanted = publisher.settings
        if wanted.require == "gated":
            _require_gated(publisher, proof)
        advisories: tuple[Advisory, ...] = ()
        if wanted.advisories:
            feed = self._memory.admit(publisher.name, _read_feed(wanted.advisories), publisher.keys, self.now)
            advisories = feed.of(proof.weights)
            for each in advisories:
                if each.kind == "withdrawn":
                    raise ReleaseRefused(
                        f"{publisher.name} withdrew {each.release} on {each.at:%Y-%m-%d}: {each.text}",
                        hint=f'[publishers.{publisher.name}] require = "none" loads it all the same',
                    )
        return Trusted(publisher.name, proof, advisories, heeded=wanted.advisories is not None)


def _require_gated(publisher: Publisher, proof: Proof) -> None:
    wanted, name = publisher.settings, publisher.name
    if proof.level != "gated" or proof.policy is None:
        raise ReleaseRefused(
            f"{name} signed this and says nothing of a gate, and you require that it passed one",
            hint=f'[publishers.{name}] require = "signed" would do with less',
        )
    if wanted.policy and proof.policy.id != wanted.policy:
        raise ReleaseRefused(f"it was gated by the policy {proof.policy.id}, and you require {wanted.policy}")
    if proof.policy.version < wanted.policy_version:
        raise ReleaseRefused(
            f"it was gated by version {proof.policy.version} of its policy, and you require "
            f"{wanted.policy_version} or later"
        )
    pinned = {key.id for key in publisher.reviewers}
    approved = [signer for signer in proof.approvals if signer.key in pinned]
    if pinned and len(approved) < MIN_APPROVALS:
        raise ReleaseRefused(
            f"{len(approved)} of the reviewers whom you name approved, and {MIN_APPROVALS} must"
        )


def _present(contents: Sequence[tuple[str, str]] | None) -> list[ContentFile] | None:
    """What lies beside a release's statements, but for its signature."""
    if contents is None:
        return None
    if len({name for name, _ in contents}) != len(contents):
        raise ReleaseRefused("two files of the release have the same name")
    return [ContentFile(name, digest) for name, digest in contents if name != SIGNATURE]


def _publisher(name: str, settings: PublisherSettings) -> Publisher:
    if not settings.keys and settings.require != "none":
        raise SigningError(
            f"no key of {name}'s is named, so nothing can be proven to be theirs",
            hint=f'[publishers.{name}] keys = ["~/{name}.pub"]',
        )
    keys, reviewers = (tuple(map(_key, files)) for files in (settings.keys, settings.reviewers))
    return Publisher(name, settings, keys, reviewers)


def _key(file: str) -> PublicKey:
    return read_public_key(Path(file).expanduser())


def _read_feed(file: str) -> bytes:
    path = Path(file).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ReleaseRefused(f"the feed of advisories {path} can't be read: {why}") from error
