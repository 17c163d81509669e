"""``isthmus pull`` from a loopback server that speaks the Hub's API, as a person would call it."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.store import Store
from isthmus.store.part import Part, fetched_bytes
from tests.store.repository import Repository
from tests.store.samples import Hub, gguf_bytes, projector_bytes, running_hub

SMALL, LARGE = gguf_bytes(fill=1), gguf_bytes(fill=2) + bytes(10_000)


@pytest.fixture
def hubs(monkeypatch) -> Iterator[tuple[Hub, Hub]]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with running_hub() as hub, running_hub() as network:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub, network


@pytest.fixture
def repository(hubs) -> Repository:
    return Repository(*hubs, {"tiny-Q4_K_M.gguf": SMALL, "tiny-Q8_0.gguf": LARGE})


@pytest.mark.parametrize(
    "words",
    [
        ("hf:maker/Tiny-GGUF",),
        ("hf.co/maker/Tiny-GGUF:q4_k_m",),
        ("https://huggingface.co/maker/Tiny-GGUF", "--quant", "q4_k_m"),
        ("https://huggingface.co/maker/Tiny-GGUF/blob/main/tiny-Q4_K_M.gguf",),
    ],
)
def test_a_model_of_the_hub_however_it_is_written(isthmus, home, repository, words):
    pulled = isthmus("pull", *words)
    assert (pulled.code, pulled.out) == (0, "")
    assert "tiny:q4_k_m is here" in pulled.err
    (model,) = Store(home).models()
    assert model.path.read_bytes() == SMALL


def test_which_was_chosen_is_said(isthmus, repository):
    assert "note: Q4_K_M of maker/Tiny-GGUF" in isthmus("pull", "hf:maker/Tiny-GGUF").err


def test_a_model_can_be_given_a_name(isthmus, home, repository):
    assert isthmus("pull", "hf:maker/Tiny-GGUF:Q8_0", "--name", "mine:8").code == 0
    assert [model.name for model in Store(home).models()] == ["mine:8"]


def test_a_gated_repository_wants_the_token_of_the_environment(isthmus, repository, monkeypatch):
    repository.token = "hf_secret"
    refused = isthmus("pull", "hf:maker/Tiny-GGUF:Q8_0")
    assert refused.code == 5
    assert "it answers 401" in refused.err
    assert "export HF_TOKEN=..." in refused.err
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pulled = isthmus("--debug", "pull", "hf:maker/Tiny-GGUF:Q8_0")
    assert pulled.code == 0
    assert "hf_secret" not in pulled.err + isthmus("config", "show").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("hf:maker/Tiny-GGUF:Q5_0",), 4, "on offer are Q4_K_M, Q8_0"),
        (("hf:maker/Nothing",), 4, "there is no repository maker/Nothing"),
        (("hf:maker",), 2, "doesn't name a repository"),
        (("maker/Tiny-GGUF",), 4, "hint: isthmus pull hf:maker/Tiny-GGUF\n"),
        (("s3:maker/Tiny-GGUF",), 4, "nothing here fetches s3: models"),
        (("http://example.com/x.gguf",), 2, "not encrypted"),
        (("smollm2:135m", "--quant", "Q8_0"), 4, "no Q8_0 of smollm2:135m"),
        (("./x.gguf", "--quant", "Q8_0"), 2, "is one file"),
    ],
)
def test_mistakes_are_told(isthmus, repository, words, code, said):
    ended = isthmus("pull", *words)
    assert ended.code == code
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_offline_what_is_here_is_here(isthmus, repository, hubs, monkeypatch):
    isthmus("pull", "hf:maker/Tiny-GGUF:Q8_0")
    hubs[0].requests.clear()
    monkeypatch.setenv("ISTHMUS_OFFLINE", "true")
    assert isthmus("pull", "hf:maker/Tiny-GGUF:Q8_0").code == 0
    assert isthmus("pull", "hf:maker/Tiny-GGUF:Q4_K_M").code == 5
    assert hubs[0].requests == []


# ---------------------------------------------------------------- interruptions


HUGE = gguf_bytes() + random.Random(1).randbytes(40 << 20)
"""Three ranges."""


def holes_of(part: Path) -> int:
    """How many bytes are missing; those that count as there are checked to be so."""
    content = part.read_bytes()
    with Part(part, len(HUGE), lambda done: None) as opened:
        gaps = opened.gaps()
    held = [gaps[each - 1].end if each else 0 for each in range(len(gaps) + 1)]
    for start, end in zip(held, [*(gap.start for gap in gaps), len(HUGE)], strict=True):
        assert content[start:end] == HUGE[start:end], "a byte counts as there that isn't"
    return sum(gap.end - gap.start for gap in gaps)


def test_a_pull_that_is_killed_at_any_moment_goes_on(hubs, home):
    _, network = hubs
    repository = Repository(*hubs, {"tiny-Q4_K_M.gguf": HUGE})
    repository.send = lambda request: request.serve(HUGE, bytes_per_s=5e6)
    command = [sys.executable, "-m", "isthmus", "pull", "hf:maker/Tiny-GGUF:Q4_K_M"]
    part = home / "partial" / f"sha256-{hashlib.sha256(HUGE).hexdigest()}.part"
    missing = len(HUGE)
    for kill in range(3):
        begun = len(network.requests)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as victim:
            while len(network.requests) == begun and victim.poll() is None:
                time.sleep(0.01)
            time.sleep(random.uniform(0, 1.5))
            while kill == 2 and fetched_bytes(part) == len(HUGE) - missing and victim.poll() is None:
                time.sleep(0.01)  # the last kill spares something new
            victim.send_signal(signal.SIGKILL)
        before, missing = missing, holes_of(part) if part.exists() else missing
        assert missing <= before
    assert 0 < missing < len(HUGE)
    repository.send = lambda request: request.serve(HUGE)
    begun = len(network.requests)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (model,) = Store(home).models()
    assert model.path.read_bytes() == HUGE
    asked = sum((each.end or 0) - (each.start or 0) for each in network.requests[begun:])
    assert asked == missing, "what was there is not fetched again"
    assert fetched_bytes(part) == 0


def test_ctrl_c_ends_a_pull_at_once(hubs, home):
    repository = Repository(*hubs, {"tiny-Q4_K_M.gguf": HUGE})
    repository.send = lambda request: request.serve(HUGE, bytes_per_s=1e6)
    command = [sys.executable, "-m", "isthmus", "pull", "hf:maker/Tiny-GGUF:Q4_K_M"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as victim:
        while not hubs[1].requests and victim.poll() is None:
            time.sleep(0.01)
        time.sleep(0.3)
        victim.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, err = victim.communicate(timeout=20)
    assert victim.returncode == 130
    assert time.monotonic() - begun < 5
    assert "Traceback" not in err


# ---------------------------------------------------------------- models that see


def test_a_repository_brings_the_projector(isthmus, home, hubs):
    Repository(*hubs, {"tiny-Q4_K_M.gguf": SMALL, "mmproj-F16.gguf": projector_bytes()})
    assert isthmus("pull", "hf:maker/Tiny-GGUF").code == 0
    (model,) = Store(home).models()
    assert model.path.read_bytes() == SMALL
    assert model.projector_path is not None
    assert model.projector_path.read_bytes() == projector_bytes()
    assert "seen" in isthmus("show", "tiny:q4_k_m").out
    assert "is here" in isthmus("pull", "hf:maker/Tiny-GGUF").err


def test_what_is_called_a_projector_and_is_none_is_refused(isthmus, home, hubs):
    Repository(*hubs, {"tiny-Q4_K_M.gguf": SMALL, "mmproj-F16.gguf": LARGE})
    pulled = isthmus("pull", "hf:maker/Tiny-GGUF")
    assert pulled.code != 0
    assert "mmproj-F16.gguf is no projector of images" in pulled.err
    assert Store(home).models() == []


def test_a_file_is_given_its_projector(isthmus, home, tmp_path):
    weights, eyes = tmp_path / "tiny.gguf", tmp_path / "mmproj-tiny.gguf"
    weights.write_bytes(SMALL)
    eyes.write_bytes(projector_bytes())
    assert isthmus("pull", str(weights), "--projector", str(eyes)).code == 0
    (model,) = Store(home).models()
    assert model.projector_path is not None
    assert model.projector_path.samefile(eyes)
    refused = isthmus("pull", "hf:maker/Tiny-GGUF", "--projector", str(eyes))
    assert (refused.code, "--projector is for a GGUF file" in refused.err) == (2, True)
