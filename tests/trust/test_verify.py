import os
import threading
from pathlib import Path

import msgspec
import pytest

from isthmus.errors import DigestMismatch, InvalidWeights, ModelError, StorageError, UnknownModel
from isthmus.messages import Progress
from isthmus.naming import parse_model
from isthmus.store import Store, StoredModel, parse_headers
from isthmus.trust import VerifiedModel, verify
from tests.store.samples import gguf_bytes, projector_bytes, split_gguf

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


# ---------------------------------------------------------------- projectors


@pytest.fixture
def seeing(store, source, tmp_path) -> StoredModel:
    eyes = tmp_path / "mmproj.gguf"
    eyes.write_bytes(projector_bytes())
    return store.add_file(source, "seeing", projector=eyes)


def test_a_projector_is_verified_with_its_model(seeing):
    assert hashed_bytes(seeing) == 0
    with verify(seeing) as verified:
        assert verified.header.sees
        assert verified.paths == seeing.paths
        assert verified.projector is not None
        assert verified.projector.path == seeing.projector_path
        fd = verified.projector.file.fileno()
        assert os.read(fd, 1 << 20) == projector_bytes()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_changed_projector_is_found_out(seeing):
    seeing.projector_path.write_bytes(projector_bytes(fill=1))
    with pytest.raises(DigestMismatch, match="changed since they were pulled"):
        verify(seeing)


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
    def refuse(self: Store, hashed: object) -> None:
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


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        ("hf:org/repo/a.gguf", "isthmus pull hf:org/repo/a.gguf --name mine:7b"),
        ("oci:host/org/repo:7b@sha256:aa", "isthmus pull oci:host/org/repo:7b@sha256:aa --name mine:7b"),
        ("ollama:org/mine:7b", "isthmus import-ollama org/mine:7b --name mine:7b"),
        ("file:/my models/a.gguf", "isthmus pull '/my models/a.gguf' --name mine:7b"),
    ],
)
def test_the_hint_fetches_the_same_weights_again(store, model, origin, command):
    model = msgspec.structs.replace(model, source=origin)
    store.manifests.write(model)
    model.path.write_bytes(CHANGED)
    with pytest.raises(DigestMismatch) as caught:
        verify(store.require(parse_model("mine:7b")))
    assert caught.value.hint == f"isthmus rm mine:7b && {command}"


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


def test_a_file_that_is_replaced_before_it_is_opened_is_refused(model, source):
    source.unlink()  # the blob has the only link
    other = model.path.with_name("other")
    other.write_bytes(CHANGED)
    other.replace(model.path)
    with pytest.raises(DigestMismatch, match="their hash is"):
        verify(model)


def test_a_file_that_is_written_to_while_it_is_opened_is_refused(model, monkeypatch):
    os.utime(model.path, (0, 0))  # so that the clock has moved on, however fast this test is

    def parse(files, paths):
        model.path.write_bytes(CHANGED)
        return parse_headers(files, paths)

    monkeypatch.setitem(verify.__globals__, "parse_headers", parse)
    with pytest.raises(DigestMismatch, match="was changed while it was read"):
        verify(model)


def test_a_link_that_is_made_meanwhile_changes_no_bytes(model, tmp_path, monkeypatch):
    def parse(files, paths):
        os.link(model.path, tmp_path / "link")
        return parse_headers(files, paths)

    monkeypatch.setitem(verify.__globals__, "parse_headers", parse)
    with verify(model) as verified:
        assert os.read(verified.fd, len(CONTENT)) == CONTENT


def test_many_loads_while_the_file_is_replaced_give_the_checked_bytes_or_none(store, model, source):
    """Another file takes the blob's place again and again; whatever is verified is the model's bytes."""
    stop = threading.Event()
    right, wrong = model.path.with_name("right"), model.path.with_name("wrong")

    def swap() -> None:
        while not stop.is_set():
            for path, content in ((wrong, CHANGED), (right, CONTENT)):
                path.write_bytes(content)
                path.replace(model.path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        given = refused = 0
        for _ in range(300):
            try:
                with verify(store.require(parse_model("mine:7b"))) as verified:
                    assert os.pread(verified.fd, len(CONTENT), 0) == CONTENT
                    given += 1
            except DigestMismatch:
                refused += 1
    finally:
        stop.set()
        thread.join()
    assert given + refused == 300


# ---------------------------------------------------------------- split models


@pytest.fixture
def split(store, tmp_path) -> StoredModel:
    return store.add_file(split_gguf(tmp_path / "split", 3)[0], "big")


def test_all_files_of_a_split_model_are_opened_and_checked(split):
    with verify(split, on_progress=lambda progress: pytest.fail("hashed")) as verified:
        assert verified.paths == split.paths
        assert verified.fd == verified.fds[0]
        assert [os.read(fd, 1 << 16) for fd in verified.fds] == [path.read_bytes() for path in split.paths]
        assert verified.size_bytes == split.total_bytes
        assert verified.header.tensor_count == 4
        fds = verified.fds
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_a_changed_later_piece_is_found_and_a_touched_one_hashed_once(store, split):
    os.utime(split.paths[1])
    assert hashed_bytes(split) == split.blobs[1].size_bytes
    renewed = store.require(parse_model("big"))
    assert hashed_bytes(renewed) == 0
    renewed.paths[2].write_bytes(renewed.paths[2].read_bytes()[:-1] + b"?")
    with pytest.raises(DigestMismatch, match="the weights of big have been changed"):
        verify(renewed)


def test_a_persons_own_split_model_needs_all_its_pieces(tmp_path):
    pieces = split_gguf(tmp_path, 2)
    with verify(pieces[0]) as verified:
        assert (verified.paths, verified.digest, verified.name) == (tuple(pieces), None, pieces[0].name)
    pieces[1].unlink()
    with pytest.raises(InvalidWeights, match="is missing"):
        verify(pieces[0])


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
