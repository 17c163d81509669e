"""Several processes at one store: adding, replacing, removing, loading, checking, collecting."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isthmus.naming import parse_model
from isthmus.store.store import Store
from isthmus.store.upkeep import check, collect
from tests.conftest import ROOT
from tests.store.samples import gguf_bytes, split_gguf
from tests.store.use_store import require_named_blobs


@pytest.fixture
def sources(tmp_path) -> Path:
    """Two models in a file each, the same bytes in a third, and a split model."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for name, fill in (("a", 1), ("b", 2), ("copy-of-a", 1)):
        (folder / f"{name}.gguf").write_bytes(gguf_bytes(fill=fill))
    split_gguf(folder, 2)
    return folder


def start(store: Store, sources: Path, seed: int, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.use_store", *map(str, (store.home, sources, seed, rounds))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_leave_a_store_whole(store, sources):
    users = [start(store, sources, seed, 40) for seed in range(4)]
    for user in users:
        _, complaint = user.communicate(timeout=120)
        assert user.returncode == 0, complaint
    require_named_blobs(store)
    report = check(store)
    assert (report.damage, report.leftovers) == ((), ()), "what loses its last name goes at once"
    named = {path for model in store.models() for path in model.paths}
    assert set(store.blobs.iterdir()) == named
    assert all(path.suffix == ".lock" for path in store.partial.iterdir())


def test_killed_processes_leave_no_manifest_without_its_weights(store, sources):
    for seed in range(4):
        user = start(store, sources, seed, 100_000)
        assert user.stdout is not None
        assert user.stdout.readline() == "begun\n"
        time.sleep(0.03 + 0.04 * seed)
        user.send_signal(signal.SIGKILL)
        user.communicate()
        require_named_blobs(store)
        assert check(store).damage == ()
    collect(store)
    assert check(store).leftovers == ()
    model = store.add_file(sources / "a.gguf", "after")
    assert store.require(parse_model("after")) == model
