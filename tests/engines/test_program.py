import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from isthmus.engines.lending import lent_files
from isthmus.engines.program import arguments, environment, post_guard
from isthmus.engines.worker_config import NGRAM_DRAFT, NGRAM_LOOKUP
from isthmus.trust import verify
from tests.engines.configs import PLAIN
from tests.engines.fake_builds import fake_server
from tests.store.samples import split_gguf


def value(words, option):
    return words[words.index(option) + 1]


# ---------------------------------------------------------------- arguments


def test_the_plain_arguments():
    words = arguments(PLAIN)
    expected = {
        "--model": "/weights.gguf",
        "--alias": "mine:7b",
        "--host": "127.0.0.1",
        "--port": "0",
        "--ctx-size": "4096",
        "--parallel": "8",
        "--cache-ram": "512",
        "--log-verbosity": "2",
    }
    assert {option: value(words, option) for option in expected} == expected
    assert {"--no-webui", "--no-slots", "--kv-unified", "--no-context-shift", "--jinja"} <= set(words)


def test_the_environment_holds_the_key_and_none_of_the_persons_own_words(monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "7")
    told = environment(PLAIN)
    assert told["LLAMA_API_KEY"] == PLAIN["key"]
    assert {name for name in told if name.startswith("LLAMA_")} == {"LLAMA_API_KEY"}


def test_weights_are_read_by_the_words_of_old_and_new_versions():
    told = environment({**PLAIN, "map_weights": False})
    assert (told["LLAMA_ARG_LOAD_MODE"], told["LLAMA_ARG_NO_MMAP"]) == ("none", "1")


def test_what_is_left_to_the_engine_is_not_named():
    words = set(arguments(PLAIN))
    assert not words & {
        *(
            "--batch-size",
            "--threads",
            "--threads-batch",
            "--n-gpu-layers",
            "--n-cpu-moe",
            "--flash-attn",
            "--cache-type-k",
        ),
        *("--spec-type", "--model-draft", "--lora", "--chat-template"),
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batch_tokens": 64}, ["--batch-size", "64"]),
        ({"threads": 6}, ["--threads", "6", "--threads-batch", "6"]),
        ({"gpu_layers": 0}, ["--n-gpu-layers", "0", "--fit", "off"]),
        ({"gpu_layers": 20}, ["--n-gpu-layers", "20", "--fit", "off"]),
        ({"cpu_expert_layers": 12}, ["--n-cpu-moe", "12"]),
        ({"flash_attention": "on"}, ["--flash-attn", "on"]),
        ({"kv_type": "q8_0"}, ["--cache-type-k", "q8_0", "--cache-type-v", "q8_0"]),
        (
            {"speculation": "ngram"},
            [
                *("--spec-type", "ngram-simple"),
                *(
                    "--spec-ngram-simple-size-n",
                    str(NGRAM_LOOKUP),
                    "--spec-ngram-simple-size-m",
                    str(NGRAM_DRAFT),
                ),
            ],
        ),
        (
            {"speculation": "draft", "draft": "/small.gguf"},
            ["--spec-type", "draft-simple", "--model-draft", "/small.gguf"],
        ),
        ({"adapters": ["/a.gguf", "/b.gguf"]}, ["--lora", "/a.gguf", "--lora", "/b.gguf"]),
        (
            {"pooling": "mean", "text_tokens": 512},
            ["--embeddings", "--batch-size", "512", "--ubatch-size", "512", "--pooling", "mean"],
        ),
        (
            {"pooling": "own", "text_tokens": 512},
            ["--embeddings", "--batch-size", "512", "--ubatch-size", "512"],
        ),
        ({"projector": "/eyes.gguf"}, ["--mmproj", "/eyes.gguf"]),
        (
            {"projector": "/eyes.gguf", "gpu_layers": 0},
            ["--mmproj", "/eyes.gguf", "--no-mmproj-offload", "--n-gpu-layers", "0", "--fit", "off"],
        ),
        ({"chat_template": "{{ messages }}"}, ["--chat-template", "{{ messages }}"]),
    ],
)
def test_each_setting_has_its_option(changes, expected):
    words = arguments({**PLAIN, **changes})
    assert " ".join(expected) in " ".join(words)
    assert len(words) == len(arguments(PLAIN)) + len(expected)


def test_the_key_is_nowhere_in_the_arguments():
    assert not any(PLAIN["key"] in word for word in arguments(PLAIN))


# ---------------------------------------------------------------- a life


