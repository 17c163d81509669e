import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import DigestMismatch, StorageError
from isthmus.store.part import Part, fetched_bytes, journal_path

CONTENT = b"0123456789"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "x.part"


def opened(path: Path, total: int = len(CONTENT)) -> Part:
    return Part(path, total, lambda done: None)


def there(part: Part) -> set[int]:
    missing = {each for gap in part.gaps() for each in range(*gap)}
    return set(range(part.total)) - missing


def test_bytes_come_in_any_order_and_outlive_their_process(path):
    with opened(path) as part:
        part.write(6, b"67")
        part.write(0, b"012")
        assert (part.done_bytes, part.inherited) == (5, False)
        assert part.gaps() == [(3, 6), (8, 10)]
    with opened(path) as part:
        assert (part.done_bytes, part.inherited) == (5, True)
        part.write(3, b"345")
        assert not part.complete
        part.write(8, b"89")
        assert part.complete
    assert path.read_bytes() == CONTENT


def test_the_file_is_as_long_as_the_whole_but_takes_no_room(path):
    with opened(path, total=1 << 30) as part:
        part.write(1 << 29, b"x")
        assert path.stat().st_size == 1 << 30
        assert path.stat().st_blocks * 512 < 1 << 20


def test_what_the_journal_does_not_say_is_not_there(path):
    """As after SIGKILL: the bytes may be in the file, but nothing says that they reached the disk."""
    with opened(path) as part:
        part.write(0, b"01")
        part.commit()
        part.write(2, b"23")
        assert fetched_bytes(path) == 2
        copy = path.with_name("y.part")
        copy.write_bytes(path.read_bytes())
        journal_path(copy).write_bytes(journal_path(path).read_bytes())
    with opened(copy) as part:
        assert part.gaps() == [(2, 10)]


def test_data_reaches_the_disk_before_the_journal_says_so(path, monkeypatch):
    order: list[str] = []
    with opened(path) as part:
        fsync, data = os.fsync, part._file.fileno()
        monkeypatch.setattr(
            os, "fsync", lambda handle: (order.append("data" if handle == data else "?"), fsync(handle))
        )

        class Journal:
            def write(self, line: bytes) -> None:
                order.append("journal")

        journal, part._journal = part._journal, Journal()
        part.write(0, b"0")
        part.commit()
        part.commit()
        part._journal = journal
    assert order == ["data", "journal"]


@pytest.mark.parametrize("kept", range(24))
def test_a_torn_journal_is_read_up_to_its_last_whole_line(path, kept):
    with opened(path) as part:
        part.write(0, b"0")
        part.commit()
        part.write(5, b"5")
    journal = journal_path(path)
    whole = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(whole[:-1]) + (whole[-1] * 2)[: min(kept, len(whole[-1]) - 1)])
    with opened(path) as part:
        assert there(part) == {0}


@pytest.mark.parametrize(
    "journal",
    [b"", b"?", b"\0" * 4096, b"-1 10\n", b"-1 10 00000000\n0 10 00000000\n", b"9" * 5000 + b" 1 0\n"],
)
def test_a_journal_of_nonsense_counts_for_nothing(path, journal):
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    journal_path(path).write_bytes(journal)
    with opened(path) as part:
        assert part.done_bytes == 0


def test_a_journal_of_another_length_counts_for_nothing(path):
    with opened(path, total=8) as part:
        part.write(0, b"01234567")
    with opened(path, total=10) as part:
        assert part.gaps() == [(0, 10)]


def test_a_journal_without_its_file_counts_for_nothing(path):
    with opened(path) as part:
        part.write(0, b"01")
    path.unlink()
    with opened(path) as part:
        assert part.done_bytes == 0


def test_refuses_bytes_beyond_the_end(path):
    with opened(path) as part:
        part.write(0, b"01234567")
        with pytest.raises(DigestMismatch, match="more than the 10 bytes"):
            part.write(8, b"890")
        assert part.done_bytes == 8


def test_what_is_forgotten_is_missing_for_good(path):
    with opened(path) as part:
        part.write(0, b"012345")
        part.forget(2, 4)
        assert part.gaps() == [(2, 4), (6, 10)]
    with opened(path) as part:
        assert part.gaps() == [(2, 4), (6, 10)]
        part.discard()
        assert not part.inherited
        part.write(0, b"xy")
        part.begin_attempt()
        assert part.inherited


def test_an_empty_part_leaves_no_file(path):
    with opened(path) as part:
        part.write(0, b"0")
        part.discard()
    assert list(path.parent.iterdir()) == []


def test_a_finished_part_that_was_moved_leaves_no_journal(path):
    with opened(path) as part:
        part.write(0, CONTENT)
        path.rename(path.with_name("blob"))
    assert [each.name for each in path.parent.iterdir()] == ["blob"]


def test_a_link_in_its_place_is_not_followed(path, tmp_path):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        opened(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_is_a_storage_error(path, monkeypatch):
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(path) as part:
        part.write(0, b"0")
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(StorageError, match="no space left"):
            part.write(1, b"1")
        assert there(part) == {0}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 20), st.integers(0, 20)),
        st.tuples(st.just("forget"), st.integers(0, 20), st.integers(0, 20)),
        st.tuples(st.sampled_from(("commit", "kill", "close", "discard")), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
def test_no_byte_counts_as_there_that_is_not(tmp_path_factory, steps):
    """Whatever is written, forgotten and killed: each byte that counts as there is the last one written."""
    path = tmp_path_factory.mktemp("part") / "x.part"
    held, committed = set[int](), set[int]()
    part = opened(path, total=20)
    for step, start, end in steps:
        if step == "write" and start < end:
            part.write(start, bytes(range(start, end)))
            held |= set(range(start, end))
        elif step in {"forget", "discard"}:
            gone = set(range(start, end) if step == "forget" else range(20))
            part.forget(min(start, end), end) if step == "forget" else part.discard()
            held -= gone
            committed = held.copy()  # a new journal says all that is there
        elif step == "commit":
            part.commit()
            committed = held.copy()
        elif step == "kill":
            part._file.close()
            part._journal.close()
            held = committed.copy()
            part = opened(path, total=20)
        elif step == "close":
            part.__exit__(None, None, None)
            committed = held.copy()
            part = opened(path, total=20)
        assert there(part) == held
        content = path.read_bytes()
        assert all(content[each] == each for each in held)
    part.__exit__(None, None, None)
    assert path.exists() == bool(held)
