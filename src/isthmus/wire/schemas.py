"""JSON Schemas that people send: valid, of a size that can be worked with, and asking nothing of the network.

A schema becomes a grammar, and a grammar is looked at for each token of an answer, so that what a schema may
hold is bounded. The bounds are near those that OpenAI publishes for structured outputs.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias, cast
from urllib.parse import unquote

import jsonschema_rs

from isthmus.errors import RequestError

Schema: TypeAlias = dict[str, Any] | bool

MAX_DEPTH = 24
"""Levels of schemas in schemas. OpenAI takes 10; a grammar's rules may double with each two."""
MAX_JSON_DEPTH = 100
"""Levels of JSON, values and unknown keywords included, so that no walk through it runs out of stack."""
MAX_VALUES = 20_000
"""JSON values in all schemas of a request together."""
MAX_ENUM = 1_000
"""Values of one ``enum``, as at OpenAI."""
MAX_OPTIONAL = 128
"""Properties of one object that may be left out: the grammar grows with their square. 400 take seconds."""
MAX_TEXT = 500_000
"""Characters in all schemas of a request together, names and descriptions included."""
MAX_PATTERN = 512
"""Characters of a regular expression."""
MAX_REPETITION = 1_000
"""The largest number in braces of a regular expression: the grammar repeats what stands before it."""

_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLE = (
    "items",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
)
_DRAFTS = re.compile(r"https?://json-schema\.org/(draft/2020-12|draft/2019-09|draft-0[467])/schema#?")
_BRACES = re.compile(r"(?<!\\)\{(\d+)(?:,(\d*))?\}")


class Allowance:
    """What the schemas of one request may hold together; `check` takes from it."""

    def __init__(self) -> None:
        self._values = MAX_VALUES
        self._text = MAX_TEXT

    def check(self, schema: dict[str, Any], param: str) -> None:
        """Look at a schema.

        Args:
            schema: What was sent.
            param: The parameter that holds it.

        Raises:
            RequestError: It is no JSON Schema, too large, or refers to what isn't in it.
        """
        self._measure(schema, param)
        _check_form(schema, param)
        _check_schemas(schema, param)

    def _measure(self, schema: dict[str, Any], param: str) -> None:
        level: list[Any] = [schema]
        for _ in range(MAX_JSON_DEPTH):
            inner: list[Any] = []
            for value in level:
                self._values -= 1
                if isinstance(value, dict):
                    tree = cast("dict[str, Any]", value)
                    self._text -= sum(map(len, tree))
                    inner.extend(tree.values())
                elif isinstance(value, list):
                    inner.extend(cast("list[Any]", value))
                elif isinstance(value, str):
                    self._text -= len(value)
            if self._values < 0:
                raise RequestError(f"{param}: schemas hold more than {MAX_VALUES:,} values", param=param)
            if self._text < 0:
                raise RequestError(f"{param}: schemas hold more than {MAX_TEXT:,} characters", param=param)
            if not inner:
                return
            level = inner
        raise RequestError(f"{param} is nested more than {MAX_JSON_DEPTH} levels deep", param=param)


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, Schema]]:
    """The schemas right inside a valid schema, each with its place: ``properties.name``, ``anyOf[0]``."""
    for keyword in _SINGLE:
        if isinstance(inner := schema.get(keyword), dict | bool):
            yield keyword, cast("Schema", inner)
    for keyword in _MAPS:
        if isinstance(named := schema.get(keyword), dict):
            for name, inner in cast("dict[str, Schema]", named).items():
                yield f"{keyword}.{name}", inner
    for keyword in _LISTS:
        if isinstance(listed := schema.get(keyword), list):
            for number, inner in enumerate(cast("list[Schema]", listed)):
                yield f"{keyword}[{number}]", inner


def resolve(root: dict[str, Any], ref: str) -> Schema | None:
    """What a reference within a schema points at: ``#`` or ``#/$defs/name``; None if there is nothing."""
    target: Any = root
    for token in ref.split("/")[1:]:
        name = unquote(token).replace("~1", "/").replace("~0", "~")
        if isinstance(target, list):
            listed = cast("list[Any]", target)
            if not name.isdecimal() or len(name) > 6 or int(name) >= len(listed):
                return None
            target = listed[int(name)]
        elif isinstance(target, dict):
            target = cast("dict[str, Any]", target).get(name)
        else:
            return None
    return cast("Schema", target) if isinstance(target, dict | bool) else None


