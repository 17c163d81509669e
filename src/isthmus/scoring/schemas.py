"""Answers that are JSON: found in the text, and held against a JSON Schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from isthmus.errors import UsageError
from isthmus.scoring.code_blocks import code_blocks
from isthmus.scoring.verdict import Verdict

_DECODER = json.JSONDecoder()
_MOST_STARTS = 100
"""Braces and brackets in a text that are tried as the beginning of a value."""


def score_schema(answer: str, schema: Mapping[str, Any]) -> Verdict:
    """Whether the JSON in an answer is as a schema says.

    Raises:
        UsageError: It is no JSON Schema.
    """
    try:
        validator = jsonschema_rs.validator_for(dict(schema))
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise UsageError(f"that is no JSON Schema: {str(error)[:200]}") from error
    found = next(json_in(answer), None)
    if found is None:
        return Verdict(right=False, extracted=None, why="there is no JSON in it")
    value, text = found
    error = next(iter(validator.iter_errors(value)), None)
    if error is None:
        return Verdict(right=True, extracted=text, why="it is as the schema says")
    where = "".join(f"[{each!r}]" for each in error.instance_path)
    return Verdict(right=False, extracted=text, why=f"{where + ': ' if where else ''}{error.message[:300]}")


def json_in(answer: str) -> Iterator[tuple[Any, str]]:
    """The JSON values in a text, with their own text: all of it, fenced blocks, what begins with a brace."""
    fenced = [block.code for block in code_blocks(answer) if block.language in ("json", "")]
    for text in (answer, *fenced):
        try:
            yield json.loads(text), text.strip()
        except (ValueError, RecursionError):
            continue
    at, tries = 0, 0
    while tries < _MOST_STARTS and (start := _next_start(answer, at)) is not None:
        tries += 1
        try:
            value, at = _DECODER.raw_decode(answer, start)
        except (ValueError, RecursionError):
            at = start + 1
        else:
            yield value, answer[start:at]


def _next_start(text: str, at: int) -> int | None:
    return min((place for place in (text.find("{", at), text.find("[", at)) if place >= 0), default=None)
