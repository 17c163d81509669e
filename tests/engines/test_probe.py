import json

import pytest

from isthmus.engines import probe as probing
from isthmus.engines import probe_speed, probe_worker
from isthmus.engines.builds import INSTALLED, Stamp
from isthmus.engines.probe import describe, probe, thread_counts
from isthmus.engines.probe_failure import Failed, how_it_ended
from isthmus.engines.probe_speed import Speed, Work, measure
from isthmus.machine import Cpu
from isthmus.store.gguf import GgufHeader
from isthmus.trust import verify
from tests.engines.fake_builds import fake_package, fake_program
from tests.store.samples import gguf_bytes

TWO_CORES = Cpu("some processor", 2, 4)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "weights.gguf"
    path.write_bytes(gguf_bytes())
    with verify(path) as verified:
        assert isinstance(verified.header, GgufHeader)
        yield verified


@pytest.fixture
def quiet(monkeypatch):
    """Nothing else runs on the machine, as far as anyone can tell."""
    monkeypatch.setattr(Work, "others_since", lambda self, before: 0.0)


def shown():
    seen = []
    return seen, seen.append


# ---------------------------------------------------------------- what it is


def test_the_installed_build_says_what_it_is():
    described = describe(INSTALLED)
    assert described.version
    assert "CPU" in described.devices or described.devices
    assert described.features


def test_a_package_says_what_it_was_built_for(tmp_path):
    build = fake_package(tmp_path / "cu128", version="2.0")
    trial = probe(build, None, TWO_CORES, lambda progress: None)
    assert trial.works
    assert trial.tried == ("it loads",)
    assert trial.stamp == Stamp.of(build)
    assert (trial.build.version, trial.build.device) == ("2.0", "cuda")
    assert trial.build.instructions == ("SSE3", "AVX512", "REPACK")
    assert trial.build.seconds is None


def test_a_program_says_what_it_is(tmp_path):
    assert probe(fake_program(tmp_path), None, TWO_CORES, lambda progress: None).build.version == "11549"
    with_gpu = probe(fake_program(tmp_path, "cuda"), None, TWO_CORES, lambda progress: None)
    assert with_gpu.build.device == "cuda"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n", "ends with SIGILL"),
        ("raise ImportError('libcuda.so.1: no such file')\n", "libcuda.so.1: no such file"),
        ("import os\nos._exit(7)\n", "ends with status 7"),
        ("import time\ntime.sleep(60)\n", "says nothing for 1 s"),
        ("print('noise on stdout')\n", "works"),
        ("import os\nos.write(1, b'half a line')\nos._exit(0)\n", "is not what it should be"),
    ],
)
def test_a_package_that_can_not_be_loaded_is_a_finding(tmp_path, monkeypatch, code, verdict):
    monkeypatch.setattr(probing, "DESCRIBE_TIMEOUT_S", 1.0 if "sleep" in code else 30.0)
    trial = probe(fake_package(tmp_path / "bad", code), None, TWO_CORES, lambda progress: None)
    assert verdict in trial.verdict
    assert trial.works == (verdict == "works" or "noise" in code)


def test_a_program_that_is_missing_is_a_finding(tmp_path):
    build = fake_program(tmp_path)
    (tmp_path / "llama-server").unlink()
    trial = probe(build, None, TWO_CORES, lambda progress: None)
    assert trial.verdict.startswith("can't be started")
    assert trial.stamp is None


@pytest.mark.parametrize(
    ("status", "log", "words"),
    [
        (-4, "", "ends with SIGILL"),
        (-77, "", "ends with signal 77"),
        (3, "a\nlast words\n\n", "ends with status 3: last words"),
        (3, "", "ends with status 3"),
    ],
)
def test_endings_in_words(status, log, words):
    assert how_it_ended(status, log) == words


# ---------------------------------------------------------------- how fast it is


