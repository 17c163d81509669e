"""Commands on a machine that has the core and no extra."""

import subprocess
import sys

import pytest

from isthmus.cli.extras import Extra

BARE = """
import sys
for module in {hidden!r}:
    sys.modules[module] = None  # as if it were not installed
from isthmus.cli.main import main
main()
"""
HIDDEN = sorted({module for each in Extra for module in each.modules})


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """The command line where no extra's module can be found."""
    monkeypatch.setenv("ISTHMUS_HOME", str(tmp_path))
    (tmp_path / "rows.jsonl").write_text("")

    def run(*words):
        return subprocess.run(
            [sys.executable, "-c", BARE.format(hidden=HIDDEN), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["bench", "list"], Extra.BENCHMARKS),
        (["bench", "run", "gsm8k"], Extra.BENCHMARKS),
        (["gate", "init", "here", "--name", "acme/reason"], Extra.GATE),
        (["gate", "status"], Extra.GATE),
        (["recommend", "--suite", "gsm8k"], Extra.BENCHMARKS),
        (["handoff", "calibrate", "--data", "rows.jsonl", "--profile", "own"], Extra.CALIBRATION),
        (["handoff", "report", "--html", "page.html"], Extra.CHARTS),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_the_missing_extra_is_named(bare, words, extra):
    ended = bare(*words)
    assert ended.returncode == 2
    assert extra.sentence in ended.stderr
    assert f"pip install 'isthmus[{extra.extra}]'" in ended.stderr


@pytest.mark.parametrize(
    "words", [["bench", "--help"], ["gate", "--help"], ["verify", "--help"], ["doctor", "--help"]]
)
def test_the_rest_needs_none(bare, words):
    ended = bare(*words)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout


def test_a_shell_that_completes_a_line_is_told_nothing(bare, monkeypatch):
    monkeypatch.setenv("_ISTHMUS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "isthmus bench run --")
    monkeypatch.setenv("COMP_CWORD", "3")
    ended = bare()
    assert "pip install" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
