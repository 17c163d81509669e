"""The whole path on real parts: commands as a person types them, the tiny model, real HTTP, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import openai
import psutil
import pytest

from isthmus.ledger import Ledger, open_database
from isthmus.server import run_file
from isthmus.store import Store
from tests.clients import opened

from .conftest import TINY

HARD = "Ann has 12 apples, Bob 7, Cy 9; how many in total, if each eats 2, and then half are sold?"


def isthmus(*words, home, **more):
    """A command, run to its end."""
    environment = {**os.environ, "ISTHMUS_HOME": str(home)}
    options = {"stdin": subprocess.DEVNULL} if "input" not in more else {}
    return subprocess.run(
        [sys.executable, "-m", "isthmus", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
        **more,
    )


@contextmanager
def started(*words, home):
    """A command, while it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "isthmus", *words],
        env={**os.environ, "ISTHMUS_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def serving(home, *words):
    """A server, once it is ready, with its run file."""
    with started("serve", "-m", TINY, "--port", "0", *words, home=home) as process:
        wait_until(lambda: run_file.read(home / "server.json") or process.poll() is not None, 60)
        run = run_file.read(home / "server.json")
        assert run is not None, process.stderr.read()
        process.run = run
        yield process


def client(run, key="none"):
    return opened(openai.OpenAI(base_url=run.base_url, api_key=key, max_retries=0))


def wait_until(condition, within_s=10.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def worker_of(process):
    (worker,) = psutil.Process(process.pid).children()
    return worker


def rows(home):
    database = open_database(home / "ledger.sqlite3")
    try:
        return Ledger(database).questions(50)
    finally:
        database.dispose()


def settings_file(text):
    Path("isthmus.toml").write_text(text)


# ---------------------------------------------------------------- ask


def test_ask_streams_an_answer_and_leaves_a_row(tiny_home):
    done = isthmus("ask", "-m", TINY, "--max-tokens", "8", "Say", "hello", home=tiny_home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
    assert [(row.source, row.target, row.outcome) for row in rows(tiny_home)] == [
        ("ask", "local", "complete")
    ]


@pytest.mark.starter
def test_the_starter_model_names_paris(starter, tmp_path):
    home = tmp_path / "home"
    Store(home).add_file(starter.path, starter.name, lambda progress: None)
    done = isthmus("ask", "What is the capital of France?", home=home)
    assert "Paris" in done.stdout, done.stderr


def test_ask_prints_one_object_for_programs(tiny_home):
    done = isthmus(
        "ask", "-m", TINY, "--max-tokens", "4", "--json", "--seed", "1", "Say hello", home=tiny_home
    )
    answer = json.loads(done.stdout)
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["finish_reason"] == "length"
    assert answer["decision"]["reason"] == "mode_off"
    assert answer["timings"]["tokens_per_s"] > 0
    assert set(answer) >= {"text", "reasoning", "usage", "timings", "route", "decision", "cost_usd"}


def test_ask_reads_standard_input_as_context(tiny_home):
    notes = "The secret word is zebra. " * 20
    words = ("ask", "-m", TINY, "--max-tokens", "2", "--json", "What is it?")
    with_notes = json.loads(isthmus(*words, home=tiny_home, input=notes).stdout)
    without = json.loads(isthmus(*words, home=tiny_home, input="").stdout)
    assert with_notes["usage"]["prompt_tokens"] > without["usage"]["prompt_tokens"] + 80


def test_a_file_that_no_store_knows_can_be_asked(tiny, tmp_path):
    path = tmp_path / "some.gguf"
    path.symlink_to(tiny.path)
    done = isthmus("ask", "--model", str(path), "--max-tokens", "2", "hi", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr


def test_ctrl_c_stops_an_answer_with_130_and_leaves_no_worker(tiny_home):
    with started("ask", "-m", TINY, "--max-tokens", "1500", "Count to a thousand", home=tiny_home) as process:
        assert process.stdout.read(1)
        worker = worker_of(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "Traceback" not in process.stderr.read()
    wait_until(lambda: not worker.is_running())
    assert rows(tiny_home)[0].outcome == "cancelled"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("ask", "-m", "qwen9:1b", "hi"), 4, "qwen9:1b"),
        (("ask", "-m", "./nothing.gguf", "hi"), 4, "nothing.gguf"),
        (("ask", "-m", "./page.gguf", "hi"), 4, "page.gguf"),
        (("ask", "-m", "./cut.gguf", "hi"), 4, "of 98,362,432 bytes"),
        (("ask", "--effort", "colossal", "hi"), 3, "colossal"),
        (("ask",), 2, "there is no question"),
    ],
)
def test_what_goes_wrong_is_one_sentence_with_the_documented_code(tiny, tmp_path, words, code, says):
    Path("page.gguf").write_text("<!DOCTYPE html><html>Not found</html>")
    Path("cut.gguf").write_bytes(tiny.path.read_bytes()[:5_000_000])
    done = isthmus(*words, home=tmp_path / "home")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_bad_toml_is_an_error_with_its_line(tmp_path):
    settings_file('model = "x"\n[handoff\n')
    done = isthmus("ask", "hi", home=tmp_path / "home")
    assert done.returncode == 3
    assert "line 2" in done.stderr


# ---------------------------------------------------------------- serve


def test_the_openai_client_streams_and_a_killed_worker_cuts_no_answer_into_a_whole_one(tiny_home):
    with serving(tiny_home) as server:
        api = client(server.run)
        stream = api.chat.completions.create(
            model=TINY,
            messages=[{"role": "user", "content": "Count to a thousand"}],
            stream=True,
            max_tokens=1500,
        )
        assert next(stream).choices
        first = worker_of(server)
        first.send_signal(signal.SIGKILL)
        with pytest.raises(openai.APIError, match="in the middle"):
            list(stream)
        answer = api.chat.completions.create(
            model=TINY, messages=[{"role": "user", "content": "hi"}], max_tokens=4
        )
        assert answer.choices[0].finish_reason in ("stop", "length")
        assert worker_of(server).pid != first.pid
        # The server writes its rows together, moments after their answers.
        deadline = time.monotonic() + 10
        while len(rows(tiny_home)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert {row.outcome for row in rows(tiny_home)} == {"cut", "complete"}


def test_ask_goes_through_a_running_server_of_the_same_person(tiny_home):
    with serving(tiny_home) as server:
        isthmus("key", "create", "laptop", home=tiny_home)
        began = worker_of(server).create_time()
        done = isthmus("ask", "-m", TINY, "--max-tokens", "4", "hi", home=tiny_home)
        assert done.returncode == 0, done.stderr
        assert worker_of(server).create_time() == began
        assert [row.source for row in rows(tiny_home)] == ["ask"]


def test_a_server_that_is_local_only_makes_ask_local_only(tiny_home):
    with serving(tiny_home) as server:
        assert not server.run.local_only
    settings_file("[handoff]\nlocal_only = true\n")
    with serving(tiny_home):
        settings_file(
            '[handoff]\nmode = "always"\nprovider = "big"\n'
            '[providers.big]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
        )
        words = ("ask", "-m", TINY, "--max-tokens", "2", "--json", "--handoff", "always", "hi")
        answer = json.loads(isthmus(*words, home=tiny_home).stdout)
    assert answer["decision"]["reason"] == "local_only"


def test_a_server_that_is_told_to_stop_cleans_up(tiny_home):
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 0)):
        with serving(tiny_home) as server:
            worker = worker_of(server)
            server.send_signal(number)
            assert server.wait(15) == code
        assert not worker.is_running()
        assert not (tiny_home / "server.json").exists()


def test_a_taken_port_is_one_clear_sentence(tiny_home):
    with serving(tiny_home) as server:
        port = str(server.run.port)
        done = isthmus("serve", "-m", TINY, "--port", port, home=tiny_home)
    assert done.returncode == 10
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


def test_a_public_address_is_refused_without_a_key(tiny_home):
    done = isthmus("serve", "-m", TINY, "--host", "0.0.0.0", "--port", "0", home=tiny_home)
    assert done.returncode == 10
    assert "isthmus key create" in done.stderr


# ---------------------------------------------------------------- hand-off, to a second Isthmus


def test_a_second_isthmus_answers_what_looks_hard_and_the_ledger_shows_both(tiny_home, tiny, tmp_path):
    with serving(tiny_home) as hosted:
        settings_file(
            f"""
            [handoff]
            mode = "auto"
            provider = "big"
            [providers.big]
            base_url = "{hosted.run.base_url}"
            model = "{TINY}"
            key_env = "BIG_KEY"
            input_usd_per_mtok = 1
            output_usd_per_mtok = 2
            """
        )
        os.environ["BIG_KEY"] = hosted.run.key
        try:
            home = tmp_path / "second"
            words = ("ask", "-m", str(tiny.path), "--max-tokens", "3", "--json")
            easy = json.loads(isthmus(*words, "Say hello", home=home).stdout)
            hard = json.loads(isthmus(*words, HARD, home=home).stdout)
        finally:
            del os.environ["BIG_KEY"]
    assert (easy["route"], hard["route"]) == ("local", "hosted")
    assert hard["provider"] == "big"
    usage = hard["usage"]
    assert float(hard["cost_usd"]) == pytest.approx((usage["prompt_tokens"] + 2 * 3) / 1e6)
    left, stayed = rows(home)
    assert (stayed.target, stayed.sent_digest, left.target) == ("local", None, "hosted")
    assert left.sent_bytes > len(HARD)


def test_a_hosted_side_that_is_gone_gives_the_local_answer_with_a_notice(tiny_home):
    settings_file(
        '[handoff]\nmode = "always"\nprovider = "big"\n[providers.big]\nbase_url = "http://127.0.0.1:9/v1"\n'
        'model = "m"\ninput_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n'
    )
    done = isthmus("ask", "-m", TINY, "--max-tokens", "3", "hi", home=tiny_home)
    assert done.returncode == 0
    assert done.stdout.strip()
    assert "can't be reached: connection refused" in done.stderr
