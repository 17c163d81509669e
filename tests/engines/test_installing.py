import os
import subprocess
import sys
import time

import psutil
import pytest

from isthmus.engines import installing
from isthmus.engines.builds import engines_folder, find_builds
from isthmus.engines.installing import compiled_part, install
from isthmus.engines.recipes import Recipe
from isthmus.errors import EngineError, StorageError

WHEEL = Recipe(
    "cu128", "it would use the GPU", ("--index-url", "https://example.org", "xllamacpp==1.0"), 1000
)
SOURCE = Recipe(
    "avx512", "faster", ("--no-binary", "xllamacpp", "xllamacpp==1.0"), 1000, ("-DX=ON", "-DY=ON")
)

PIP = r"""
import os, pathlib, sys, time
words = sys.argv[1:]
target = pathlib.Path(words[words.index("--target") + 1])
mode = {mode!r}
pathlib.Path({seen!r}).write_text("\n".join([*words, "CMAKE_ARGS=" + os.environ.get("CMAKE_ARGS", "none"),
                                             "TMPDIR=" + os.environ["TMPDIR"]]))
print("Collecting xllamacpp", flush=True)
if mode == "fails":
    print("  src/x.cpp:3:1: error: unknown register name\n  ninja: build stopped", flush=True)
    print("ERROR: Failed building wheel for xllamacpp", flush=True)
    sys.exit(1)
if mode == "hangs":
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path({seen!r}).write_text(str(child.pid))
    time.sleep(60)
for part in (10, 55, 100):
    print(f"  [{{part:3}}%] Building CXX object ggml.cpp.o", flush=True)
    (pathlib.Path(os.environ["TMPDIR"]) / "x.whl").write_bytes(bytes(part * 1000))
    time.sleep(0.1)
(target / "xllamacpp").mkdir(parents=True)
(target / "xllamacpp" / "__init__.py").write_text("new = True")
(target / "xllamacpp-1.0.dist-info").mkdir()
"""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Puts a script in pip's place; gives what it was called with."""
    seen = tmp_path / "seen"

    def play(mode=""):
        script = tmp_path / "pip.py"
        script.write_text(PIP.format(mode=mode, seen=str(seen)))
        monkeypatch.setattr(installing, "PIP", (sys.executable, str(script)))
        return seen

    monkeypatch.setattr(installing, "POLL_S", 0.02)
    monkeypatch.setattr(installing, "missing_tools", lambda recipe: [])
    return play


def test_a_build_is_made_from_source(home, pip):
    seen = pip()
    shown = []
    folder = install(SOURCE, home, shown.append)
    assert folder == engines_folder(home) / "avx512"
    assert (folder / "xllamacpp" / "__init__.py").is_file()
    assert "avx512" in [build.name for build in find_builds(home)]
    *words, cmake, temporary = seen.read_text().splitlines()
    assert words[:2] == ["install", "--no-deps"]
    assert words[-3:] == ["--no-binary", "xllamacpp", "xllamacpp==1.0"]
    assert cmake == "CMAKE_ARGS=-DX=ON -DY=ON"
    assert temporary.startswith(f"TMPDIR={engines_folder(home)}")
    parts = [progress.done for progress in shown]
    assert parts == sorted(parts)
    assert {0.1, 0.55} & set(parts)
    assert {(progress.label, progress.total) for progress in shown} == {("building avx512", 1)}
    assert "[ 55%]" in (engines_folder(home) / "avx512.log").read_text()


def test_nothing_else_is_left(home, pip):
    pip()
    install(SOURCE, home, lambda progress: None)
    left = {path.name for path in engines_folder(home).iterdir()}
    assert left == {"avx512", "avx512.log", ".avx512.lock"}


def test_a_package_is_fetched(home, pip):
    seen = pip()
    shown = []
    install(WHEEL, home, shown.append)
    assert "CMAKE_ARGS=none" in seen.read_text()
    assert shown[0].label == "fetching cu128"
    assert max(progress.done for progress in shown) >= 10_000
    assert shown[0].total is None


def test_a_build_that_is_there_is_replaced(home, pip):
    pip()
    old = engines_folder(home) / "avx512" / "xllamacpp"
    old.mkdir(parents=True)
    (old / "old.so").write_text("")
    install(SOURCE, home, lambda progress: None)
    assert [path.name for path in old.iterdir()] == ["__init__.py"]


def test_a_failure_names_its_cause_and_the_log_and_leaves_what_was_there(home, pip):
    pip("fails")
    old = engines_folder(home) / "avx512" / "xllamacpp"
    old.mkdir(parents=True)
    with pytest.raises(EngineError, match="unknown register name") as caught:
        install(SOURCE, home, lambda progress: None)
    assert caught.value.hint == f"less {engines_folder(home) / 'avx512.log'}"
    assert old.is_dir()
    assert not (engines_folder(home) / ".avx512").exists()


def test_an_interrupt_ends_the_compilers_too(home, pip):
    seen = pip("hangs")

    def interrupt(progress):
        if seen.exists() and seen.read_text().isdecimal():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(SOURCE, home, interrupt)
    compiler = int(seen.read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(compiler) and time.monotonic() < deadline:
        if psutil.Process(compiler).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.02)
    else:
        assert not psutil.pid_exists(compiler)
    assert not (engines_folder(home) / ".avx512").exists()


def test_what_is_missing_is_said_before_anything_is_done(home, monkeypatch):
    monkeypatch.setattr(installing, "missing_tools", lambda recipe: ["a C++ compiler", "cmake"])
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(EngineError, match=r"takes a C\+\+ compiler and cmake") as caught:
        install(SOURCE, home, lambda progress: None)
    assert caught.value.hint == "sudo apt-get install build-essential cmake python3-dev"
    assert not home.exists()


def test_no_room(home, pip, monkeypatch):
    seen = pip()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(StorageError, match=r"the build avx512 needs 1,000 bytes"):
        install(SOURCE, home, lambda progress: None)
    assert not seen.exists()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", 0.0),
        ("[  7%] Building C object\n[ 12%] Linking\n", 0.12),
        ("  [3/4] Building CXX\n", 0.75),
        ("[5/0] odd\n", 1.0),
        ("see [1] and [100%] in a sentence", 0.0),
    ],
)
def test_how_far_a_compiler_is(text, part):
    assert compiled_part(text) == part


def test_the_real_pip_understands_the_options(home, monkeypatch, tmp_path):
    """Nothing is fetched: an empty folder is the only place to look."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    recipe = Recipe("x", "", ("--no-index", "--find-links", str(tmp_path), "xllamacpp==0.0.0"), 1)
    with pytest.raises(EngineError, match="matching distribution"):
        install(recipe, home, lambda progress: None)
    assert subprocess.run([*installing.PIP, "--version"], check=True, capture_output=True).stdout
