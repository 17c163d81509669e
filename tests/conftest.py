"""What all tests stand on: no network but loopback, homes of their own, the tiny model."""

import ipaddress
import os
import signal
import socket
from pathlib import Path

import anyio
import hypothesis
import pytest

from isthmus.configuration import Configuration, load
from isthmus.sandbox import unavailable
from isthmus.store import CATALOGUE, Store, StoredModel, find, pull
from tests.clients import close_all

TINY = "smollm2:135m"
ROOT = Path(__file__).parent.parent

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_works():
    """A shell that starts the tests in the background has them, and their children, ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_open_clients():
    """Close the clients that a test opened."""
    yield
    close_all()


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Refuse any connection that leaves this machine, and say so."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(address):
        if isinstance(address, tuple):
            host = address[0]
            try:
                local = ipaddress.ip_address(host).is_loopback
            except ValueError:
                local = host == "localhost"
            if not local:
                pytest.fail(f"a test tried to reach {host}")

    def guarded(self, address):
        check(address)
        return connect(self, address)

    def guarded_ex(self, address):
        check(address)
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    """No test sees the settings, the models or the variables of whoever runs it."""
    for variable in list(os.environ):
        if variable.startswith(("ISTHMUS_", "HF_")) or variable in {"FORCE_COLOR", "NO_COLOR", "COLUMNS"}:
            monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ISTHMUS_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture(scope="session")
def sandboxes():
    """A machine on which sandboxes run; one that decides about a change must be."""
    if (why := unavailable()) is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{why.message} ({why.hint})")


@pytest.fixture(scope="session")
def tiny() -> StoredModel:
    """The tiny model, fetched once as a person would fetch it, and kept beside the checkout."""
    return fetched(TINY)


@pytest.fixture(scope="session")
def starter() -> StoredModel:
    """The starter model, for tests that need an answer that makes sense."""
    return fetched("qwen2.5-coder:0.5b")


def fetched(name: str) -> StoredModel:
    entry = find(name)
    assert entry is not None, f"{name} is not one of {[each.name for each in CATALOGUE]}"

    async def fetch() -> StoredModel:
        return await pull(
            entry,
            Store(ROOT / ".cache" / "isthmus"),
            offline=False,
            hf_endpoint="https://huggingface.co",
            on_progress=lambda progress: None,
            on_notice=lambda notice: None,
        )

    return anyio.run(fetch)


@pytest.fixture
def tiny_home(tiny, tmp_path) -> Path:
    """A home of the test's own that holds the tiny model."""
    home = tmp_path / "home"
    Store(home).add_file(tiny.path, TINY, lambda progress: None)
    return home


@pytest.fixture
def settings(tmp_path):
    """The settings as a test starts with them; flags change them."""

    def make(**flags) -> Configuration:
        return load(flags={name.replace("__", "."): value for name, value in flags.items()})

    return make
