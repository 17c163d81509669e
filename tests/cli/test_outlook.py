from datetime import UTC, datetime

import msgspec
import pytest

from isthmus.cli import outlook
from isthmus.cli.outlook import Line, columns, describe, look, speed
from isthmus.configuration import load
from isthmus.engines.builds import INSTALLED, WORKS, Measurements, Stamp, Trial, write_measurements
from isthmus.machine import processor
from isthmus.store import find
from tests.conftest import TINY
from tests.fit.machines import gpu, machine

STARTER = find("qwen2.5-coder:0.5b")


@pytest.fixture
def on(monkeypatch):
    def seen(*arguments, **options):
        monkeypatch.setattr(outlook, "survey", lambda home: machine(*arguments, **options))
        return look(load().settings)

    return seen


def measured(home, decode_tokens_per_s, model=STARTER.name, of=None, device=None):
    build = msgspec.structs.replace(
        INSTALLED, decode_tokens_per_s=decode_tokens_per_s, prefill_tokens_per_s=1000.0, device=device
    )
    trial = Trial(build, WORKS, Stamp.of(build))
    write_measurements(home, Measurements(of or processor.fingerprint(), model, (trial,), datetime.now(UTC)))


def test_speeds_are_assumed_until_the_engine_is_measured(on, home):
    before = on(8, 32)
    assert not before.bandwidth.measured
    measured(home, 20.0)
    after = on(8, 32)
    assert after.bandwidth.measured
    assert after.of(STARTER).tokens_per_s == pytest.approx(20.0, rel=0.01)
    assert after.of(find("qwen3:8b")).tokens_per_s < before.of(find("qwen3:8b")).tokens_per_s


@pytest.mark.parametrize("model", [None, "gone:1b"])
def test_a_measurement_of_an_unknown_model_says_nothing(on, home, model):
    measured(home, 20.0, model)
    assert not on(8, 32).bandwidth.measured


def test_a_measurement_of_another_processor_says_nothing(on, home):
    measured(home, 20.0, of="another")
    assert not on(8, 32).bandwidth.measured


def test_a_gpu_counts_once_the_engine_drives_it(on, home):
    card = gpu("NVIDIA GeForce RTX 4090", 24)
    before = on(8, 16, card)
    assert before.idle_gpus == card.name
    assert before.of(find("qwen3:32b")) is None
    measured(home, 500.0, device="cuda")
    after = on(8, 16, card)
    assert (after.idle_gpus, after.bandwidth.measured) == ("", True)
    assert after.of(find("qwen3:32b")).tokens_per_s > 8


def test_a_mac_s_gpu_counts_at_once(on):
    here = on(12, 36, gpu("Apple M3 Pro", 27, "apple", unified=True))
    assert here.idle_gpus == ""
    assert here.bandwidth.gpu > here.bandwidth.cpu


def test_a_model_that_doesnt_fit_has_no_outlook(on):
    assert on(8, 16).of(find("kimi-k2")) is None
    assert on(8, 16).of(find(TINY)) is not None


def test_the_machine_is_described_in_a_line():
    text = describe(machine(8, 32, gpu("NVIDIA H200", 141), disk_gib=100))
    assert text == (
        "8 CPU cores, 34.4 GB of memory, 27.5 GB of it free, NVIDIA H200 with 151.4 GB, "
        "107.4 GB free on the disk"
    )


@pytest.mark.parametrize(
    ("bytes_per_s", "text"),
    [(1e9, "about 6 s"), (1e8, "about 51 s"), (6.25e6, "about 13 min"), (2e5, "about 7.0 h")],
)
def test_a_time_to_fetch_is_told_as_roughly_as_it_is_known(on, bytes_per_s, text):
    candidate = on(8, 32).of(find("qwen3:8b"))
    assert columns(candidate, Line(bytes_per_s))[3] == text


def test_a_speed_is_about_so_many_tokens(on):
    assert speed(on(8, 64).of(find("qwen3:8b"))) == "about 8 tokens/s"
    assert speed(on(1, 64).of(find("llama3.3:70b"))) == "under 1 token/s"
