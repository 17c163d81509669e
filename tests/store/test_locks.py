import signal
import subprocess
import sys
import threading

import anyio
import pytest

from isthmus.errors import StorageError
from isthmus.store.locks import exclusive, exclusive_async, exclusive_now

HOLDER = """
import sys, time
from pathlib import Path
from isthmus.store.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_only_one_holds_the_lock(tmp_path):
    order: list[str] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with exclusive(tmp_path / "lock"):
            order.append("second")

    with exclusive(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        started.wait()
        thread.join(timeout=0.05)
        assert thread.is_alive()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_waiting_is_told_and_a_killed_holder_frees_the_lock(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        told: list[int] = []

        def while_waiting() -> None:
            told.append(1)
            holder.send_signal(signal.SIGKILL)

        async def wait() -> None:
            with anyio.fail_after(10):
                async with exclusive_async(path, while_waiting):
                    pass

        anyio.run(wait)
    assert told


def test_a_free_lock_costs_no_waiting(tmp_path):
    async def take_twice() -> None:
        for _ in range(2):
            async with exclusive_async(tmp_path / "new" / "lock", lambda: pytest.fail("it is free")):
                pass

    anyio.run(take_twice)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError), exclusive(tmp_path / "file" / "lock"):
        pass


def test_a_lock_that_is_held_is_not_waited_for(tmp_path):
    path = tmp_path / "lock"
    with exclusive_now(path) as first, exclusive_now(path) as second:
        assert (first, second) == (True, False)
    with exclusive_now(path) as again:
        assert again
