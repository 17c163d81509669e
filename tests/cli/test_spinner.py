import anyio
import pytest

from isthmus.cli import console
from isthmus.cli.spinner import spinning


@pytest.fixture
def begun(monkeypatch):
    """What was shown, and whether it was wiped away."""
    events = []

    class Status:
        def __init__(self, text):
            self.text = text

        def __enter__(self):
            events.append(str(self.text))

        def __exit__(self, *_):
            events.append("wiped")

    monkeypatch.setattr(console.stderr(), "status", Status)
    return events


def wait(for_s, patience_s):
    async def work():
        with spinning("loading [m]\x1b", patience_s):
            await anyio.sleep(for_s)
        await anyio.sleep(0.05)

    anyio.run(work)


def test_a_long_wait_is_shown_and_wiped_away(begun):
    wait(0.05, patience_s=0.01)
    assert begun == ["loading [m]\\x1b", "wiped"]


def test_a_short_wait_is_not_shown(begun):
    wait(0, patience_s=0.03)
    assert begun == []


def test_it_is_wiped_away_where_the_wait_fails(begun):
    async def work():
        with spinning("loading", 0.01):
            await anyio.sleep(0.05)
            raise ValueError

    with pytest.raises(ValueError):
        anyio.run(work)
    assert begun == ["loading", "wiped"]
