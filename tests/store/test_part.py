import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import DigestMismatch, StorageError
from isthmus.store.part import Part


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "x.part"


def opened(path, total=10):
    return Part(path, total, lambda done: None)


def test_grows_at_its_end_and_outlives_its_process(path):
    with opened(path) as part:
        part.append(b"012")
        part.append(b"34")
        part.sync()
    with opened(path) as part:
        assert (part.length, part.inherited) == (5, 5)
        part.append(b"56789")
        assert (part.length, part.inherited) == (10, 5)
    assert path.read_bytes() == b"0123456789"


def test_refuses_more_bytes_than_the_file_may_have(path):
    with opened(path) as part:
        part.append(b"01234567")
        with pytest.raises(DigestMismatch, match="more than the 10 bytes"):
            part.append(b"890")
        assert part.length == 8


def test_what_is_cut_off_is_no_longer_inherited(path):
    with opened(path) as part:
        part.append(b"012345")
        part.begin_attempt()
        part.truncate(2)
        assert (part.length, part.inherited) == (2, 2)
        part.append(b"xy")
        part.truncate(3)
        assert part.inherited == 2
    assert path.read_bytes() == b"01x"


def test_an_empty_part_leaves_no_file(path):
    with opened(path) as part:
        part.append(b"0")
        part.truncate(0)
    assert not path.exists()


def test_a_part_longer_than_the_file_is_worth_nothing(path):
    path.parent.mkdir()
    path.write_bytes(b"x" * 11)
    with opened(path) as part:
        assert (part.length, part.inherited) == (0, 0)


def test_a_full_disk_is_a_storage_error(path, monkeypatch):
    with opened(path) as part:
        part.append(b"0")

        class FullDisk:
            def write(self, content: bytes) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

        file, part._file = part._file, FullDisk()
        with pytest.raises(StorageError, match="no space left"):
            part.append(b"1")
        part._file = file
        assert part.length == 1


@given(
    steps=st.lists(st.one_of(st.binary(max_size=6), st.integers(0, 20), st.none()), max_size=20),
)
def test_length_is_always_that_of_the_file(tmp_path_factory, steps):
    """Bytes are appended, a number cuts, None opens it anew: the file is what a list of bytes would be."""
    path = tmp_path_factory.mktemp("part") / "x.part"
    model = b""
    part = opened(path, total=20)
    for step in steps:
        if step is None:
            part.__exit__(None, None, None)
            part = opened(path, total=20)
        elif isinstance(step, int):
            part.truncate(min(step, part.length))
            model = model[:step]
        elif len(model) + len(step) <= 20:
            part.append(step)
            model += step
        else:
            with pytest.raises(DigestMismatch):
                part.append(step)
        assert part.length == len(model)
        assert part.inherited <= part.length
    part.__exit__(None, None, None)
    assert (path.read_bytes() if path.exists() else b"") == model
