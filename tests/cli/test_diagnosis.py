from datetime import UTC, datetime

import msgspec
import pytest

from isthmus.cli.diagnosis import Advice, Facts, advise, because
from isthmus.engines.builds import INSTALLED, EngineBuild, Trial, engines_folder
from isthmus.engines.neighbours import Neighbour
from isthmus.engines.recipes import recipes
from isthmus.errors import SandboxUnavailable, SettingsError
from isthmus.machine import Cpu, Gpu, Machine
from isthmus.sandbox.probe import Bubblewrap

GIB = 1 << 30
MACHINE = Machine("Linux", "x86_64", Cpu("x", 4, 4, ("AVX2",)), 16 * GIB, 8 * GIB, 99 * GIB)
RTX = Gpu("nvidia", "RTX 3060", 12 * GIB, 11 * GIB, driver="570.1", architecture="8.6")
MEASURED = msgspec.structs.replace(INSTALLED, prefill_tokens_per_s=100.0, decode_tokens_per_s=10.0)
OLLAMA = Neighbour("ollama", "Ollama", "http://127.0.0.1:11434/v1", True, ("big-cloud", 'qwen"3:8b'))


@pytest.fixture
def facts(settings):
    """Facts of a healthy machine, but for what is changed."""

    def make(flags=None, **changes):
        plain = Facts(
            machine=MACHINE,
            trials=(Trial(MEASURED, "works", None),),
            model="smollm2:135m",
            measured=datetime.now(UTC),
            used=MEASURED,
            recipe=None,
            missing=(),
            neighbours=(),
            keys=(),
            configuration=settings(**(flags or {})),
            sandbox=Bubblewrap("/usr/bin/bwrap", "0.11.0", b"", None),
        )
        return msgspec.structs.replace(plain, **changes)

    return make


def only(facts) -> Advice:
    (advice,) = advise(facts)
    assert advice.why
    return advice


def test_a_healthy_machine_needs_no_advice(facts):
    assert advise(facts()) == []


# ---------------------------------------------------------------- builds


def test_why_a_build_is_used(facts):
    assert because(facts()) == "the only one that was measured"
    assert because(facts(trials=(Trial(MEASURED, "works", None),) * 2)) == "the fastest that was measured"
    assert because(facts(used=INSTALLED)) == "nothing has been measured yet"
    named = because(facts({"engine__build": "installed"}))
    assert named == "engine.build names it (flag engine.build)"


def test_a_build_that_dies(facts):
    folder = engines_folder(facts().home) / "avx512"
    build = msgspec.structs.replace(INSTALLED, name="avx512", path=str(folder))
    dead = Trial(build, "ends with SIGILL", None)
    advice = only(facts(trials=(Trial(MEASURED, "works", None), dead)))
    assert advice.text == "the build avx512 ends with SIGILL"
    assert "instruction" in advice.why
    assert advice.do == f"rm -r {folder}"


def test_somebody_elses_program_is_not_to_be_removed(facts):
    build = EngineBuild("llama-server", "program", "/usr/bin/llama-server")
    advice = only(facts(trials=(Trial(MEASURED, "works", None), Trial(build, "ends with status 1", None))))
    assert advice.do == ""


def test_a_build_that_the_settings_name_and_that_is_not_here(facts):
    problem = SettingsError("engine.build: there is no build named 'x'", hint="isthmus doctor")
    assert only(facts(used=problem)).text == problem.message


def test_no_model(facts):
    assert only(facts(model=None)).do == "isthmus pull smollm2:135m && isthmus doctor"


def test_a_better_build(facts):
    machine = msgspec.structs.replace(MACHINE, gpus=(RTX,))
    advice = only(facts(machine=machine, recipe=recipes(machine, "1.2")[0]))
    assert "cu128: it would use the RTX 3060" in advice.text
    assert advice.do == "isthmus doctor --install"
    assert "pip install --no-deps --target" in advice.why


def test_a_better_build_that_takes_a_compiler_first(facts):
    machine = msgspec.structs.replace(MACHINE, cpu=Cpu("x", 4, 4, ("AVX2", "AVX512")))
    advice = only(facts(recipe=recipes(machine, "1.2")[0], missing=("a C++ compiler", "cmake")))
    assert advice.text.endswith("; making it takes a C++ compiler and cmake")
    assert advice.do.endswith("&& isthmus doctor --install")


