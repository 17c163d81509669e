"""Trying engine builds out: does it load, what was it built for, how fast is it, and with how many threads.

All of it happens in child processes with a time limit, so that a build that dies (of an instruction that the
processor announces and then refuses, of a driver that doesn't fit) is a finding. What is measured is a
worker as it would answer questions, asked for a prompt's prefill and for some tokens.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from isthmus.engines.builds import BUSY, WORKS, EngineBuild, Stamp, Trial, worker_environment
from isthmus.engines.probe_failure import Failed, how_it_ended
from isthmus.engines.probe_speed import Speed, measure
from isthmus.machine import Cpu
from isthmus.messages import Progress
from isthmus.trust import VerifiedModel

DESCRIBE_TIMEOUT_S = 60.0
"""How long a build may take to say what it is: a GPU's driver takes its time at first."""
WORTH_IT = 0.95
"""Another number of threads than the cores must take less than this part of the time, or it is noise."""

# How llama.cpp names the devices of each interface: CUDA0, ROCm0, Vulkan0; Metal's was renamed.
_DEVICES = {
    "CUDA": "cuda",
    "ROCm": "rocm",
    "HIP": "rocm",
    "Vulkan": "vulkan",
    "Metal": "metal",
    "MTL": "metal",
}

OnProgress = Callable[[Progress], None]


class Description(Struct, frozen=True):
    """What a build says of itself."""

    version: str = ""
    features: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


def probe(build: EngineBuild, model: VerifiedModel | None, cpu: Cpu, on_progress: OnProgress) -> Trial:
    """Try a build out.

    Args:
        build: A build as it was found.
        model: What it is measured on; None: it is only asked what it is.
        cpu: The processor, for how many threads to try.
        on_progress: Told what is being done; fractions of the work with this build.
    """
    stamp = Stamp.of(build)
    verdict, tried, others = WORKS, list[str](), 0.0
    on_progress(Progress(f"probing {build.name}", 0, 1))
    try:
        build = _described(build, describe(build))
        tried.append("it loads")
        if model is not None:
            speeds = _measure_all(build, model, cpu, on_progress)
            tried += [str(speed) for speed in speeds]
            others = max(speed.others for speed in speeds)
            build = _measured(build, speeds, busy=others > BUSY)
    except Failed as failure:
        verdict = str(failure)
    on_progress(Progress(f"probing {build.name}", 1, 1))
    return Trial(build, verdict, stamp, tuple(tried), round(others, 2))


# ---------------------------------------------------------------- what it is


def describe(build: EngineBuild) -> Description:
    """What a build says of itself.

    Raises:
        Failed: It doesn't load.
    """
    if build.kind == "package":
        # -P: a file named like a module in the working folder must not be run.
        said = _run(build, sys.executable, "-P", "-m", "isthmus.engines.probe_package")
        try:
            # A library that is imported may have talked before.
            return msgspec.json.decode(said.strip().splitlines()[-1], type=Description)
        except (msgspec.MsgspecError, IndexError) as error:
            raise Failed("is not what it should be") from error
    version = re.search(r"version: *(\S+)", _run(build, build.path, "--version"))
    devices = re.findall(r"^ +(\w+): .*\(\d+ MiB", _run(build, build.path, "--list-devices"), re.MULTILINE)
    return Description(version[1] if version else "", (), tuple(devices))


def _described(build: EngineBuild, said: Description) -> EngineBuild:
    return msgspec.structs.replace(
        build,
        version=said.version or build.version,
        instructions=said.features,
        device=_device(said.devices),
    )


def _run(build: EngineBuild, *command: str) -> str:
    """What a short-lived child of a build writes; llama-server has its version on stderr."""
    try:
        done = subprocess.run(
            command,
            env=worker_environment(build),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DESCRIBE_TIMEOUT_S,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"says nothing for {DESCRIBE_TIMEOUT_S:.0f} s") from error
    except OSError as error:
        raise Failed(f"can't be started: {error.strerror or error}") from error
    if done.returncode:
        raise Failed(how_it_ended(done.returncode, done.stderr))
    return done.stdout if build.kind == "package" else done.stdout + done.stderr


def _device(names: Iterable[str]) -> str | None:
    """The GPU interface behind llama.cpp's device names (CUDA0); None where it has the processor only."""
    prefixes = (re.sub(r"\d+$", "", name) for name in names)
    return next((_DEVICES[prefix] for prefix in prefixes if prefix in _DEVICES), None)


# ---------------------------------------------------------------- how fast it is


def thread_counts(cpu: Cpu, device: str | None) -> tuple[int, ...]:
    """The numbers of threads worth trying: the cores; all threads; one core left to others."""
    if device is not None:
        return (cpu.cores,)
    return tuple(dict.fromkeys(count for count in (cpu.cores, cpu.threads, cpu.cores - 1) if count > 0))


def _measure_all(
    build: EngineBuild, model: VerifiedModel, cpu: Cpu, on_progress: OnProgress
) -> Sequence[Speed]:
    counts = thread_counts(cpu, build.device)
    speeds: list[Speed] = []
    for number, threads in enumerate(counts, 1):
        speeds.append(measure(build, model, threads))
        on_progress(Progress(f"probing {build.name}", number / (len(counts) + 1), 1))
        if speeds[-1].others > BUSY:
            break  # how many threads are best can't be told now
    return speeds


def _measured(build: EngineBuild, speeds: Sequence[Speed], *, busy: bool) -> EngineBuild:
    """The build with its best speed. On a busy machine fewer threads seem better than they are."""
    best = _best(speeds)
    return msgspec.structs.replace(
        build,
        threads=0 if busy else best.threads,
        prefill_tokens_per_s=round(best.prefill_tokens_per_s, 1),
        decode_tokens_per_s=round(best.decode_tokens_per_s, 1),
    )


def _best(speeds: Sequence[Speed]) -> Speed:
    """The fastest; the first, which has a thread a core, where another is hardly faster."""
    first = speeds[0]
    best = min(speeds, key=lambda speed: speed.seconds)
    return best if best.seconds < first.seconds * WORTH_IT else first
