"""Calibration: a profile with thresholds for a target, from labelled rows. Needs the extra ``calibrate``."""

from datetime import UTC, datetime

import msgspec
import numpy as np
from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.handoff.estimator.deciding import Decider, seen_by
from isthmus.handoff.estimator.profile import Profile, Provenance, Ranking
from isthmus.handoff.estimator.rows import Row, Table
from isthmus.handoff.estimator.targets import Labels, Outlook, Target, outlook, threshold_for
from isthmus.handoff.estimator.training import BUCKETS, learn
from isthmus.handoff.judging import Depth


class Models(Struct, frozen=True):
    """The pair of models that rows tell of, where that is known."""

    local: str | None = None
    hosted: str | None = None


class Calibrated(Struct, frozen=True):
    """A new profile, what it should come to, and what the person should know.

    ``outlooks`` are by how much is known of an answer; ``alone`` is that of whole answers without second
    opinions, where these would be drawn.
    """

    profile: Profile
    outlooks: dict[Depth, Outlook]
    alone: Outlook | None
    remarks: tuple[str, ...]


def calibrate(
    table: Table,
    name: str,
    target: Target,
    models: Models | None = None,
    *,
    buckets: int = BUCKETS,
    seed: int = 0,
) -> Calibrated:
    """Learn a profile, and set its thresholds by a target.

    Raises:
        UsageError: The rows can't teach anything.
    """
    models = models or Models()
    remarks = _remarks(table.rows)
    learnt = learn(table.rows, name, buckets=buckets, seed=seed)
    data = msgspec.structs.replace(learnt.data, ranks_by=_ranking(target))
    seen = seen_by(Profile(data), learnt, table.rows)
    labels = _labels(table.rows)
    outlooks: dict[Depth, Outlook] = {
        depth: _outlook(target, Decider(seen, depth), labels) for depth in learnt.scores
    }
    agree = learnt.voted is not None
    alone = _outlook(target, Decider(seen, "check", opinions=False), labels) if agree else None
    provenance = Provenance(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        made_by="isthmus handoff calibrate",
        data=(table.name,),
        sha256=(table.sha256,),
        rows=len(table.rows),
        local_model=models.local,
        hosted_model=models.hosted,
        target=str(target),
    )
    data = msgspec.structs.replace(
        data,
        thresholds={depth: each.threshold for depth, each in outlooks.items()},
        alone=alone and alone.threshold,
        provenance=provenance,
    )
    missed = tuple(
        f"{depth}: {len(learnt.scores[depth].rows)} rows can't promise {target}, so everything is handed over"
        for depth, each in outlooks.items()
        if not each.reached and each.handed_over == 1
    )
    return Calibrated(Profile(data), outlooks, alone, (*remarks, *missed))


def _labels(rows: tuple[Row, ...]) -> Labels:
    return Labels(
        np.array([bool(row.weak_correct) for row in rows]),
        np.array([bool(row.strong_correct) for row in rows]),
    )


def _outlook(target: Target, decider: Decider, labels: Labels) -> Outlook:
    """What is decided at the threshold that the target asks for."""
    return outlook(target, threshold_for(target, decider, labels), decider, labels)


def _ranking(target: Target) -> Ranking:
    """A risk is of wrong answers at home, whether or not the hosted model would have done better."""
    return "wrong" if target.kind == "risk" else "gain"


def _remarks(rows: tuple[Row, ...]) -> tuple[str, ...]:
    """What the rows can't teach."""
    local = {bool(row.weak_correct) for row in rows}
    hosted = {bool(row.strong_correct) for row in rows}
    if len(local) == 1 and len(hosted) == 1:
        raise UsageError(
            "all rows have the same labels, so there is nothing to tell apart",
            hint="add questions that the local model gets wrong, and some that it gets right",
        )
    remarks: list[str] = []
    if len(local) == 1:
        remarks.append(f"the local model is always {'right' if True in local else 'wrong'} in these rows")
    if len(hosted) == 1:
        remarks.append(f"the hosted model is always {'right' if True in hosted else 'wrong'} in these rows")
    if len(rows) < 100:
        remarks.append(f"{len(rows)} rows leave much to chance; 200 and more are better")
    if not any(row.answer for row in rows):
        remarks.append("no row holds a weak_response, so local answers won't be judged, only questions")
    return tuple(remarks)
