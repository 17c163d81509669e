"""What a folder holds, to the last file: names and digests, and how Model Signing states them.

A release is its folder: a file more is as much a change as a byte. Links are refused, since what they lead to
can change without them, and so is what Git keeps beside files, which other tools pass over.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from isthmus.errors import ReleaseRefused, SignatureInvalid, StorageError, UnknownModel
from isthmus.messages import Progress
from isthmus.signing import ResourceDescriptor, Statement
from isthmus.store import hash_open_file, reporter
from isthmus.store.disk import storage_errors
from isthmus.trust.origin import ContentFile

PREDICATE = "https://model_signing/signature/v1.0"
OnProgress = Callable[[Progress], None]


def contents_of(folder: Path, on_progress: OnProgress | None = None) -> tuple[ContentFile, ...]:
    """Hash all files of a folder, in the order of their names.

    Raises:
        UnknownModel: There is no such folder, or nothing is in it.
        ReleaseRefused: It holds a link, or something else that isn't a plain file.
        DigestMismatch: Someone wrote to a file meanwhile.
        StorageError: A file can't be read.
    """
    names = list_names(folder)
    if not names:
        raise UnknownModel(f"there are no files in {folder}")
    return hash_members(folder, names, on_progress)


def hash_members(
    folder: Path, names: Sequence[str], on_progress: OnProgress | None = None
) -> tuple[ContentFile, ...]:
    """Hash some files of a folder.

    Raises:
        ReleaseRefused: One is a link, or isn't a plain file.
        DigestMismatch: Someone wrote to one meanwhile.
        StorageError: One can't be read.
    """
    with storage_errors(folder):
        total = sum((folder / name).lstat().st_size for name in names)
    tell = reporter(on_progress, f"checking {folder.name or folder}", total)
    found: list[ContentFile] = []

    def on_bytes(count: int) -> None:
        if tell is not None:
            tell(sum(file.size_bytes for file in found) + count)

    for name in names:
        found.append(hash_member(folder, name, on_bytes))  # noqa: PERF401 - what is found so far is told
    return tuple(found)


def list_names(folder: Path) -> list[str]:
    """The files of a folder and of those inside it, by name, in Model Signing's order.

    Raises:
        UnknownModel: There is no such folder.
        ReleaseRefused: It holds a link, or something else that isn't a plain file.
        StorageError: It can't be read.
    """
    if not folder.is_dir():
        raise UnknownModel(f"there is no folder {folder}")
    names: list[str] = []
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError as error:
            raise StorageError(f"{folder} can't be read: {(error.strerror or '').lower()}") from error
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                names.append(Path(entry.path).relative_to(folder).as_posix())
            else:
                raise ReleaseRefused(f"{entry.path} is a link, or no plain file: a release holds neither")
    return sorted(names, key=_order)


def hash_member(folder: Path, name: str, on_bytes: Callable[[int], None] | None = None) -> ContentFile:
    """Hash one file of a folder, which must not be a link.

    Raises:
        ReleaseRefused: It is one, or isn't a plain file.
        DigestMismatch: Someone wrote to it meanwhile.
        StorageError: It can't be read.
    """
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise StorageError(f"{path} can't be read: {(error.strerror or '').lower()}") from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ReleaseRefused(f"{path} is no plain file")
        hashed = hash_open_file(file, path, on_bytes)
    return ContentFile(name, hashed.digest, status.st_size)


def contents_digest(files: Iterable[ContentFile]) -> str:
    """One digest for files and their names: that of what ``sha256sum`` prints of them, in their order."""
    lines = (f"{file.sha256}  {file.name}\n" for file in sorted(files, key=lambda file: _order(file.name)))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def require_same(promised: Iterable[ContentFile], found: Iterable[ContentFile], what: str) -> None:
    """Make sure that files are those that were promised: none changed, none missing, none more.

    Raises:
        ReleaseRefused: They aren't; the first difference is named.
    """
    wanted = {file.name: file.sha256 for file in promised}
    there = {file.name: file.sha256 for file in found}
    for name, digest in there.items():
        if name not in wanted:
            raise ReleaseRefused(f"{name} is not part of {what}: nothing vouches for it")
        if digest != wanted[name]:
            raise ReleaseRefused(f"{name} has been changed: it isn't the file of {what}")
    if missing := sorted(set(wanted) - set(there)):
        raise ReleaseRefused(f"{missing[0]} is missing: it is part of {what}")


# ---------------------------------------------------------------- as Model Signing states it


class _Serialization(Struct, frozen=True):
    method: str = "files"
    hash_type: str = "sha256"
    allow_symlinks: bool = False
    ignore_paths: tuple[str, ...] = ()


class _Resource(Struct, frozen=True):
    name: str
    algorithm: str
    digest: str


class _Predicate(Struct, frozen=True):
    serialization: _Serialization
    resources: tuple[_Resource, ...]


def state_contents(name: str, files: Sequence[ContentFile], signature: str) -> Statement:
    """Model Signing's statement of a folder's files; ``signature`` is the one file that isn't among them."""
    files = sorted(files, key=lambda file: _order(file.name))
    predicate = _Predicate(
        _Serialization(ignore_paths=(signature,)),
        tuple(_Resource(file.name, "sha256", file.sha256) for file in files),
    )
    return Statement.of([ResourceDescriptor(name, {"sha256": _root(files)})], PREDICATE, predicate)


def stated_contents(statement: Statement) -> tuple[ContentFile, ...]:
    """The files that a statement of Model Signing's names.

    Raises:
        SignatureInvalid: It is none, contradicts itself, or was made in a way that isn't read here.
    """
    predicate = statement.read_as(PREDICATE, _Predicate)
    made, resources = predicate.serialization, predicate.resources
    if (made.method, made.hash_type, made.allow_symlinks) != ("files", "sha256", False):
        raise SignatureInvalid(
            "it isn't over whole files by SHA-256 without links, which is all that is read"
        )
    files = tuple(ContentFile(each.name, each.digest) for each in resources)
    if len({file.name for file in files}) != len(files) or any(
        each.algorithm != "sha256" for each in resources
    ):
        raise SignatureInvalid("it names a file twice, or by something other than SHA-256")
    if unsafe := [file.name for file in files if not _is_inside(file.name)]:
        raise SignatureInvalid(f"it names a file that isn't inside the folder: {unsafe[0][:80]}")
    if len(statement.subject) != 1 or statement.subject[0].digest.get("sha256") != _root(files):
        raise SignatureInvalid("its digest isn't that of the files it names")
    return files


def _root(files: Sequence[ContentFile]) -> str:
    """Model Signing's digest of a folder: that of its files' digests in order, without their names."""
    try:
        return hashlib.sha256(b"".join(bytes.fromhex(file.sha256) for file in files)).hexdigest()
    except ValueError as error:
        raise SignatureInvalid("it holds a digest that is none") from error


def _order(name: str) -> list[str]:
    return name.split("/")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and path.as_posix() == name and not path.is_absolute() and ".." not in path.parts
