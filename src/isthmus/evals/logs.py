"""Results out of Inspect's logs. Needs the extra ``evals``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from inspect_ai.log import (
    EvalSample,
    read_eval_log,
    read_eval_log_sample,
    read_eval_log_sample_summaries,
)
from inspect_ai.scorer import CORRECT

from isthmus.evals.folders import RunFolder
from isthmus.evals.plans import Plan
from isthmus.evals.problems import Problem
from isthmus.evals.results import Outcome, Result
from isthmus.evals.spending import KEY, spent_from
from isthmus.evals.tasks import PROBLEM

_UNREAD = {"events", "messages", "attachments", "timelines"}
"""What of a sample's log no result needs: most of it."""
_LONGEST = 20_000


def gather(folder: RunFolder, plan: Plan) -> list[Result]:
    """All results of a run, out of its logs, and kept in its folder as well.

    A log that a kill has cut off counts as far as it goes; of two results of one attempt that counts which is
    no error, and of those the newer one.
    """
    found = [result for cell in plan.cells for result in _of_folder(folder.logs(cell), cell.slug)]
    folder.save_results(found)
    return found


def answered(folder: Path) -> int:
    """How many attempts of a cell's folder are answered, errors aside: what a run won't ask again."""
    found = (each for log in folder.glob("*.eval") for each in read_eval_log_sample_summaries(str(log)))
    return len({(each.id, each.epoch) for each in found if each.error is None})


def was_stopped(folder: Path) -> bool:
    """Whether a Ctrl-C ended the last sitting at a cell."""
    last = max(folder.glob("*.eval"), key=lambda path: path.stat().st_mtime, default=None)
    return last is not None and read_eval_log(str(last), header_only=True).status == "cancelled"


def _of_folder(folder: Path, cell: str) -> list[Result]:
    best: dict[tuple[str, int], Result] = {}
    for log in sorted(folder.glob("*.eval"), key=lambda path: path.stat().st_mtime):
        for sample in _samples(log):
            if _cut_short(sample):
                continue
            result = _result(sample, cell)
            if result.outcome != "error" or result.key not in best:
                best[result.key] = result
    return [best[key] for key in sorted(best, key=_order)]


def _samples(log: Path) -> Iterator[EvalSample]:
    for summary in read_eval_log_sample_summaries(str(log)):
        yield read_eval_log_sample(str(log), summary.id, summary.epoch, exclude_fields=_UNREAD)


def _cut_short(sample: EvalSample) -> bool:
    """Whether a Ctrl-C did it: then it wasn't answered, and didn't fail."""
    return sample.error is not None and sample.error.message.startswith("CancelledError(")


def _result(sample: EvalSample, cell: str) -> Result:
    problem = msgspec.convert(sample.metadata[PROBLEM], Problem)
    score = next(iter((sample.scores or {}).values()), None)
    outcome: Outcome = "error"
    why = sample.error.message if sample.error else "it was not judged"
    if sample.limit is not None and score is None:
        why = f"its {sample.limit.type} limit was reached"
    if score is not None and sample.error is None:
        outcome = "right" if score.value == CORRECT else "wrong"
        why = score.explanation or ""
    return Result(
        cell=cell,
        problem=str(sample.id),
        attempt=sample.epoch,
        outcome=outcome,
        cluster=problem.cluster,
        question=problem.prompt[:_LONGEST],
        gold=problem.answer or problem.solution or "",
        answer=(sample.output.completion if sample.output.choices else "")[:_LONGEST],
        extracted=score.answer if score else None,
        why=why,
        stop=sample.output.stop_reason if sample.output.choices else "",
        seconds=round(sample.total_time or 0.0, 3),
        spent=spent_from(sample.store.get(KEY)),
    )


def _order(key: tuple[str, int]) -> tuple[Any, ...]:
    """Numbers in their order, also within names."""
    problem, attempt = key
    return (0, int(problem), "", attempt) if problem.isdigit() else (1, 0, problem, attempt)
