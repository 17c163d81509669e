"""A real server on a real port, in a thread, over a scripted home."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import anyio
import pytest

from isthmus.handoff.policy import Rules
from isthmus.ledger import Keys, Ledger, open_database
from isthmus.runtime.answer import Runtime
from isthmus.server import listen
from isthmus.server.state import Served


@pytest.fixture
def serving(settings):
    """``with serving(home) as server``: its base URL, run file, keys and ledger."""

    @contextmanager
    def serve(home, *, rules=None, hosted=None, max_body=2**20, **flags):
        config = settings(server__port=0, **flags).settings
        database = open_database(config.ledger_path)
        keys, ledger = Keys(database), Ledger(database)
        runtime = Runtime(home, rules or Rules(), hosted=hosted, ledger=ledger)
        service = Served(runtime, Runtime(home, Rules()), max_body)
        ready, held = threading.Event(), SimpleNamespace()

        async def main():
            held.token = anyio.lowlevel.current_token()
            held.stop = anyio.Event()
            with listen.take_address(config.server.host, config.server.port, keys) as sock:
                await listen.serve(service, sock, config, keys, announce, held.stop)
            await runtime.close()

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
                settings=config,
            )
        finally:
            anyio.from_thread.run_sync(held.stop.set, token=held.token)
            thread.join(10)
            database.dispose()

    return serve