@pytest.mark.parametrize(
    ("cores", "threads", "device", "counts"),
    [(2, 4, None, (2, 4, 1)), (4, 4, None, (4, 3)), (1, 1, None, (1,)), (8, 16, "cuda", (8,))],
)
def test_the_numbers_of_threads_that_are_tried(cores, threads, device, counts):
    assert thread_counts(Cpu("x", cores, threads), device) == counts


def test_a_build_is_measured_and_its_best_number_of_threads_kept(tmp_path, model, quiet):
    seen, show = shown()
    trial = probe(fake_program(tmp_path / "bin"), model, TWO_CORES, show)
    assert trial.works
    assert trial.build.threads == 4
    assert trial.build.prefill_tokens_per_s == 400 + probe_speed.PREFILL_TOKENS
    assert trial.build.decode_tokens_per_s == 40
    assert trial.tried[:2] == ("it loads", "2 threads: prefill 456, decode 20 tokens/s")
    assert [progress.done for progress in seen] == [0, 0.25, 0.5, 0.75, 1]


def test_a_worker_loads_the_file_that_was_verified(tmp_path, model, quiet):
    model.path.rename(tmp_path / "elsewhere")
    measure(fake_program(tmp_path / "bin"), model, 2)
    given = json.loads((tmp_path / "bin" / "llama-server.given").read_text())
    assert given["head"] == "GGUF"


def test_hardly_faster_is_noise():
    slower, hardly = Speed(2, 100.0, 10.0), Speed(4, 102.0, 10.2)
    assert probing._best([slower, hardly]) is slower
    assert probing._best([slower, Speed(4, 200.0, 20.0)]).threads == 4


def test_on_a_busy_machine_the_number_of_threads_is_left_open(tmp_path, model, monkeypatch):
    monkeypatch.setattr(Work, "others_since", lambda self, before: 0.5)
    trial = probe(fake_program(tmp_path / "bin"), model, TWO_CORES, lambda progress: None)
    assert trial.disturbed
    assert trial.build.threads == 0
    assert trial.build.seconds is not None
    assert len(trial.tried) == 2


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        ("dies", "ends with SIGILL"),
        ("dies later", "ends with SIGILL"),
        ("fails", "ends with status 1: error: unable to load model"),
        ("nonsense", "doesn't answer as llama.cpp does"),
        ("never ready", "takes longer than 1 s to load"),
        ("never listens", "takes longer than 1 s to load"),
    ],
)
def test_what_fails_when_it_is_measured_is_a_finding(tmp_path, model, quiet, monkeypatch, mode, verdict):
    monkeypatch.setattr(probe_worker, "LOAD_TIMEOUT_S", 1.0 if mode.startswith("never") else 30.0)
    trial = probe(fake_program(tmp_path / "bin", mode), model, TWO_CORES, lambda progress: None)
    assert trial.verdict == verdict
    assert trial.tried == ("it loads",)


def test_what_others_take_of_the_processors():
    before, after = Work(100.0, 50.0, 5.0), Work(110.0, 57.0, 9.0)
    assert after.others_since(before) == pytest.approx(0.3)
    assert before.others_since(before) == 0
    assert Work(101.0, 50.5, 9.0).others_since(before) == 0


def test_the_real_thing(tiny, monkeypatch):
    """The installed build on the tiny model: small amounts, for the path, not the figures."""
    monkeypatch.setattr(probe_speed, "PREFILL_TOKENS", 8)
    monkeypatch.setattr(probe_speed, "DECODE_TOKENS", 2)
    monkeypatch.setattr(probe_speed, "ROUNDS", 1)
    with verify(tiny) as model:
        speed = measure(INSTALLED, model, 1)
    assert speed.prefill_tokens_per_s > 0
    assert speed.decode_tokens_per_s > 0


def test_failed_is_told_to_the_caller(tmp_path, model):
    with pytest.raises(Failed, match="SIGILL"):
        measure(fake_program(tmp_path / "bin", "dies"), model, 1)
