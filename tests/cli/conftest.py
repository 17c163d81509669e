"""The command line, as a person at a plain terminal calls it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from isthmus.cli.main import main
from isthmus.ledger import Ledger, open_database
from tests.ledger.conftest import empty_ledger
from tests.ledger.samples import question

__all__ = ["empty_ledger"]


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of models and ledger, as the root's conftest sets it."""
    return tmp_path / "home"


@pytest.fixture
def isthmus(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """The command line, called in this process."""

    def run(*words: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        return Outcome(ended.value.code or 0, out, err)

    return run


@pytest.fixture
def record(home: Path, empty_ledger: Path) -> Callable[..., None]:
    """Writes a question into the ledger that the commands read."""
    path = home / "ledger.sqlite3"

    def write(**changes: Any) -> None:
        if not path.exists():
            home.mkdir(exist_ok=True)
            shutil.copy(empty_ledger, path)
        engine = open_database(path)
        Ledger(engine).record([question(**changes)])
        engine.dispose()

    return write
