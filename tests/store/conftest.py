import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.store import download, web
from isthmus.store.store import Store
from tests.store.samples import Hub, running_hub


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(download, "RETRY_PAUSE_S", 0.01)
    monkeypatch.setattr(web, "RETRY_PAUSE_S", 0.01)
    monkeypatch.setattr(download, "COMMIT_EVERY_S", 0)
    monkeypatch.setattr(download, "WRITE_BYTES", 1)
    with running_hub() as hub:
        yield hub


@pytest.fixture
def network() -> Iterator[Hub]:
    """Another server, to which a Hub redirects."""
    with running_hub() as network:
        yield network


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place where pip looks for wheels."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder
