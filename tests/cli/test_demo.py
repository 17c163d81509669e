"""The demo: what it shows is what happened, it leaves nothing behind, and its hosted side ends with it."""

import io
import os
import signal
import subprocess
import sys

import anyio
import psutil
import pytest
from rich.console import Console

from isthmus.cli import demo as demo_module
from isthmus.cli import demo_scenes
from isthmus.cli.demo import Cast, play
from isthmus.cli.demo_hosted import hosted_side
from isthmus.configuration import load
from isthmus.errors import ServerError
from isthmus.naming import parse_model
from isthmus.store import Store
from tests.conftest import ROOT, TINY

OPENING = """
import sys, anyio
from pathlib import Path
from isthmus.cli.demo_hosted import hosted_side
async def main():
    async with hosted_side(Path(sys.argv[1]), sys.argv[2]) as address:
        print(address, flush=True)
        await anyio.sleep(60)
anyio.run(main)
"""


@pytest.fixture
def screen(monkeypatch):
    """What is shown, as text."""
    written = io.StringIO()
    shown = Console(file=written, width=100, highlight=False, markup=False)
    monkeypatch.setattr(demo_scenes, "_stdout", lambda: shown)
    return written


def test_with_the_tiny_model_on_both_sides_all_of_it_happens(tiny_home, screen, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_scenes, "_TOKENS", 12)
    monkeypatch.setenv("ISTHMUS_OFFLINE", "true")
    settings = tmp_path / "work" / "isthmus.toml"
    settings.write_text('model = "nobody"\n[handoff]\nlocal_only = true\n')
    before = sorted(path.relative_to(tiny_home) for path in tiny_home.rglob("*"))
    cast = Cast(TINY, TINY)
    anyio.run(lambda: play(load(), cast, yes=True))
    shown = " ".join(screen.getvalue().split())
    for piece in (
        "1 An easy question stays at home",
        "kept at home",
        "in doubt",
        "What was asked: stays here",
        "What would leave, to 127.0.0.1",
        "<EMAIL_1>",
        "for anna.rossi@example.com",
        "would cost at most $0.0",
        "handed over: you agreed",
        "consent given",
        "looks easy",
        "the chain is whole",
    ):
        assert piece in shown, piece
    after = sorted(path.relative_to(tiny_home) for path in tiny_home.rglob("*") if "partial" not in str(path))
    assert set(after) - set(before) <= {path for path in after if path.suffix in (".lock", ".json")}
    assert not (tiny_home / "ledger.sqlite3").exists()
    assert list((tmp_path / "work").iterdir()) == [settings]


@pytest.mark.slow
@pytest.mark.starter
def test_the_real_models_are_as_far_apart_as_the_demo_wants_them(starter, screen, home):
    """Decisions and answers are the models' own; the wording may change with their builds."""
    larger = Store(ROOT / ".cache" / "isthmus").resolve(parse_model(Cast().hosted))
    if larger is None:
        pytest.skip(f"{Cast().hosted} isn't here")
    for name, model in ((Cast().home, starter), (Cast().hosted, larger)):
        Store(home).add_file(model.path, name)
    anyio.run(lambda: play(load(), Cast(), yes=True))
    shown = screen.getvalue()
    assert "The capital of France is Paris" in shown
    assert shown.index("kept at home: the question looks easy") < shown.index("in doubt: ")
    hosted = "".join(line.split("│")[3] for line in shown.splitlines() if line.count("│") == 4)
    assert "143" in hosted.split("would cost")[-1]
    assert "Anna Rossi" in shown.split("What would leave", 1)[1]


def test_the_hosted_side_comes_up_and_ends(tiny_home, tmp_path):
    home = tmp_path / "away"
    demo_module._lend(tiny_home, home)

    async def main():
        before = set(psutil.Process().children())
        async with hosted_side(home, TINY) as address:
            (child,) = set(psutil.Process().children()) - before
            assert address.startswith("http://127.0.0.1:")
            return child

    child = anyio.run(main)
    assert not child.is_running()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_demo_however_that_ends(tiny_home, tmp_path, how):
    home = tmp_path / "away"
    demo_module._lend(tiny_home, home)
    demo = subprocess.Popen(
        [sys.executable, "-c", OPENING, str(home), TINY], stdout=subprocess.PIPE, env=os.environ
    )
    assert demo.stdout.readline()
    processes = psutil.Process(demo.pid).children(recursive=True)
    assert processes
    demo.send_signal(how)
    demo.wait(20)
    demo.stdout.close()
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


def test_a_hosted_side_that_does_not_come_up_says_why(tmp_path):
    home = tmp_path / "away"
    home.mkdir()

    async def main():
        async with hosted_side(home, "no-such-model"):
            pass

    with pytest.raises(ServerError, match=r"does not come up: .*no-such-model|does not come up: hint"):
        anyio.run(main)


def test_it_needs_somebody_or_a_yes(isthmus):
    shown = isthmus("demo")
    assert shown.code == 2
    assert "hint: isthmus demo --yes" in shown.err


def test_nothing_is_fetched_without_a_yes(isthmus, monkeypatch, home):
    monkeypatch.setattr(demo_module, "can_ask", lambda: True)
    asked = []
    monkeypatch.setattr(demo_module.typer, "confirm", lambda text, **_: asked.append(text) and False)
    monkeypatch.setattr(demo_module, "play", lambda *_, **__: pytest.fail("it began"))
    assert isthmus("demo").code == 0
    assert asked == ["This fetches qwen2.5-coder:0.5b and qwen2.5-coder:1.5b, 1.6 GB. Go on?"]
