"""What a worker sees of the files that its parent has open."""

import os
from pathlib import Path

import pytest

from isthmus.engines.lending import lent_files
from isthmus.errors import UnknownModel
from isthmus.store import Store
from isthmus.trust import verify
from tests.engines.weights import split
from tests.store.samples import projector_bytes

HAS_PROC = Path("/proc/self/fd").is_dir()


def inode(path):
    return Path(path).stat().st_ino


def test_one_file_is_lent_as_it_is(tiny):
    with verify(tiny) as model, lent_files(model) as files:
        assert files.model == [f"/proc/self/fd/{model.fd}" if HAS_PROC else str(tiny.path)]
        assert (files.projector, files.draft, files.adapters, files.fds) == ("", "", [], model.fds)


def test_a_projector_is_lent_with_its_model(tiny, tmp_path):
    eyes = tmp_path / "mmproj.gguf"
    eyes.write_bytes(projector_bytes())
    stored = Store(tmp_path / "home").add_file(tiny.path, "seeing", projector=eyes)
    with verify(stored) as model, lent_files(model) as files:
        assert Path(files.projector).read_bytes() == projector_bytes()
        assert len(files.fds) == 2


def test_pieces_have_links_by_the_names_that_llama_cpp_looks_for(tiny, tmp_path):
    pieces = split(tiny.path, tmp_path, 3)
    with verify(pieces[0]) as model, verify(tiny) as draft:
        with lent_files(model, draft) as files:
            names = [Path(path).name for path in files.model]
            assert names == [f"model-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
            assert [inode(path) for path in files.model] == [inode(path) for path in pieces]
            assert inode(files.draft) == inode(tiny.path)
            assert files.fds == (*model.fds, *draft.fds)
            folder = Path(files.model[0]).parent
            assert folder.stat().st_mode & 0o077 == 0
        assert not folder.exists()


def test_adapters_are_lent_as_they_were_checked(tiny, tmp_path):
    path, other = tmp_path / "adapter.gguf", tmp_path / "other.gguf"
    path.write_bytes(b"some")
    with verify(tiny, adapters=[str(path)]) as model:
        other.write_bytes(b"else")
        other.replace(path)
        for _ in range(2):  # a worker that falls gets the very same
            with lent_files(model) as files:
                (lent,) = files.adapters
                assert not HAS_PROC or Path(lent).read_bytes() == b"some"
        fd = files.fds[-1]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_an_adapter_that_is_not_there_is_named(tiny, tmp_path):
    with pytest.raises(UnknownModel, match="none"):
        verify(tiny, adapters=[str(tmp_path / "none.gguf")])
