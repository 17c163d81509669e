"""Making or fetching an engine build, as a `Recipe` says, by pip.

HOME/engines/NAME.log      what pip and the compiler said
HOME/engines/.NAME/        where they work
HOME/engines/NAME/         the build, which appears whole, by a rename
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from isthmus.engines.builds import engines_folder
from isthmus.engines.recipes import Recipe, missing_tools
from isthmus.errors import EngineError
from isthmus.messages import Progress
from isthmus.store.disk import require_space, storage_errors
from isthmus.store.locks import exclusive

# -P: a file named like a module in the working folder must not be run. -v: the compiler's progress.
PIP = (sys.executable, "-P", "-m", "pip")
_OPTIONS = (
    *("--no-deps", "-v", "--no-input", "--disable-pip-version-check"),
    *("--no-cache-dir", "--progress-bar", "off"),
)
POLL_S = 0.5
_TAIL_BYTES = 20_000

OnProgress = Callable[[Progress], None]


def install(recipe: Recipe, home: Path, on_progress: OnProgress) -> Path:
    """Follow a recipe; gives the build's folder. What lay there before is replaced.

    Args:
        recipe: What to install.
        home: The folder of models and engines.
        on_progress: Told how far the compiler is, or how much was fetched.

    Raises:
        EngineError: This machine lacks what it takes, or pip fails; the log is named.
        StorageError: There is no room, or the home can't be written.
    """
    if missing := missing_tools(recipe):
        raise EngineError(
            f"building {recipe.name} takes {' and '.join(missing)}, which this machine doesn't have",
            hint=tools_hint(),
        )
    folder = engines_folder(home)
    require_space(folder, recipe.space_bytes, f"the build {recipe.name}")
    target, workshop = folder / recipe.name, folder / f".{recipe.name}"
    with exclusive(folder / f".{recipe.name}.lock"), storage_errors(workshop):
        shutil.rmtree(workshop, ignore_errors=True)  # what a killed process left
        workshop.mkdir()
        try:
            _run_pip(recipe, workshop, folder / f"{recipe.name}.log", on_progress)
            _put(workshop / "build", target)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    return target


def _put(made: Path, target: Path) -> None:
    """Rename the new build into place; the one before is moved out of the way first."""
    if target.exists():
        target.rename(made.parent / "before")
    made.rename(target)


def tools_hint() -> str:
    """What to type to have what compiling takes."""
    if sys.platform == "darwin":
        return "xcode-select --install && brew install cmake"
    return "sudo apt-get install build-essential cmake python3-dev"


# ---------------------------------------------------------------- pip


def _run_pip(recipe: Recipe, workshop: Path, log: Path, on_progress: OnProgress) -> None:
    temporary = workshop / "tmp"
    temporary.mkdir()
    command = [
        *PIP,
        "install",
        "--no-deps",
        *_OPTIONS,
        "--target",
        str(workshop / "build"),
        *recipe.arguments,
    ]
    # Its temporary files, a compiler's among them, lie on the home's disk, where there is room for them.
    environment = {**os.environ, **recipe.environment, "TMPDIR": str(temporary)}
    environment.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
    label = f"building {recipe.name}" if recipe.cmake else f"fetching {recipe.name}"
    with log.open("wb") as written:
        pip = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            while pip.poll() is None:
                on_progress(_progress(label, recipe, workshop, log))
                time.sleep(POLL_S)
        finally:
            _end(pip)
    if pip.returncode:
        reason = _complaint(_tail(log)) or f"pip ended with status {pip.returncode}"
        raise EngineError(f"the build {recipe.name} couldn't be made: {reason}", hint=f"less {log}")


def _end(pip: "subprocess.Popen[bytes]") -> None:
    """End pip and the compilers that it started, which are in a group of their own."""
    if pip.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(pip.pid, signal.SIGKILL)
        pip.wait()


def _progress(label: str, recipe: Recipe, workshop: Path, log: Path) -> Progress:
    if recipe.cmake:
        return Progress(label, compiled_part(_tail(log)), 1)
    return Progress(label, _size(workshop), None)


def compiled_part(text: str) -> float:
    """How far make (``[ 45%]``) or ninja (``[123/456]``) is, by the last such line; 0 to 1."""
    marks = re.findall(r"^\s*\[ *(\d+)(?:%|/(\d+))\]", text, re.MULTILINE)
    if not marks:
        return 0.0
    done, total = marks[-1]
    return min(1.0, int(done) / (int(total or 100) or 1))


def _complaint(text: str) -> str:
    """The line that says why it was given up: a compiler's first, or pip's last."""
    lines = [line.strip() for line in text.splitlines()]
    compiler = [line for line in lines if re.search(r"\berror: (?!subprocess)|CMake Error", line)]
    pip = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = next(iter(compiler), None) or next(reversed(pip), "")
    return reason[:1].lower() + reason[1:200]


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _size(folder: Path) -> int:
    """Bytes of all files under a folder, which others write and remove meanwhile."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                total += (Path(root) / name).stat().st_size
    return total
