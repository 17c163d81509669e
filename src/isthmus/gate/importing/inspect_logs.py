"""Inspect's logs, ``.eval`` or ``.json``: samples with their scores. Needs the extra ``gate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.errors import GateError
from isthmus.gate.importing.matching import Finding, Findings
from isthmus.gate.importing.reading import names_in, number, texts_in, the_one
from isthmus.gate.suites import Columns

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample

_LETTERS = {"C": 1.0, "I": 0.0}
"""Correct and incorrect; a part of it (P) or no answer (N) decides nothing."""


def read(path: Path, columns: Columns, by: str | None) -> Findings:
    """What Inspect found, by one of its scorers.

    Raises:
        GateError: It is no log, its run didn't end well, or several scorers scored.
    """
    log = _log(path)
    if log.status != "success":
        raise GateError(f"{path} is the log of a run that ended with {log.status}: it isn't whole")
    samples = log.samples or []
    scorer = the_one((name for each in samples for name in each.scores or {}), by, "scorer")
    version = str(log.eval.packages.get("inspect_ai", ""))
    return Findings(
        f"inspect-ai {version}".strip(), scorer, tuple(_finding(each, scorer, columns) for each in samples)
    )


def _log(path: Path) -> "EvalLog":
    from inspect_ai.log import read_eval_log

    if not path.is_file():
        raise GateError(f"{path} can't be read: there is no such file")
    try:
        return read_eval_log(str(path))
    except (ValueError, OSError, KeyError, EOFError) as error:
        raise GateError(f"{path} is no whole log of Inspect's: {error}") from error


def _finding(sample: "EvalSample", scorer: str, columns: Columns) -> Finding:
    score = (sample.scores or {}).get(scorer)
    named = (sample.id,) if isinstance(sample.id, str) else ()  # a number is a place, not a name
    return Finding(
        score=_value(score.value) if score else None,
        texts=(*_asked(sample), *texts_in(sample.metadata, columns.text)),
        names=(*names_in(sample.metadata, columns.id), *named),
        failed=sample.error is not None or not sample.output.choices,
    )


def _asked(sample: "EvalSample") -> tuple[str, ...]:
    if isinstance(sample.input, str):
        return (sample.input,)
    return tuple(each.text for each in reversed(sample.input) if each.role == "user")[:1]


def _value(value: Any) -> float | None:
    return _LETTERS.get(value) if isinstance(value, str) else number(value)
