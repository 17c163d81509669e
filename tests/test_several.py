"""Several models for real: workers, HTTP, signals, and a budget that holds one of the models at a time."""

import json
import os
import random
import signal
import threading
import time

import openai
import psutil
import pytest

from isthmus.store import Store

from .conftest import TINY
from .test_journey import client, isthmus, rows, serving, settings_file, wait_until, worker_of

OTHER = "other:135m"
HI = [{"role": "user", "content": "Say hello"}]
MIB = 2**20


@pytest.fixture
def two_names(tiny_home, tiny):
    """A home whose settings leave room for one of its two models at a time."""
    Store(tiny_home).add_file(tiny.path, OTHER)
    settings_file("[engine]\ncontext_length = 1024\nparallel = 4\nmemory_mb = 300\n")
    return tiny_home


def ask(run, model, **more):
    return client(run).chat.completions.create(model=model, messages=HI, **{"max_tokens": 4, **more})


def ps(home):
    return json.loads(isthmus("ps", "--json", home=home).stdout)


def test_eight_clients_of_two_models_are_all_served_under_a_budget_that_holds_one(two_names):
    answers, waits, failures = [], [], []

    def keep_asking(run, number):
        chance = random.Random(number)
        for _ in range(2):
            model = chance.choice((TINY, OTHER))
            try:
                answer = ask(run, model, stream=False)
            except openai.RateLimitError as error:
                waits.append(int(error.response.headers["retry-after"]))
            except Exception as error:  # noqa: BLE001 - looked at below
                failures.append(error)
            else:
                answers.append((model, answer.model, answer.choices[0].finish_reason))

    with serving(two_names) as server:
        clients = [threading.Thread(target=keep_asking, args=(server.run, each)) for each in range(8)]
        for each in clients:
            each.start()
        most = 0
        while any(each.is_alive() for each in clients):
            most = max(most, _taken(psutil.Process(server.pid).children()))
            time.sleep(0.2)
        assert failures == []
        assert all(each >= 1 for each in waits)
        assert len(answers) + len(waits) == 16
        assert all(asked == answered for asked, answered, _ in answers)
        assert {asked for asked, _, _ in answers} == {TINY, OTHER}
        assert most <= 300 * MIB
        loaded = ps(two_names)
        assert loaded["taken_bytes"] <= loaded["budget_bytes"] == 300 * MIB
    assert {row.outcome for row in rows(two_names)} == {"complete"}


def _taken(processes):
    total = 0
    for each in processes:
        try:
            total += each.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


def test_a_worker_that_is_killed_takes_only_its_own_answers_with_it(two_names):
    settings_file("[engine]\ncontext_length = 1024\nparallel = 4\nmemory_mb = 700\n")
    with serving(two_names) as server:
        first = worker_of(server)
        assert ask(server.run, OTHER).model == OTHER
        (other,) = [each for each in psutil.Process(server.pid).children() if each.pid != first.pid]
        long = {"stream": True, "max_tokens": 400}
        cut, whole = ask(server.run, TINY, **long), ask(server.run, OTHER, **long)
        assert next(cut).choices
        assert next(whole).choices
        os.kill(first.pid, signal.SIGKILL)
        with pytest.raises(openai.APIError, match="in the middle"):
            list(cut)
        reasons = [chunk.choices[0].finish_reason for chunk in whole if chunk.choices]
        assert reasons[-1] in ("stop", "length")
        assert ask(server.run, TINY).model == TINY
        assert other.is_running()


def test_ps_load_and_unload_from_the_command_line_and_ask_through_the_server(two_names):
    with serving(two_names) as server:
        assert [each["name"] for each in ps(two_names)["models"]] == [TINY]
        done = isthmus("load", OTHER, home=two_names)
        assert (done.returncode, done.stderr) == (0, f"{OTHER} is loaded.\n")
        assert [each["name"] for each in ps(two_names)["models"]] == [OTHER]
        worker = worker_of(server).pid
        done = isthmus("ask", "-m", OTHER, "--max-tokens", "2", "hi", home=two_names)
        assert done.returncode == 0, done.stderr
        assert worker_of(server).pid == worker
        assert isthmus("unload", OTHER, home=two_names).returncode == 0
        assert psutil.Process(server.pid).children() == []
        done = isthmus("ask", "-m", TINY, "--max-tokens", "2", "hi", home=two_names)
        assert done.returncode == 0, done.stderr
        assert [each["name"] for each in ps(two_names)["models"]] == [TINY]
        assert isthmus("load", "othre:135m", home=two_names).returncode == 4


def test_a_model_that_never_fits_is_refused_with_both_numbers(two_names):
    settings_file("[engine]\ncontext_length = 1024\nmemory_mb = 100\n")
    done = isthmus("ask", "-m", TINY, "hi", home=two_names)
    assert done.returncode == 6
    assert "models may take 100 MiB" in done.stderr
    done = isthmus("serve", "-m", TINY, "--port", "0", home=two_names)
    assert done.returncode == 6
    assert "models may take 100 MiB" in done.stderr


def test_without_a_server_there_is_nothing_to_manage(tmp_path):
    for words in (("ps",), ("load", TINY), ("unload", TINY)):
        done = isthmus(*words, home=tmp_path / "home")
        assert done.returncode == 10
        assert "hint: isthmus serve" in done.stderr


def test_a_model_goes_when_it_is_not_used(two_names):
    settings_file("[engine]\nkeep_alive_s = 1\ncontext_length = 512\n")
    with serving(two_names) as server:
        wait_until(lambda: not psutil.Process(server.pid).children())
        assert ask(server.run, TINY).model == TINY
