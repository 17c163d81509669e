import os
from pathlib import Path

import pytest

from isthmus.errors import DigestMismatch, InvalidWeights, ModelError, StorageError, UnknownModel
from isthmus.messages import Progress
from isthmus.naming import parse_model
from isthmus.store import Store, StoredModel
from isthmus.trust import VerifiedModel, verify
from tests.store.samples import gguf_bytes

CONTENT = gguf_bytes()
CHANGED = gguf_bytes(fill=7)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "some.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def model(store, source) -> StoredModel:
    return store.add_file(source, "mine:7b")


def hashed_bytes(model: StoredModel | Path) -> int:
    """How many bytes it took to verify a model."""
    seen: list[Progress] = []
    with verify(model, on_progress=seen.append):
        return int(seen[-1].done) if seen else 0


def test_a_stored_model_is_verified_without_reading_it_all(model):
    assert hashed_bytes(model) == 0
    with verify(model) as verified:
        assert (verified.name, verified.path, verified.digest) == ("mine:7b", model.path, model.digest)
        assert verified.header.architecture == "llama"


def test_the_descriptor_is_the_file_from_its_beginning_and_read_only(model):
    with verify(model) as verified:
        assert os.fstat(verified.fd).st_ino == model.path.stat().st_ino
        assert os.read(verified.fd, len(CONTENT)) == CONTENT
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(verified.fd, b"x")
        assert not os.get_inheritable(verified.fd)


def test_the_descriptor_stays_with_what_was_checked(model):
    with verify(model) as verified:
        other = model.path.with_name("other")
        other.write_bytes(CHANGED)
        other.replace(model.path)
        assert os.read(verified.fd, len(CONTENT)) == CONTENT


def test_closing(model):
    verified = verify(model)
    assert repr(verified) == f"VerifiedModel('mine:7b', digest={model.digest!r})"
    fd = verified.fd
    verified.close()
    verified.close()
    with pytest.raises(ValueError, match="closed"):
        _ = verified.fd
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


# ---------------------------------------------------------------- changed files


def test_a_touched_file_is_hashed_once_more_and_trusted_again(store, model):
    os.utime(model.path)
    assert hashed_bytes(model) == len(CONTENT)
    renewed = store.require(parse_model("mine:7b"))
    assert renewed.proof != model.proof
    assert hashed_bytes(renewed) == 0


def test_a_copied_store_is_hashed_once_more(model, tmp_path):
    moved = Store(tmp_path / "moved")
    for path in model.home.rglob("*"):
        if path.is_file():
            target = moved.home / path.relative_to(model.home)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert hashed_bytes(moved.require(parse_model("mine:7b"))) == len(CONTENT)
    assert hashed_bytes(moved.require(parse_model("mine:7b"))) == 0


def test_a_store_that_cannot_be_written_is_hashed_at_every_load(model, monkeypatch):
    def refuse(self: Store, model: StoredModel, proof: object) -> None:
        raise StorageError("read-only file system")

    monkeypatch.setattr(Store, "renew_proof", refuse)
    os.utime(model.path)
    assert hashed_bytes(model) == len(CONTENT)
    assert hashed_bytes(model) == len(CONTENT)


def test_changed_bytes_are_refused_even_with_the_old_modification_time(model, source):
    status = model.path.stat()
    model.path.write_bytes(CHANGED)
    os.utime(model.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DigestMismatch, match="the weights of mine:7b have been changed") as caught:
        verify(model)
    assert caught.value.hint == f"isthmus rm mine:7b && isthmus pull {source} --name mine:7b"


def test_a_pulled_model_is_pulled_again_by_its_name(store, source):
    model = store.add_file(source, "mine:7b")
    manifest = store.home / "models" / "mine" / "7b.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"file:", b"hf:"))
    model.path.write_bytes(CHANGED)
    with pytest.raises(DigestMismatch) as caught:
        verify(store.require(parse_model("mine:7b")))
    assert caught.value.hint == "isthmus rm mine:7b && isthmus pull mine:7b"


def test_a_file_of_another_length_is_refused_without_hashing(model):
    os.truncate(model.path, 100)
    with pytest.raises(DigestMismatch, match=f"they have 100 bytes, not {len(CONTENT):,}"):
        verify(model, on_progress=lambda progress: pytest.fail("hashed"))


def test_weights_that_are_gone(model):
    model.path.unlink()
    with pytest.raises(UnknownModel):
        verify(model)


def test_refused_weights_are_closed(model):
    before = len(list(Path("/dev/fd").iterdir()))
    model.path.write_bytes(CHANGED)
    with pytest.raises(DigestMismatch):
        verify(model)
    assert len(list(Path("/dev/fd").iterdir())) == before


# ---------------------------------------------------------------- a person's own file


def test_of_a_persons_own_file_nothing_is_pinned(source):
    verified = verify(source)
    assert isinstance(verified, VerifiedModel)
    with verified:
        assert (verified.name, verified.path, verified.digest) == ("some.gguf", source, None)
        assert os.read(verified.fd, 4) == b"GGUF"


def test_what_is_wrong_with_a_file_is_said(source, tmp_path):
    os.truncate(source, len(CONTENT) - 1)
    with pytest.raises(InvalidWeights, match="cut short"):
        verify(source)
    with pytest.raises(UnknownModel, match="there is no file"):
        verify(tmp_path / "absent.gguf")
    with pytest.raises(ModelError):
        verify(tmp_path)
