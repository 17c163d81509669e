import os
import signal
import threading

import anyio
import pytest

from isthmus.cli.running import run
from isthmus.cli.stopping import stoppable


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_stops_what_is_inside_and_nothing_else():
    async def work():
        freed = False
        with stoppable() as scope:
            try:
                press()
                await anyio.sleep(10)
            finally:
                freed = True
        await anyio.sleep(0)
        return freed, scope.cancelled_caught

    assert run(work()) == (True, True)


def test_afterwards_ctrl_c_ends_the_command_again():
    reached = []

    async def work():
        with stoppable() as scope:
            pass
        reached.append(scope.cancelled_caught)
        press()
        await anyio.sleep(10)
        reached.append("beyond")

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert reached == [False]


def test_a_second_ctrl_c_ends_the_command_while_the_first_cleans_up():
    async def work():
        with stoppable():
            try:
                press()
                await anyio.sleep(10)
            finally:
                press()
                await anyio.sleep(0)
        await anyio.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        run(work())


def test_errors_pass_and_the_handler_goes_back():
    async def work():
        outer = signal.getsignal(signal.SIGINT)
        with pytest.raises(ZeroDivisionError), stoppable():
            _ = 1 / 0
        return signal.getsignal(signal.SIGINT) is outer

    assert run(work())


def test_where_interrupts_are_ignored_they_stay_ignored(monkeypatch):
    async def work():
        with stoppable() as scope:
            press()
            await anyio.sleep(0.05)
        return scope.cancelled_caught

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(work()) is False
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_does_no_harm_in_another_thread():
    done = []

    async def work():
        with stoppable():
            await anyio.sleep(0)
        done.append(True)

    thread = threading.Thread(target=lambda: anyio.run(work))
    thread.start()
    thread.join()
    assert done == [True]
