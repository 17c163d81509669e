import errno
import hashlib
import os
import time
from pathlib import Path

import pytest

from isthmus.errors import DigestMismatch, StorageError
from isthmus.messages import Progress
from isthmus.store.hashing import hash_file, stage_file
from isthmus.store.manifest import FileProof

CONTENT = os.urandom(5 << 20)
CLOCK_TICK_S = 0.02
"""Longer than the file system's clock takes to move on."""


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


def test_a_link_that_is_made_meanwhile_is_no_change(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    readings: list[int] = []

    def link_once(done: int) -> None:
        readings.append(done)
        if len(readings) == 1:
            time.sleep(CLOCK_TICK_S)
            os.link(path, tmp_path / "y")

    hashed = hash_file(path, link_once)
    assert readings == [5, 5], "nothing proves that it was only a link, so it is read again"
    assert hashed.digest == hashlib.sha256(b"12345").hexdigest()
    assert hashed.proof == FileProof.of(path.stat())


def test_a_file_that_is_linked_again_and_again_is_given_up(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    links: list[int] = []

    def link(done: int) -> None:
        time.sleep(CLOCK_TICK_S)
        links.append(done)
        os.link(path, tmp_path / str(len(links)))

    with pytest.raises(DigestMismatch, match="was changed while it was read"):
        hash_file(path, link)
    assert len(links) == 5
