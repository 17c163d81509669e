import errno
import hashlib
import os
from pathlib import Path

import pytest

from isthmus.errors import DigestMismatch, StorageError
from isthmus.messages import Progress
from isthmus.store.hashing import hash_file, stage_file

CONTENT = os.urandom(5 << 20)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def no_links(monkeypatch):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)


def test_hashes_the_whole_file_and_says_how_far_it_is(source):
    seen: list[int] = []
    hashed = hash_file(source, seen.append)
    assert hashed.digest == hashlib.sha256(CONTENT).hexdigest()
    assert seen == [4 << 20, 5 << 20]
    assert hashed.proof.size == 5 << 20


def test_a_file_that_changes_while_it_is_read_has_no_hash(source):
    def meddle(done: int) -> None:
        os.truncate(source, done)

    with pytest.raises(DigestMismatch, match="was changed while it was read"):
        hash_file(source, meddle)


def test_a_missing_file_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="no such file"):
        hash_file(tmp_path / "absent")


def test_stages_by_a_link_where_it_can(source, tmp_path):
    progress: list[Progress] = []
    hashed = stage_file(source, tmp_path / "staged", "mine", progress.append)
    assert (tmp_path / "staged").samefile(source)
    assert hashed.digest == hashlib.sha256(CONTENT).hexdigest()
    assert progress[-1] == Progress("checking mine", 5 << 20, 5 << 20)


def test_stages_by_a_copy_where_it_must(source, tmp_path, no_links):
    progress: list[Progress] = []
    (tmp_path / "staged").write_bytes(b"what a killed process left")
    hashed = stage_file(source, tmp_path / "staged", "mine", progress.append)
    assert (tmp_path / "staged").read_bytes() == CONTENT
    assert not (tmp_path / "staged").samefile(source)
    assert hashed == hash_file(tmp_path / "staged")
    assert progress[-1] == Progress("copying mine", 5 << 20, 5 << 20)


def test_a_copy_that_does_not_fit_is_refused_before_it_begins(source, tmp_path, no_links, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000})())
    with pytest.raises(StorageError, match="5,242,880 bytes"):
        stage_file(source, tmp_path / "staged", "mine", None)
    assert not (tmp_path / "staged").exists()
