"""lm-eval's samples: ``samples_TASK_TIME.jsonl``, as ``--log_samples`` writes them.

A sample carries the whole row that it was made from, the names of its metrics, and each metric's value beside
them; several filters make several samples of a row. A filter that finds no answer leaves ``[invalid]``
(lm_eval.evaluator and lm_eval.loggers.evaluation_tracker, 0.4.13).
"""

from pathlib import Path
from typing import Any, cast

from isthmus.errors import GateError
from isthmus.gate.importing.matching import Finding, Findings
from isthmus.gate.importing.reading import Object, names_in, number, read_lines, texts_in, the_one
from isthmus.gate.suites import Columns

_NOTHING_FOUND = "[invalid]"


def read(path: Path, columns: Columns, by: str | None) -> Findings:
    """What lm-eval found, by one metric of one filter, as its tables name them: ``exact_match,strict-match``.

    Raises:
        GateError: They are no samples, were cut off, or there are several metrics or filters.
    """
    samples = read_lines(path, dict[str, Any], "lm-eval")
    if not samples or not all({"doc", "metrics", "filter"} <= sample.keys() for sample in samples):
        raise GateError(f"{path} holds no samples of lm-eval's", hint="lm-eval run ... --log_samples")
    names = (f"{metric},{sample['filter']}" for sample in samples for metric in sample["metrics"])
    chosen = the_one(names, by, "metric")
    metric, _, filter_name = chosen.rpartition(",")
    found = (_finding(sample, metric, columns) for sample in samples if sample["filter"] == filter_name)
    return Findings("lm-eval", chosen, tuple(found))


def _finding(sample: Object, metric: str, columns: Columns) -> Finding:
    doc: Any = sample["doc"]
    row = cast("Object", doc) if isinstance(doc, dict) else {columns.text: doc}
    answers = sample.get("filtered_resps")
    return Finding(
        score=None if _NOTHING_FOUND in str(answers) else number(sample.get(metric)),
        texts=texts_in(row, columns.text),
        names=names_in(row, columns.id),
        failed=not answers,
    )
