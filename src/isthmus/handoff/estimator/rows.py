"""Labelled questions, as profiles are learnt from: JSON lines or CSV, checked row by row.

A row has ``prompt``, ``weak_correct`` and ``strong_correct``, and where they are known ``weak_response``,
``logprobs`` and ``entropy`` (numbers, one a token of it), ``finish`` (why it ended) and ``samples`` (other
answers). In CSV, lists are written as JSON. Columns beyond these are passed over.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast, get_args

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.handoff.judging import LocalAnswer
from isthmus.messages import FinishReason

_TRUE, _FALSE = (
    frozenset({"true", "1", "1.0", "yes", "right"}),
    frozenset({"false", "0", "0.0", "no", "wrong"}),
)
_FINISHES: tuple[str, ...] = get_args(FinishReason)
_LONGEST_FIELD = 16 << 20
_LOOK = 'a row: {"prompt": "...", "weak_correct": true, "strong_correct": true, "weak_response": "..."}'


class Row(Struct, frozen=True):
    """A question, which model answers it rightly, if that is known, and the local answer, if there is one."""

    prompt: str
    weak_correct: bool | None = None
    strong_correct: bool | None = None
    answer: LocalAnswer | None = None


class Table(Struct, frozen=True):
    """Rows, the file that they came from and its hash."""

    rows: tuple[Row, ...]
    name: str
    sha256: str


def read_rows(path: Path, *, labelled: bool) -> Table:
    """Read a file of rows: .jsonl or .csv, either with .gz behind it.

    Args:
        path: The file.
        labelled: Whether each row must say which model is right.

    Raises:
        UsageError: It can't be read, or a row is not as it should be; the message has its line.
    """
    raw, objects = read_objects(path)
    rows = tuple(parse_row(each, where, labelled=labelled) for where, each in objects)
    if not rows:
        raise UsageError(f"{path} holds no rows", hint=_LOOK)
    return Table(rows, path.name, sha256(raw).hexdigest())


def read_objects(path: Path) -> tuple[bytes, Iterator[tuple[str, dict[str, Any]]]]:
    """A file's bytes, and its rows as they stand, each with where it stands.

    Raises:
        UsageError: It can't be read; from the iterator, a row can't.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}", hint=f"ls -l {path}") from error
    kind = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    # Not splitlines: a JSON text may hold other line ends, such as U+2028, as they are.
    lines = text.split("\n")
    return raw, _csv_objects(text, path) if kind == ".csv" else _json_objects(lines, path)


def parse_row(given: dict[str, Any], where: str, *, labelled: bool) -> Row:
    """A row out of an object.

    Raises:
        UsageError: It isn't as it should be; ``where`` says where it stands.
    """
    prompt = given.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise _bad(where, "it has no prompt", "prompt")
    labels = [_label(given, name, where, needed=labelled) for name in ("weak_correct", "strong_correct")]
    return Row(prompt, labels[0], labels[1], _answer(given, where))


def _answer(given: dict[str, Any], where: str) -> LocalAnswer | None:
    text = given.get("weak_response")
    logprobs = _numbers(given, "logprobs", where)
    if text is not None and not isinstance(text, str):
        raise _bad(where, "its weak_response is no text", "weak_response")
    if not text and not logprobs:
        return None
    finish = given.get("finish") or given.get("finish_reason")
    return LocalAnswer(
        text=text or "",
        logprobs=logprobs,
        whole=True,
        finish_reason=cast("FinishReason", finish) if finish in _FINISHES else None,
        entropies=_numbers(given, "entropy", where),
        samples=_texts(given, "samples", where),
    )


def _label(given: dict[str, Any], name: str, where: str, *, needed: bool) -> bool | None:
    value = given.get(name)
    if value is None or value == "":
        if needed:
            raise _bad(where, f"it has no {name}", name)
        return None
    spelt = str(value).strip().lower()
    if spelt not in _TRUE | _FALSE:
        raise _bad(where, f"its {name} is {str(value)[:40]!r}, neither true nor false", name)
    return spelt in _TRUE


def _numbers(given: dict[str, Any], name: str, where: str) -> tuple[float, ...]:
    found = _list(given, name, where)
    if not all(
        isinstance(each, int | float) and not isinstance(each, bool) and each == each for each in found
    ):
        raise _bad(where, f"its {name} are not all numbers", name)
    return tuple(max(-1e6, min(1e6, float(each))) for each in found)


def _texts(given: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = _list(given, name, where)
    if not all(isinstance(each, str) for each in found):
        raise _bad(where, f"its {name} are not all texts", name)
    return tuple(found)


def _list(given: dict[str, Any], name: str, where: str) -> list[Any]:
    value = given.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError as error:
            raise _bad(where, f"its {name} are no JSON list", name) from error
    if value is None:
        return []
    if not isinstance(value, list):
        raise _bad(where, f"its {name} are no list", name)
    return cast("list[Any]", value)


def _json_objects(lines: Iterable[str], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad(f"{path.name}, line {number}", f"it is no JSON: {error}") from error
        if not isinstance(value, dict):
            raise _bad(f"{path.name}, line {number}", "it is no JSON object")
        yield f"{path.name}, line {number}", cast("dict[str, Any]", value)


def _csv_objects(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if "prompt" not in (reader.fieldnames or ()):
        raise _bad(f"{path.name}, line 1", "its columns have no prompt", "prompt")
    try:
        for row in reader:
            yield f"{path.name}, line {reader.line_num}", {name: value for name, value in row.items() if name}
    except csv.Error as error:
        raise _bad(f"{path.name}, line {reader.line_num}", f"it is no CSV: {error}") from error


def _bad(where: str, why: str, param: str | None = None) -> UsageError:
    return UsageError(f"{where}: {why}", hint=_LOOK, param=param)
