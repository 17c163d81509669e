import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from isthmus.ledger import Ledger, open_database

from .samples import SetClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.sqlite3"


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new ledger's file, made once: migrating one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "ledger.sqlite3"
    open_database(path).dispose()
    return path


@pytest.fixture
def engine(path: Path, empty_ledger: Path) -> Iterator[Engine]:
    path.parent.mkdir(mode=0o700)
    shutil.copy(empty_ledger, path)
    engine = open_database(path)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def ledger(engine: Engine, clock: SetClock) -> Ledger:
    return Ledger(engine, now=clock)
