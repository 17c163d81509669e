from datetime import UTC, datetime

import msgspec
import pytest

from isthmus.engines import builds
from isthmus.engines.builds import (
    INSTALLED,
    EngineBuild,
    Measurements,
    Stamp,
    Trial,
    chosen,
    driven_by,
    engines_folder,
    fastest,
    find_builds,
    read_measurements,
    worker_command,
    worker_environment,
    write_measurements,
)
from isthmus.errors import SettingsError
from isthmus.machine import Gpu
from isthmus.machine.processor import fingerprint
from tests.engines.fake_builds import fake_package, fake_program, fake_server


def measured(build, prefill=100.0, decode=10.0, **changes):
    return msgspec.structs.replace(
        build, prefill_tokens_per_s=prefill, decode_tokens_per_s=decode, threads=2, **changes
    )


def write(home, *found, verdict="works", processor=None):
    trials = tuple(Trial(build, verdict, Stamp.of(build)) for build in found)
    measurements = Measurements(processor or fingerprint(), "smollm2:135m", trials, datetime.now(UTC))
    write_measurements(home, measurements)
    return measurements


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(builds.shutil, "which", lambda name: None)
    return tmp_path / "home"


@pytest.fixture
def wide(home):
    return fake_package(engines_folder(home) / "avx512")


# ---------------------------------------------------------------- finding


def test_the_builds_of_this_machine(home, wide, tmp_path, monkeypatch):
    program = fake_server(tmp_path / "bin")
    monkeypatch.setattr(builds.shutil, "which", lambda name: str(program))
    (engines_folder(home) / "avx512.log").write_text("")
    (engines_folder(home) / ".half" / "xllamacpp").mkdir(parents=True)
    installed, package, server = find_builds(home)
    assert (installed.name, installed.kind, installed.path) == ("installed", "package", "")
    assert installed.version
    assert package == EngineBuild("avx512", "package", str(engines_folder(home) / "avx512"), "1.0")
    assert server == EngineBuild("llama-server", "program", str(program))


def test_a_package_in_a_folder_is_found_before_the_installed_one(wide, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert worker_command(wide) == worker_command(INSTALLED)
    assert worker_environment(wide)["PYTHONPATH"] == f"{wide.path}:/elsewhere"
    assert worker_environment(INSTALLED)["PYTHONPATH"] == "/elsewhere"


def test_a_program_is_a_worker_by_way_of_its_module(tmp_path):
    command = worker_command(fake_program(tmp_path))
    assert command[-2:] == ("isthmus.engines.program", str(tmp_path / "llama-server"))


# ---------------------------------------------------------------- choosing


def test_where_nothing_was_measured_the_installed_one_runs(home):
    assert chosen(home, "auto") == INSTALLED


def test_the_fastest_runs(home, wide):
    write(home, measured(INSTALLED), measured(wide, prefill=150.0))
    assert chosen(home, "auto") == measured(wide, prefill=150.0)
    assert chosen(home, "auto").threads == 2


def test_the_fastest_is_the_one_that_answers_first():
    reader, writer = measured(INSTALLED, 1000.0, 10.0), measured(INSTALLED, 100.0, 40.0)
    assert fastest([Trial(reader, "works", None), Trial(writer, "works", None)]) is writer


def test_one_that_fails_never_runs_by_itself(home, wide):
    write(home, measured(wide, prefill=999.0), verdict="ends with SIGILL")
    assert chosen(home, "auto") == INSTALLED


def test_one_that_was_not_measured_is_not_chosen(home, wide):
    write(home, wide)
    assert chosen(home, "auto") == INSTALLED


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"processor": 3}'])
def test_a_damaged_file_is_no_file(home, content):
    home.mkdir()
    (home / "engines.json").write_bytes(content)
    assert read_measurements(home) is None
    assert chosen(home, "auto") == INSTALLED


def test_what_was_measured_on_another_processor_says_nothing(home, wide):
    write(home, measured(wide), processor="x86_64 another: AVX2")
    assert chosen(home, "auto") == INSTALLED


def test_a_build_that_was_replaced_must_be_tried_again(home, wide):
    write(home, measured(wide))
    assert chosen(home, "auto").name == "avx512"
    (engines_folder(home) / "avx512" / "xllamacpp" / "x.abi3.so").write_bytes(b"another")
    assert chosen(home, "auto") == INSTALLED


def test_a_build_that_is_gone_is_not_chosen(home, wide):
    write(home, measured(wide))
    (engines_folder(home) / "avx512").rename(home / "moved")
    assert chosen(home, "auto") == INSTALLED


def test_a_build_by_name(home, wide):
    assert chosen(home, "installed").name == "installed"
    assert chosen(home, "avx512") == wide
    write(home, measured(INSTALLED, 999.0, 999.0), measured(wide))
    assert chosen(home, "avx512") == measured(wide)


def test_a_name_that_no_build_has(home):
    with pytest.raises(
        SettingsError, match=r"no build named 'cuda' on this machine, only installed"
    ) as caught:
        chosen(home, "cuda")
    assert caught.value.hint == "isthmus doctor"


def test_a_build_drives_the_gpus_of_its_device_and_apples_always():
    apple, nvidia = (Gpu(vendor, "GPU", 1 << 30, 1 << 30) for vendor in ("apple", "nvidia"))
    assert driven_by(INSTALLED, (apple, nvidia)) == (apple,)
    assert driven_by(EngineBuild("c", "package", device="cuda"), (nvidia,)) == (nvidia,)