@pytest.fixture
def start():
    """Starts a worker that is the program; all that is left at the end is killed."""
    started = []

    def run(program, environment=None, **changes):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "isthmus.engines.program", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        started.append(process)
        process.stdin.write(json.dumps({**PLAIN, **changes}).encode() + b"\n")
        process.stdin.flush()
        return process

    yield run
    for process in started:
        for each in (process.stdin, process.stdout, process.stderr):
            each.close()
        process.kill()
        process.wait()


def given(program):
    return json.loads(program.with_suffix(".given").read_text())


def soon(condition, within_s=10.0):
    """Whether something comes true in a while."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def gone(pid):
    def ended():
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return soon(ended)


def test_it_answers_where_it_says_and_only_with_the_key(start, tmp_path):
    program = fake_server(tmp_path)
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"GGUF")
    process = start(program, {"LLAMA_ARG_HOST": "0.0.0.0"}, model=[str(weights)], threads=1)
    address = json.loads(process.stdout.readline())["address"]
    assert address.startswith("http://127.0.0.1:")
    request = urllib.request.Request(
        f"{address}/completion", b'{"prompt": []}', {"Authorization": f"Bearer {PLAIN['key']}"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert json.load(response)["timings"]["predicted_per_second"] == 10
    told = given(program)
    assert told["head"] == "GGUF"
    assert PLAIN["key"] not in " ".join(told["argv"])
    assert told["environ"]["LLAMA_API_KEY"] == PLAIN["key"]
    assert "LLAMA_ARG_HOST" not in told["environ"]
    assert told["environ"]["GOMP_SPINCOUNT"] == "10000"


def test_it_inherits_open_weights(start, tmp_path):
    program = fake_server(tmp_path)
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"GGUF")
    with weights.open("rb") as file:
        weights.unlink()
        os.set_inheritable(file.fileno(), True)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "isthmus.engines.program", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(file.fileno(),),
        )
        with process:
            config = {**PLAIN, "model": [f"/proc/self/fd/{file.fileno()}"]}
            process.stdin.write(json.dumps(config).encode() + b"\n")
            process.stdin.flush()
            assert process.stdout.readline()
            assert given(program)["head"] == "GGUF"


def test_it_loads_a_split_model(tmp_path):
    program = fake_server(tmp_path / "bin")
    with verify(split_gguf(tmp_path, 3)[0]) as model, lent_files(model) as files:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "isthmus.engines.program", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=files.fds,
        )
        with process:
            process.stdin.write(json.dumps({**PLAIN, "model": files.model}).encode() + b"\n")
            process.stdin.flush()
            assert process.stdout.readline()
    told = given(program)
    assert told["head"] == "GGUF"
    assert told["beside"] == [f"model-{number:05}-of-00003.gguf" for number in (1, 2, 3)]


def test_it_ends_with_its_parents_end_of_the_pipe(start, tmp_path):
    program = fake_server(tmp_path)
    process = start(program)
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(10) == 0
    assert gone(given(program)["pid"])


def test_it_ends_with_its_parent_while_it_loads(start, tmp_path):
    program = fake_server(tmp_path, "never ready")
    process = start(program)
    assert soon(program.with_suffix(".given").exists)
    process.stdin.close()
    assert process.wait(10) == 0
    assert gone(given(program)["pid"])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a guard does it")
def test_the_program_does_not_outlive_a_killed_worker(start, tmp_path):
    program = fake_server(tmp_path)
    process = start(program)
    process.stdout.readline()
    process.kill()
    assert gone(given(program)["pid"])


def test_elsewhere_a_guard_kills_the_program_when_the_worker_is_gone():
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    guard = post_guard(program.pid)
    assert program.poll() is None
    guard.stdin.close()  # as the kernel does for a process that is killed
    assert program.wait(10) == -signal.SIGKILL
    guard.wait(10)


def test_an_illegal_instruction_is_passed_on(start, tmp_path):
    process = start(fake_server(tmp_path, "dies"))
    assert process.stdout.readline() == b""
    assert process.wait(10) == -signal.SIGILL


def test_a_program_that_can_not_load_says_why(start, tmp_path):
    process = start(fake_server(tmp_path, "fails"))
    assert process.wait(10) == 1
    assert b"error: unable to load model" in process.stderr.read()


def test_no_program_at_all(start, tmp_path):
    process = start(tmp_path / "nothing")
    assert process.wait(10) == 3
    assert b"can't be started" in process.stderr.read()
