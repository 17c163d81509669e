"""A real server on a real port, in a thread, over models that are played."""

import threading
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import anyio
import ollama
import pytest

from isthmus.engines.pool import open_pool
from isthmus.handoff.rules import Rules
from isthmus.ledger import Keys, Ledger, PendingHandoffs, open_database
from isthmus.runtime.models import Models
from isthmus.runtime.terms import Terms
from isthmus.server import listen
from isthmus.server.state import Served
from isthmus.store import Store
from tests.engines.played import budget, plan
from tests.judge import Judge
from tests.store.samples import gguf_bytes


class OneModel:
    """A loader that has one engine, which the test made, whatever is to be loaded."""

    def __init__(self, engine):
        self.engine = engine
        engine.memory_bytes = lambda: None

    async def plan(self, weights):
        return plan(1)

    async def load(self, weights, planned):
        return self.engine


@pytest.fixture
def serving(settings, tmp_path):
    """``with serving(home) as server``: its base URL, run file, keys and ledger.

    ``home`` is the one engine that answers, or a loader; the models ``names`` are in the store, the
    first of them the default.
    """

    @contextmanager
    def serve(
        home,
        *,
        names=("scripted",),
        rules=None,
        hosted=None,
        terms=None,
        max_body=2**20,
        ping_s=10.0,
        mib=10,
        **flags,
    ):
        loader = home if hasattr(home, "load") else OneModel(home)
        config = settings(**{"server__port": 0, "model": names[0], **flags})
        weights = tmp_path / "sample.gguf"
        weights.write_bytes(gguf_bytes())
        for name in names:
            Store(config.settings.home_path).add_file(weights, name)
        database = open_database(config.settings.ledger_path)
        keys, ledger = Keys(database), Ledger(database)
        ready, held = threading.Event(), SimpleNamespace()

        async def main():
            held.token = anyio.lowlevel.current_token()
            held.stop = anyio.Event()
            address = config.settings.server
            async with open_pool(loader, config.settings.engine, budget(mib)) as pool:
                models = Models(config, pool)
                service = Served(
                    models,
                    terms or Terms(rules or Rules(), hosted, Judge(), PendingHandoffs(database)),
                    ledger,
                    max_body_bytes=max_body,
                    ping_s=ping_s,
                    settings=address,
                )
                with listen.take_address(address.host, address.port, keys) as sock:
                    await listen.serve(service, sock, config.settings, keys, announce, held.stop)
                await models.close()

        def announce(run):
            held.run = run
            ready.set()

        thread = threading.Thread(target=anyio.run, args=(main,))
        thread.start()
        try:
            assert ready.wait(10)
            yield SimpleNamespace(
                url=held.run.base_url,
                port=held.run.port,
                run=held.run,
                keys=keys,
                ledger=ledger,
                settings=config.settings,
                stop=lambda: anyio.from_thread.run_sync(held.stop.set, token=held.token),
            )
        finally:
            with suppress(anyio.RunFinishedError):  # the test has stopped it
                anyio.from_thread.run_sync(held.stop.set, token=held.token)
            thread.join(10)
            database.dispose()

    return serve


@pytest.fixture
def ollama_client():
    """``ollama_client(server)``: Ollama's own Python client, unmodified; the same one for a server."""
    opened = {}

    def open_client(server, **headers):
        known = (server.port, *headers.items())
        if known not in opened:
            opened[known] = ollama.Client(host=f"http://127.0.0.1:{server.port}", headers=headers)
        return opened[known]

    yield open_client
    for each in opened.values():
        each.close()
