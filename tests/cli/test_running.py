import os
import signal
import subprocess
import sys
import textwrap

import pytest

from isthmus.cli.running import run

WAITING = """
    import time
    import anyio
    from isthmus.cli.main import COMMANDS, main
    from isthmus.cli.groups import Entry
    from isthmus.cli.running import run

    async def answer():
        try:
            print("token", flush=True)
            yield
            await anyio.sleep(60)
        finally:
            print("slot freed", flush=True)
            if {stubborn}:
                time.sleep(60)

    async def consume():
        async for _ in answer():
            pass

    def wait() -> None:
        "Wait."
        run(consume())

    COMMANDS["wait"] = Entry("__main__:wait", "Wait.")
    main(["wait"])
"""


@pytest.fixture
def waiting(tmp_path):
    """A command in the middle of an answer; ``stubborn``: one whose cleaning up hangs."""
    started = []

    def start(*, stubborn=False):
        script = tmp_path / "waiting.py"
        script.write_text(textwrap.dedent(WAITING).format(stubborn=stubborn))
        process = subprocess.Popen(
            [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "token\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_command_gives_its_result():
    async def answer():
        return 42

    assert run(answer()) == 42


def test_afterwards_interrupts_are_handled_as_before():
    async def nothing():
        return None

    before = signal.getsignal(signal.SIGINT)
    run(nothing())
    assert signal.getsignal(signal.SIGINT) is before


def test_the_first_ctrl_c_cleans_up_and_ends_with_130(waiting):
    process = waiting()
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "slot freed\n", "")


def test_a_second_ctrl_c_ends_even_what_cannot_clean_up(waiting):
    process = waiting(stubborn=True)
    os.kill(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "slot freed\n"
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