def place(param: str, where: str) -> str:
    """A place inside a parameter, short enough to be told."""
    return f"{param}.{where}"[:300]


def _check_form(schema: dict[str, Any], param: str) -> None:
    """Whether it is a JSON Schema at all, of whichever draft."""
    draft = schema.get("$schema")
    if not (isinstance(draft, str) and _DRAFTS.fullmatch(draft)):
        schema = {name: value for name, value in schema.items() if name != "$schema"}
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        where = place(param, ".".join(map(str, error.instance_path))).rstrip(".")
        raise RequestError(f"{where}: not a JSON Schema: {error.message[:200]}", param=where) from error
    except ValueError as error:
        raise RequestError(f"{param}: not a JSON Schema: {str(error)[:200]}", param=param) from error


def _check_schemas(root: dict[str, Any], param: str) -> None:
    """What the standard allows, and no grammar can be made of."""
    level: list[tuple[str, Schema]] = [("", root)]
    for _ in range(MAX_DEPTH):
        inner: list[tuple[str, Schema]] = []
        for where, schema in level:
            if isinstance(schema, bool):
                continue
            at = place(param, where).rstrip(".")
            _check_keywords(root, schema, at)
            inner.extend((f"{where}.{name}".lstrip("."), each) for name, each in subschemas(schema))
        if not inner:
            return
        level = inner
    raise RequestError(f"{param}: schemas are nested more than {MAX_DEPTH} levels deep", param=param)


def _check_keywords(root: dict[str, Any], schema: dict[str, Any], at: str) -> None:
    if len(schema.get("enum", ())) > MAX_ENUM:
        raise RequestError(f"{at}.enum has more than {MAX_ENUM:,} values", param=f"{at}.enum")
    if isinstance(properties := schema.get("properties"), dict):
        optional = cast("dict[str, Any]", properties).keys() - set(schema.get("required", ()))
        if len(optional) > MAX_OPTIONAL:
            where = f"{at}.properties"
            raise RequestError(
                f"{where}: more than {MAX_OPTIONAL} of them may be left out",
                param=where,
                hint="name under required those that are always there",
            )
    for keyword in ("$dynamicRef", "$recursiveRef"):
        if keyword in schema:
            raise RequestError(
                f"{at}.{keyword}: such references are not followed", param=f"{at}.{keyword}", hint="use $ref"
            )
    if "$ref" in schema:
        _check_reference(root, schema["$ref"], f"{at}.$ref")
    if "pattern" in schema:
        _check_pattern(schema["pattern"], f"{at}.pattern")
    for pattern in schema.get("patternProperties", ()):
        _check_pattern(pattern, f"{at}.patternProperties")


def _check_reference(root: dict[str, Any], ref: str, at: str) -> None:
    """Follow a reference, and those at which it points alone, to something that is a schema by itself."""
    seen: set[str] = set()
    while True:
        if ref != "#" and not ref.startswith("#/"):
            raise RequestError(
                f"{at}: {ref[:100]!r} is outside the schema, and nothing is fetched",
                param=at,
                hint="put it under $defs and refer to it as #/$defs/NAME",
            )
        if ref in seen:
            raise RequestError(f"{at}: {ref[:100]!r} refers to itself alone", param=at)
        seen.add(ref)
        target = resolve(root, ref)
        if target is None:
            raise RequestError(f"{at}: there is no {ref[:100]!r} in the schema", param=at)
        if isinstance(target, bool) or not isinstance(further := target.get("$ref"), str):
            return
        ref = further


def _check_pattern(pattern: str, at: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise RequestError(f"{at} is longer than {MAX_PATTERN} characters", param=at)
    counts = [int(count) for pair in _BRACES.findall(pattern) for count in pair if count]
    if max(counts, default=0) > MAX_REPETITION:
        raise RequestError(f"{at} repeats something more than {MAX_REPETITION:,} times", param=at)
    try:
        jsonschema_rs.validator_for({"pattern": pattern})
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise RequestError(f"{at}: not a regular expression: {pattern[:100]!r}", param=at) from error
