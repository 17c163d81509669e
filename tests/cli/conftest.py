"""The command line, as a person at a plain terminal calls it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from isthmus.cli.main import main


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
