"""Engine builds: which llama.cpp runs the models, of those that are on this machine.

    the installed package     xllamacpp as it was installed with Isthmus
    HOME/engines/NAME/        a package that `isthmus doctor --install` put there
    llama-server              on the PATH
    HOME/engines.json         what came of probing them: `Measurements`

A worker of any of them speaks the protocol of `isthmus.engines.worker`.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import SettingsError
from isthmus.machine import Gpu, processor
from isthmus.store.disk import write_atomically

PACKAGE = "xllamacpp"
WORKS = "works"
BUSY = 0.2
"""Where others take more than this part of the processors, speeds say little."""


class EngineBuild(Struct, frozen=True):
    """A build of llama.cpp.

    ``kind`` is "package" for the Python package xllamacpp, found in the folder ``path`` (empty: where it is
    installed), and "program" for a llama-server whose file is ``path``. ``instructions`` are the CPU's that
    it was built for, ``device`` the GPU interface that it drives (cuda, rocm, metal, vulkan), if any.
    ``threads`` is the number of CPU threads that measured fastest; 0: not measured.
    """

    name: str
    kind: Literal["package", "program"]
    path: str = ""
    version: str = ""
    instructions: tuple[str, ...] = ()
    device: str | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    threads: int = 0

    @property
    def seconds(self) -> float | None:
        """What a typical answer takes by what was measured; None where nothing was."""
        if not self.prefill_tokens_per_s or not self.decode_tokens_per_s:
            return None
        return seconds_per_answer(self.prefill_tokens_per_s, self.decode_tokens_per_s)


def driven_by(build: EngineBuild, gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """The GPUs that a build makes use of; Apple's it always does, since Metal is in every wheel for macOS."""
    return tuple(gpu for gpu in gpus if build.device is not None or gpu.vendor == "apple")


def seconds_per_answer(prefill_tokens_per_s: float, decode_tokens_per_s: float) -> float:
    """What a typical answer takes, by which speeds are compared: 512 tokens in, 128 out."""
    return 512 / prefill_tokens_per_s + 128 / decode_tokens_per_s


INSTALLED = EngineBuild("installed", "package")
"""The package that was installed with Isthmus: always there, built for AVX2."""


# ---------------------------------------------------------------- starting


def worker_command(build: EngineBuild) -> tuple[str, ...]:
    """What starts a worker of a build."""
    # -P: a file named like a module in the working folder must not be run.
    python = (sys.executable, "-P", "-m")
    if build.kind == "program":
        return (*python, "isthmus.engines.program", build.path)
    return (*python, "isthmus.engines.worker")


def worker_environment(build: EngineBuild) -> dict[str, str]:
    """This process's environment, in which a package in a folder of its own is found first."""
    environment = dict(os.environ)
    if build.kind == "package" and build.path:
        paths = (build.path, environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


# ---------------------------------------------------------------- finding


def engines_folder(home: Path) -> Path:
    """Where `isthmus doctor --install` puts builds."""
    return home / "engines"


def find_builds(home: Path) -> list[EngineBuild]:
    """The builds on this machine, not probed: the installed one first."""
    folders = sorted(
        path
        for path in engines_folder(home).glob("*")
        if (path / PACKAGE).is_dir() and not path.name.startswith(".")
    )
    found = [msgspec.structs.replace(INSTALLED, version=installed_version())]
    found += [EngineBuild(path.name, "package", str(path), _version_in(path)) for path in folders]
    program = shutil.which("llama-server")
    if program is not None:
        found.append(EngineBuild("llama-server", "program", str(Path(program).absolute())))
    return found


def installed_version() -> str:
    """The version of the package that was installed with Isthmus; empty where there is none."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""


def _version_in(folder: Path) -> str:
    """The version of the package in a folder, from the name that pip gives its metadata."""
    names = (path.name for path in folder.glob(f"{PACKAGE}-*.dist-info"))
    return next(names, "").removeprefix(f"{PACKAGE}-").removesuffix(".dist-info")


# ---------------------------------------------------------------- what is known of them


class Stamp(Struct, frozen=True):
    """Tells a build's file from another that takes its place."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, build: EngineBuild) -> "Stamp | None":
        """The stamp of a build as it is now; None where its file is missing."""
        try:
            status = _file(build).stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns)


class Trial(Struct, frozen=True):
    """What came of probing a build.

    ``verdict`` is "works", or how it failed; ``tried`` is what was done, in words; ``others`` the part of the
    processors that other programs took meanwhile, 0 to 1.
    """

    build: EngineBuild
    verdict: str
    stamp: Stamp | None
    tried: tuple[str, ...] = ()
    others: float = 0.0

    @property
    def works(self) -> bool:
        """Whether it can be used."""
        return self.verdict == WORKS

    @property
    def disturbed(self) -> bool:
        """Whether the machine was too busy with other things for the speeds to say much."""
        return self.others > BUSY


class Measurements(Struct, frozen=True):
    """The file HOME/engines.json: what the builds did on the processor ``processor``, with ``model``."""

    processor: str
    model: str | None
    trials: tuple[Trial, ...]
    when: Annotated[datetime, Meta(tz=True)]

    def current(self) -> list[Trial]:
        """The trials that still hold: of this processor, and of builds that haven't changed."""
        if self.processor != processor.fingerprint():
            return []
        return [trial for trial in self.trials if trial.stamp and trial.stamp == Stamp.of(trial.build)]


def read_measurements(home: Path) -> Measurements | None:
    """What was measured last; None where nothing was, or the file is damaged."""
    try:
        return msgspec.json.decode(_measurements_path(home).read_bytes(), type=Measurements)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_measurements(home: Path, measurements: Measurements) -> None:
    """Keep what was measured.

    Raises:
        StorageError: The home can't be written.
    """
    content = msgspec.json.format(msgspec.json.encode(measurements), indent=2)
    write_atomically(_measurements_path(home), content)


def fastest(trials: Iterable[Trial]) -> EngineBuild | None:
    """The build that measured fastest, of those that work."""
    builds = [trial.build for trial in trials if trial.works]
    return min(
        (build for build in builds if build.seconds is not None),
        key=lambda build: build.seconds or 0.0,
        default=None,
    )


def chosen(home: Path, wanted: str) -> EngineBuild:
    """The build that runs the models. Nothing is probed: this is asked at each start of a worker.

    Args:
        home: The folder of models and engines.
        wanted: ``engine.build`` of the settings: a build's name, or "auto" for the fastest that was
            measured; the installed one where none was, or where what was measured no longer holds.

    Raises:
        SettingsError: There is no build of that name.
    """
    measurements = read_measurements(home)
    trials = measurements.current() if measurements else []
    if wanted == "auto":
        return fastest(trials) or INSTALLED
    known = {build.name: build for build in find_builds(home)}
    if wanted not in known:
        raise SettingsError(
            f"engine.build: there is no build named {wanted!r} on this machine, only {', '.join(known)}",
            hint="isthmus doctor",
        )
    measured = {trial.build.name: trial.build for trial in trials}
    return measured.get(wanted, known[wanted])


def _measurements_path(home: Path) -> Path:
    return home / "engines.json"


def _file(build: EngineBuild) -> Path:
    """The file that changes when the build does: the program, or the package's compiled part."""
    if build.kind == "program":
        return Path(build.path)
    folder = Path(build.path) / PACKAGE if build.path else _installed_folder()
    return min(folder.glob("*.so"), default=folder / "__init__.py")


def _installed_folder() -> Path:
    spec = find_spec(PACKAGE)
    return Path(spec.origin).parent if spec and spec.origin else Path(PACKAGE)
