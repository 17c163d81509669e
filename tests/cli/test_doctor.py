import json
import sys

import pytest

from isthmus.cli import doctor
from isthmus.engines import builds, installing
from isthmus.engines.builds import engines_folder
from isthmus.engines.neighbours import Neighbour
from isthmus.engines.recipes import Recipe
from tests.engines.fake_builds import fake_package, fake_server

OLLAMA = Neighbour("ollama", "Ollama", "http://127.0.0.1:11434/v1", True, ("qwen3:8b",))
RECIPE = Recipe("wide", "faster", ("xllamacpp==1.0",), 1000, ("-DX=ON",))
PIP = """
import pathlib, sys
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1])
(target / "xllamacpp").mkdir(parents=True)
(target / "xllamacpp" / "__init__.py").write_text({code!r})
"""
SPEAKS = """
__version__ = "1.0"
def get_device_info(): return []
def get_system_info(): return "AVX512 = 1"
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No runner, no key, no llama-server, no better build, but for those that a test puts there."""
    monkeypatch.setattr(doctor, "find_neighbours", lambda user: [])
    monkeypatch.setattr(doctor, "recipes", lambda machine, version: [])
    monkeypatch.setattr(builds.shutil, "which", lambda name: None)
    for variable in doctor.PROVIDERS:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Puts a script in pip's place that makes a package with such code, and a recipe for it."""

    def play(code=SPEAKS):
        script = tmp_path / "pip.py"
        script.write_text(PIP.format(code=code))
        monkeypatch.setattr(installing, "PIP", (sys.executable, str(script)))
        monkeypatch.setattr(installing, "POLL_S", 0.02)
        monkeypatch.setattr(installing, "missing_tools", lambda recipe: [])
        monkeypatch.setattr(doctor, "missing_tools", lambda recipe: [])
        monkeypatch.setattr(doctor, "recipes", lambda machine, version: [RECIPE])

    return play


def test_a_machine_without_models(isthmus, home):
    told = isthmus("doctor")
    assert told.code == 0
    for label in ("CPU:", "Instructions:", "Memory:", "GPU:", "Disk:", "Sandbox:"):
        assert label in told.out
    assert "installed is used: nothing has been measured yet." in told.out
    assert "isthmus pull smollm2:135m && isthmus doctor" in told.out
    assert "probing installed" in told.err
    assert (home / "engines.json").is_file()
    again = isthmus("doctor")
    assert again.out.splitlines()[7:] == told.out.splitlines()[7:]
    assert "probing" not in again.err
    assert "probing" in isthmus("doctor", "--refresh").err


def test_for_programs(isthmus, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setattr(doctor, "find_neighbours", lambda user: [OLLAMA])
    outcome = isthmus("doctor", "--json")
    told = json.loads(outcome.out)
    assert told["builds"][0]["verdict"] == "works"
    assert told["used"] == "installed"
    assert told["keys"] == ["OPENAI_API_KEY"]
    assert told["runners"][0]["models"] == ["qwen3:8b"]
    assert told["machine"]["cpu"]["cores"] >= 1
    assert {"text", "why", "do"} == set(told["advice"][0])
    assert "sk-secret" not in outcome.out + outcome.err


def test_it_explains_itself(isthmus, monkeypatch):
    plain, explained = isthmus("doctor"), isthmus("doctor", "--explain")
    assert len(explained.out) > len(plain.out)
    assert "What was tried, each in a process of its own:" in explained.out
    assert "installed: it loads" in explained.out
    assert "chosen by measurement" in explained.out


def test_a_build_that_dies_is_a_finding(isthmus, home):
    fake_package(engines_folder(home) / "amx", "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    told = isthmus("doctor")
    assert told.code == 0
    assert "ends with SIGILL" in told.out
    assert f"rm -r {engines_folder(home) / 'amx'}" in told.out
    assert "installed is used" in told.out


def test_a_llama_server_on_the_path_and_the_tiny_model(isthmus, tiny_home, tmp_path, monkeypatch):
    """All the way: the fake server claims to be fast, so it is chosen."""
    program = fake_server(tmp_path / "bin")
    monkeypatch.setattr(builds.shutil, "which", lambda name: str(program))
    monkeypatch.setattr("isthmus.engines.probe_speed.PREFILL_TOKENS", 30_000)
    monkeypatch.setattr("isthmus.engines.probe.thread_counts", lambda cpu, device: (50,))
    monkeypatch.setattr(
        "isthmus.engines.examination.find_builds",
        lambda home: [build for build in builds.find_builds(home) if build.kind == "program"],
    )
    told = isthmus("doctor")
    assert told.code == 0
    assert "llama-server is used: the only one that was measured." in told.out
    assert "500 tokens/s" in told.out
    assert builds.chosen(tiny_home, "auto").path == str(program)


def test_a_build_that_the_settings_name_and_that_is_not_here(isthmus, monkeypatch):
    monkeypatch.setenv("ISTHMUS_ENGINE_BUILD", "cuda")
    told = isthmus("doctor")
    assert told.code == 0
    assert "there is no build named 'cuda'" in told.out


def test_a_home_that_can_not_be_written(isthmus, home, monkeypatch):
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file")
    told = isthmus("doctor")
    assert told.code == 0
    assert "what was measured can't be kept" in told.err


# ---------------------------------------------------------------- --install


def test_a_build_is_installed_tried_out_and_listed(isthmus, home, pip):
    pip()
    assert "isthmus doctor --install" in isthmus("doctor").out
    told = isthmus("doctor", "--install")
    assert told.code == 0
    assert "building wide" in told.err
    assert "wide" in told.out.split("VERDICT")[1]
    assert "isthmus doctor --install" not in told.out


def test_a_build_that_was_made_and_dies_is_an_error(isthmus, home, pip):
    pip("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    told = isthmus("doctor", "--install")
    assert told.code == 6
    assert "wide was made, but ends with SIGILL" in told.err
    assert f"hint: rm -r {engines_folder(home) / 'wide'}" in told.err


def test_nothing_to_install(isthmus):
    told = isthmus("doctor", "--install")
    assert told.code == 0
    assert "no build that would suit this machine better" in told.err


def test_offline_nothing_is_installed(isthmus, pip, monkeypatch):
    pip()
    monkeypatch.setenv("ISTHMUS_OFFLINE", "true")
    told = isthmus("doctor", "--install")
    assert told.code == 5
    assert "offline is on (ISTHMUS_OFFLINE)" in told.err
