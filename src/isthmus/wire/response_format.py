"""What form an answer must have: ``response_format``, as Chat Completions says it.

The form in which it goes on is one of two, or None for free text:
``{"type": "json_object"}`` and ``{"type": "json_schema", "json_schema": {"name", "schema", "strict"}}``.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from isthmus.errors import RequestError
from isthmus.wire.schemas import Allowance

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FIELDS = {"name", "description", "schema", "strict"}


def read_format(asked: Mapping[str, Any] | None, param: str = "response_format") -> dict[str, Any] | None:
    """The form that an answer must have.

    Raises:
        RequestError: It is malformed, or its schema can't be worked with.
    """
    if asked is None:
        return None
    match asked.get("type"):
        case "text":
            return None
        case "json_object":
            # Several engines take a schema here; theirs is the meaning that OpenAI gives to json_schema.
            if asked.get("schema") is not None:
                return json_schema("answer", asked["schema"], None, f"{param}.schema")
            return {"type": "json_object"}
        case "json_schema":
            return _named(asked.get("json_schema"), f"{param}.json_schema")
        case None:
            raise RequestError(f"{param}.type is required", param=f"{param}.type")
        case other:
            raise RequestError(
                f"{param}.type: {str(other)[:100]!r} is not one of text, json_object, json_schema",
                param=f"{param}.type",
            )


def json_schema(name: str, schema: object, strict: bool | None, param: str) -> dict[str, Any]:
    """The form of an answer that follows a schema.

    Args:
        name: What the schema is called.
        schema: The schema itself, as it was sent.
        strict: Whether all of it must be kept; else as much as can be.
        param: The parameter that holds the schema.

    Raises:
        RequestError: The schema can't be worked with.
    """
    if not isinstance(schema, dict):
        raise RequestError(f"{param}: expected a JSON Schema, an object", param=param)
    checked = cast("dict[str, Any]", schema)
    Allowance().check(checked, param)
    fields: dict[str, Any] = {"name": name, "schema": checked}
    return {"type": "json_schema", "json_schema": fields if strict is None else fields | {"strict": strict}}


def _named(asked: object, param: str) -> dict[str, Any]:
    if not isinstance(asked, dict):
        raise RequestError(f"{param} is required, an object", param=param)
    fields = cast("dict[str, Any]", asked)
    if unknown := sorted(fields.keys() - _FIELDS):
        at = f"{param}.{unknown[0][:100]}"
        raise RequestError(f"{at} is not a parameter", param=at)
    name, strict = fields.get("name"), fields.get("strict")
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        at = f"{param}.name"
        raise RequestError(f"{at}: expected 1 to 64 letters, digits, _ and -", param=at)
    if strict is not None and not isinstance(strict, bool):
        raise RequestError(f"{param}.strict: expected true or false", param=f"{param}.strict")
    form = json_schema(name or "answer", fields.get("schema"), strict, f"{param}.schema")
    if isinstance(description := fields.get("description"), str):
        form["json_schema"]["description"] = description
    return form
