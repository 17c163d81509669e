import os

import pytest

from isthmus.naming import parse_model
from isthmus.store.manifest import FileProof
from isthmus.store.store import Store
from tests.store.samples import gguf_bytes


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    return path


def test_a_proof_notices_any_write(file):
    before = FileProof.of(file.stat())
    status = file.stat()
    file.write_bytes(b"54321")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # the writer covers its tracks
    after = FileProof.of(file.stat())
    assert after.mtime_ns == before.mtime_ns
    assert after != before


def test_renaming_keeps_the_content(file):
    before = FileProof.of(file.stat())
    file = file.rename(file.with_name("y"))
    assert FileProof.of(file.stat()).same_content(before)
    file.write_bytes(b"123456")
    assert not FileProof.of(file.stat()).same_content(before)


def test_the_command_that_fetches_the_weights_again(store: Store, tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(gguf_bytes())
    store.add_file(path, "mine")
    assert store.require(parse_model("mine")).pull_command == f"isthmus pull {path} --name mine"
