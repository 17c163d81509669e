"""A person's machine for each test: an empty home, no settings, no colours forced."""

import os
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


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models and ledger; the working folder and the user's own are empty too."""
    for variable in os.environ:
        if variable.startswith("ISTHMUS_") or variable in {"FORCE_COLOR", "NO_COLOR", "COLUMNS"}:
            monkeypatch.delenv(variable)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("ISTHMUS_HOME", str(tmp_path / "home"))
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
