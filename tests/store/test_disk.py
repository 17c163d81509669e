import errno
from pathlib import Path

import pytest

from isthmus.errors import StorageError
from isthmus.store.disk import require_space, storage_errors, write_atomically


def test_a_full_disk_is_said_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000})())
    require_space(tmp_path, 1_000, "tiny")
    with pytest.raises(StorageError) as caught:
        require_space(tmp_path, 1_001, "tiny")
    assert caught.value.message == f"tiny needs 1,001 bytes in {tmp_path}, and 1,000 are free"
    assert "ISTHMUS_HOME" in caught.value.hint


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_running_out_of_space_is_said_as_such(tmp_path, number):
    with pytest.raises(StorageError, match="there is no space left for"), storage_errors(tmp_path):
        raise OSError(number, "No space left on device")


def test_other_errors_keep_their_reason(tmp_path):
    with pytest.raises(StorageError, match="can't be used: read-only file system"), storage_errors(tmp_path):
        raise OSError(errno.EROFS, "Read-only file system")


def test_a_write_replaces_the_whole_file_and_makes_its_folders(tmp_path):
    path = tmp_path / "a" / "b.json"
    write_atomically(path, b"first, and longer")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_bytes_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a" / "b.json"
    write_atomically(path, b"old")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StorageError):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
