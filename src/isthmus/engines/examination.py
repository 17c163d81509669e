"""All builds on this machine, tried out on one model, or what is known of them already."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.engines.builds import EngineBuild, Measurements, find_builds, read_measurements
from isthmus.engines.probe import OnProgress, probe
from isthmus.errors import ModelError, SigningError
from isthmus.machine import Cpu
from isthmus.machine.processor import fingerprint
from isthmus.store import Store, StoredModel
from isthmus.trust import VerifiedModel, verify

if TYPE_CHECKING:
    from isthmus.trust.publishers import Trust

TINY = "smollm2:135m"
"""The model that builds are measured on, where it is here; otherwise the smallest that can chat."""


def examine(
    home: Path, cpu: Cpu, on_progress: OnProgress, *, refresh: bool = False, trust: "Trust | None" = None
) -> Measurements:
    """Try out the builds on this machine, unless what was measured before still holds.

    Takes some seconds a build, or minutes where the smallest model is large. Nothing is written.

    Args:
        home: The folder of models and engines.
        cpu: The processor.
        on_progress: Told what is being done.
        refresh: Measure anew in any case.
        trust: The publishers whose releases must prove something; what doesn't isn't loaded.
    """
    builds = find_builds(home)
    known = read_measurements(home)
    with trial_model(home, on_progress, trust) as model:
        if known is not None and not refresh and _covers(known, builds, model):
            return known
        trials = tuple(probe(build, model, cpu, on_progress) for build in builds)
        return Measurements(fingerprint(), model.name if model else None, trials, datetime.now(UTC))


def _covers(known: Measurements, builds: Sequence[EngineBuild], model: VerifiedModel | None) -> bool:
    """Whether these very builds were tried, as they are, and measured if they can be."""
    tried = [trial.build.name for trial in known.trials]
    holds = known.current() == list(known.trials)
    return holds and tried == [build.name for build in builds] and (known.model is not None or model is None)


@contextmanager
def trial_model(
    home: Path, on_progress: OnProgress, trust: "Trust | None" = None
) -> Generator[VerifiedModel | None]:
    """The model that builds are measured on; None where none is here that would do."""
    candidates = [model for model in Store(home).models() if not model.rest]
    candidates.sort(key=lambda model: (model.name != TINY, model.size_bytes))
    found = _first_that_chats(candidates, on_progress, trust)
    try:
        yield found
    finally:
        if found is not None:
            found.close()


def _first_that_chats(
    candidates: Sequence[StoredModel], on_progress: OnProgress, trust: "Trust | None"
) -> VerifiedModel | None:
    for candidate in candidates:
        try:
            model = verify(candidate, trust=trust, on_progress=on_progress)
        except (ModelError, SigningError):  # damaged, or not proven: a load is the one to tell
            continue
        if model.header.has_chat_template:
            return model
        model.close()
    return None