def test_a_gpu_that_nothing_drives(facts):
    old = msgspec.structs.replace(RTX, driver="470.1")
    advice = only(facts(machine=msgspec.structs.replace(MACHINE, gpus=(old,))))
    assert advice.text == "nothing here uses the RTX 3060 (driver 470.1)"


def test_a_gpu_that_is_driven(facts):
    driving = Trial(msgspec.structs.replace(MEASURED, device="cuda"), "works", None)
    assert advise(facts(machine=msgspec.structs.replace(MACHINE, gpus=(RTX,)), trials=(driving,))) == []


def test_a_busy_machine(facts):
    advice = only(facts(trials=(Trial(MEASURED, "works", None, (), 0.62),)))
    assert "62%" in advice.text
    assert advice.do == "isthmus doctor --refresh"


# ---------------------------------------------------------------- room, settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"disk_free_bytes": GIB}, "1.1 GB are free on the disk"),
        ({"available_bytes": GIB // 2}, "536.9 MB of memory are available"),
    ],
)
def test_little_room(facts, changes, words):
    assert words in only(facts(machine=msgspec.structs.replace(MACHINE, **changes))).text


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"engine__threads": 9}, "engine.threads is 9, and 4 can run at once (flag engine.threads)"),
        (
            {"engine__memory_mb": 64_000},
            "engine.memory_mb allows 67.1 GB, and there are 17.2 GB (flag engine.memory_mb)",
        ),
        ({"offline": True}, "offline is on (flag offline)"),
    ],
)
def test_settings_that_are_in_the_way(facts, flags, text):
    assert only(facts(flags)).text == text


def test_a_gpu_that_the_settings_forbid(facts):
    driving = Trial(msgspec.structs.replace(MEASURED, device="cuda"), "works", None)
    machine = msgspec.structs.replace(MACHINE, gpus=(RTX,))
    advice = only(facts({"engine__gpu_layers": 0}, machine=machine, trials=(driving,)))
    assert advice.text.startswith("engine.gpu_layers is 0, so the RTX 3060 isn't used")


# ---------------------------------------------------------------- runners, keys


def test_a_runner_can_be_pasted(facts, settings, tmp_path):
    advice = only(facts(neighbours=(OLLAMA,)))
    assert 'isthmus ask --model ollama/qwen"3:8b' in advice.text
    (tmp_path / "work" / "isthmus.toml").write_text(advice.do)
    runner = settings().settings.runners["ollama"]
    assert (runner.base_url, runner.model) == (OLLAMA.base_url, 'qwen"3:8b')


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_runner_that_is_declared_needs_no_advice(facts, settings, tmp_path, host):
    (tmp_path / "work" / "isthmus.toml").write_text(
        f'[providers.mine]\nbase_url = "http://{host}:11434/v1/"\nlocal = true\n'
    )
    assert advise(facts(neighbours=(OLLAMA,))) == []


def test_a_runner_with_models_of_a_cloud_only(facts):
    assert advise(facts(neighbours=(msgspec.structs.replace(OLLAMA, models=("x-cloud", "y:cloud")),))) == []


def test_ollamas_store(facts, tmp_path):
    at_rest = msgspec.structs.replace(OLLAMA, running=False, store=tmp_path)
    assert only(facts(neighbours=(at_rest,))).do == "isthmus import-ollama"


def test_a_key_can_be_put_to_use(facts, settings, tmp_path):
    advice = only(facts(keys=("OPENAI_API_KEY",)))
    (tmp_path / "work" / "isthmus.toml").write_text(advice.do)
    found = settings().settings
    assert (found.handoff.mode, found.handoff.provider) == ("ask", "openai")
    assert found.providers["openai"].key_env == "OPENAI_API_KEY"


def test_a_key_that_is_missing(facts, settings, tmp_path, monkeypatch):
    (tmp_path / "work" / "isthmus.toml").write_text(
        '[providers.mine]\nbase_url = "https://example.org/v1"\nmodel = "x"\nkey_env = "MY_KEY"\n'
    )
    assert only(facts()).do == "export MY_KEY=..."
    monkeypatch.setenv("MY_KEY", "secret")
    assert advise(facts(keys=("OPENAI_API_KEY",))) == []


def test_a_machine_without_a_sandbox(facts):
    why = SandboxUnavailable("bubblewrap (bwrap) isn't installed", hint="sudo apt install bubblewrap")
    advice = only(facts(sandbox=why))
    assert advice.text == "code that a model writes can't be run here: bubblewrap (bwrap) isn't installed"
    assert advice.do == "sudo apt install bubblewrap"
