"""How fast a build is: a worker as it would answer questions, asked for a prefill and some tokens."""

from contextlib import suppress

import psutil
from msgspec import Struct

from isthmus.engines.builds import EngineBuild, seconds_per_answer
from isthmus.engines.probe_failure import Failed
from isthmus.engines.probe_worker import trial_worker
from isthmus.trust import VerifiedModel

PREFILL_TOKENS = 256
DECODE_TOKENS = 48
ROUNDS = 2
"""The better of so many counts: what else runs on the machine only ever slows down."""


class Speed(Struct, frozen=True):
    """Tokens per second of prefill and decode with so many threads.

    ``others`` is the part of the machine's processors that other programs took meanwhile, 0 to 1.
    """

    threads: int
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    others: float = 0.0

    @property
    def seconds(self) -> float:
        """What a typical answer takes."""
        return seconds_per_answer(self.prefill_tokens_per_s, self.decode_tokens_per_s)

    def __str__(self) -> str:
        prefill, decode = self.prefill_tokens_per_s, self.decode_tokens_per_s
        with_threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{with_threads}: prefill {prefill:.0f}, decode {decode:.0f} tokens/s"


def measure(build: EngineBuild, model: VerifiedModel, threads: int) -> Speed:
    """How fast a build reads and writes with so many threads.

    Raises:
        Failed: It dies, takes too long, or doesn't answer as llama.cpp does.
    """
    prefill, decode = 0.0, 0.0
    with trial_worker(build, model, threads) as worker:
        before = Work.of(worker.pid)
        for number in range(ROUNDS):
            timings = worker.ask(_prompt(number), DECODE_TOKENS)
            prefill = max(prefill, _speed(timings.get("prompt_per_second")))
            decode = max(decode, _speed(timings.get("predicted_per_second")))
        others = Work.of(worker.pid).others_since(before)
    return Speed(threads, prefill, decode, others)


def _prompt(number: int) -> list[int]:
    """Tokens: any do, but others each time, so that nothing is remembered."""
    return [100 + (index * 7 + number) % 800 for index in range(PREFILL_TOKENS)]


def _speed(value: object) -> float:
    if not isinstance(value, int | float) or not value > 0:
        raise Failed("doesn't answer as llama.cpp does")
    return float(value)


class Work(Struct, frozen=True):
    """Seconds that the processors have been there, have worked, and have worked for one process."""

    total_s: float
    busy_s: float
    own_s: float

    @classmethod
    def of(cls, pid: int) -> "Work":
        """The work up to now; ``own_s`` is that of a process and of those that it started."""
        times = psutil.cpu_times()._asdict()
        total = sum(seconds for name, seconds in times.items() if not name.startswith("guest"))
        own = 0.0
        with suppress(psutil.Error):  # it has just died
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                spent = each.cpu_times()
                own += spent.user + spent.system
        return cls(total, total - times["idle"] - times.get("iowait", 0.0), own)

    def others_since(self, before: "Work") -> float:
        """The part of the processors that others took since ``before``, 0 to 1."""
        total = self.total_s - before.total_s
        others = (self.busy_s - before.busy_s) - (self.own_s - before.own_s)
        return min(1.0, max(0.0, others / total)) if total > 0 else 0.0
