"""JSON Schemas as far as the engine's grammars know them.

llama.cpp turns a schema into a grammar and passes over what it has no rule for: ``not``, the bounds of a
number, a pattern without anchors, whatever stands beside ``anyOf``. Here a schema is rewritten into what is
enforced, and what is not is named, so that nobody takes for kept what isn't.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias, cast

from msgspec import Struct

from isthmus.engines.grammar_pattern import grammar_pattern
from isthmus.errors import RequestError
from isthmus.wire.schemas import Schema, resolve

MAX_REPETITION = 2_000
"""How often the engine's grammars repeat something at most."""
MAX_NODES = 20_000
"""Schemas that one may grow to: what ``allOf`` refers to is copied into its place."""
_MAX_MERGES = 8
"""References in ``allOf`` to schemas with such references, one in the other."""

_Node: TypeAlias = dict[str, Any]
_NOTES = ("title", "description", "default", "examples")
_FORMATS = {
    "date": None,
    "time": None,
    "date-time": None,
    "uuid": None,
    # Not all that the format allows, and nothing that it doesn't.
    "email": r"^[a-zA-Z0-9_+-]+(\.[a-zA-Z0-9_+-]+)*@[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*(\.[a-zA-Z0-9]+)+$",
    "hostname": r"^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*(\.[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)*$",
    "ipv4": r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}"
    r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$",
    "ipv6": r"^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$",
    "duration": r"^P([0-9]{1,4}[YMWD]|T[0-9]{1,4}[HMS])$",
    "uri": r"^https?://[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~%!$&'()*+,;=:@-]*)*$",
}
"""The formats that are enforced: by the engine itself (None), or by a pattern."""
_COMBINED = frozenset({"anyOf", "oneOf", "allOf", "$ref", "const", "enum"})
_LOST = (
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "contains",
    "minContains",
    "maxContains",
    "unevaluatedItems",
    "unevaluatedProperties",
    "multipleOf",
)
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ .-$@/:")
"""What names may hold beside which others are allowed: the engine spells out what isn't one of them."""


class Kept(Struct, frozen=True):
    """A schema that is enforced as it stands, and the places of what the original asked beyond it."""

    schema: _Node
    lost: tuple[str, ...] = ()


def keep(schema: _Node, root: str = "#") -> Kept:
    """What of a schema is enforced.

    Args:
        schema: A checked one.
        root: Where it will stand in the document that the engine gets; its references are changed to fit.
    """
    rewriting = _Rewriting(schema, root)
    kept = rewriting.node(schema, "")
    if rewriting.whole and root == "#":
        # The engine follows no reference to the document itself.
        return Kept(
            {"$defs": {"whole": keep(schema, "#/$defs/whole").schema}, "$ref": "#/$defs/whole"},
            rewriting.told,
        )
    return Kept(kept, rewriting.told)


class _Rewriting:
    """One schema on its way: where its references lead, and what was lost."""

    def __init__(self, document: _Node, root: str) -> None:
        self._document = document
        self._root = root
        self._lost: list[str] = []
        self._nodes = 0
        self._merges = 0
        self.whole = False

    @property
    def told(self) -> tuple[str, ...]:
        """The places of what was lost."""
        return tuple(self._lost)

    def node(self, schema: Schema, where: str) -> _Node:
        """A schema as it is enforced."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise RequestError(f"a schema grows to more than {MAX_NODES:,} once its references are followed")
        if isinstance(schema, bool):
            if not schema:
                self._lose(where, "false")
            return {}
        kept = {name: schema[name] for name in _NOTES if name in schema}
        for keyword in _LOST:
            if keyword in schema:
                self._lose(where, keyword)
        for keyword in ("$defs", "definitions"):
            if isinstance(named := schema.get(keyword), dict):
                inner = cast("dict[str, Schema]", named)
                kept[keyword] = {
                    name: self.node(each, f"{where}.{keyword}.{name}") for name, each in inner.items()
                }
        if combined := self._combination(schema, where):
            return kept | combined
        types = schema.get("type", [])
        kept |= {"type": schema["type"]} if "type" in schema else {}
        named = set(cast("list[str]", types) if isinstance(types, list) else [types])
        kept |= self._object(schema, where)
        kept |= self._array(schema, where)
        kept |= self._string(schema, where)
        kept |= self._number(schema, where, named)
        if not named and (guess := _guessed_type(kept)):
            kept["type"] = guess
        return kept

    # ------------------------------------------------------------ references and alternatives

    def _combination(self, schema: _Node, where: str) -> _Node | None:
        """What the engine looks at alone, whatever stands beside it; None where there is none of that."""
        if "$ref" in schema:
            self._lose_beside(schema, "$ref", where)
            return {"$ref": self._moved(schema["$ref"])}
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                self._lose_beside(schema, keyword, where, but=("type",))
                return {
                    "anyOf": [
                        self._way(schema, each, f"{where}.{keyword}[{n}]")
                        for n, each in enumerate(schema[keyword])
                    ]
                }
        if "allOf" in schema:
            return self._all(schema, where)
        if "const" in schema:
            return {"const": schema["const"]}
        if "enum" in schema:
            if schema["enum"]:
                return {"enum": schema["enum"]}
            self._lose(where, "enum")
        return None

    def _way(self, schema: _Node, way: Schema, where: str) -> _Node:
        """One of several ways, with the type that stands beside them."""
        if isinstance(way, dict) and "type" in schema and not (way.keys() & (_COMBINED | {"type"})):
            way = {"type": schema["type"]} | way
        return self.node(way, where)

    def _all(self, schema: _Node, where: str) -> _Node:
        parts = cast("list[Schema]", schema["allOf"])
        if len(parts) == 1:
            self._lose_beside(schema, "allOf", where)
            return self.node(parts[0], f"{where}.allOf[0]")
        if self._merges >= _MAX_MERGES:
            self._lose(where, "allOf")
            return {}
        merged: _Node = {"type": "object", "properties": {}, "required": []}
        beyond = _CONSTRAINTS.union(_LOST) - {"properties", "required", "type"}
        beside = {name: each for name, each in schema.items() if name not in ("allOf", *_LOST)}
        for place, part in [("", beside), *((f".allOf[{n}]", part) for n, part in enumerate(parts))]:
            seen = (
                resolve(self._document, part["$ref"]) if isinstance(part, dict) and "$ref" in part else part
            )
            if (
                not isinstance(seen, dict)
                or seen.keys() & _COMBINED
                or seen.get("type", "object") != "object"
            ):
                self._lose(where + place, "allOf")
                continue
            merged["properties"] |= seen.get("properties", {})
            merged["required"] += seen.get("required", [])
            self._lose_all((name for name in seen if name in beyond), where + place)
        self._merges += 1
        kept = self.node(merged, where)
        self._merges -= 1
        return kept

    def _moved(self, ref: str) -> str:
        self.whole = self.whole or ref == "#"
        return self._root + ref[1:]

    # ------------------------------------------------------------ values

    def _object(self, schema: _Node, where: str) -> _Node:
        kept: _Node = {}
        required = list(dict.fromkeys(cast("list[str]", schema.get("required", []))))
        properties = cast("dict[str, Schema]", schema.get("properties", {}))
        others = cast("Schema | None", schema.get("additionalProperties"))
        if properties or required:
            named: dict[str, _Node] = {}
            for name, each in properties.items():
                if each is not False or name in required:
                    named[name] = self.node(each, f"{where}.properties.{name}")
            for name in required:
                if name not in named and others is False:
                    self._lose(where, "required")
                # Last, so that what is declared keeps its order.
                named.setdefault(name, self.node(others, where) if others else {})
            kept["properties"] = named
            if required:
                kept["required"] = required
        elif "properties" in schema:
            kept["properties"] = {}
        if isinstance(others, dict):
            kept["additionalProperties"] = self.node(others, f"{where}.additionalProperties")
        elif others is not None:
            kept["additionalProperties"] = others
        if not all(set(name) <= _SAFE for name in kept.get("properties", ())):
            kept["additionalProperties"] = False
        return kept

    def _array(self, schema: _Node, where: str) -> _Node:
        kept: _Node = {}
        items = cast("Schema | list[Schema] | None", schema.get("items"))
        first = schema.get("prefixItems", items if isinstance(items, list) else None)
        if first is not None:
            listed = cast("list[Schema]", first)
            kept["prefixItems"] = [
                self.node(each, f"{where}.prefixItems[{n}]") for n, each in enumerate(listed)
            ]
            if schema.get("minItems", 0) > len(listed):
                self._lose(where, "minItems")
            return kept
        if isinstance(items, dict | bool):
            kept["items"] = self.node(items, f"{where}.items")
        if schema.get("uniqueItems"):
            self._lose(where, "uniqueItems")
        return kept | self._counts(schema, where, ("minItems", "maxItems"))

    def _string(self, schema: _Node, where: str) -> _Node:
        lengths = self._counts(schema, where, ("minLength", "maxLength"))
        pattern, form = schema.get("pattern"), schema.get("format")
        if pattern is None and form in _FORMATS:
            if lengths:
                self._lose_all(lengths, where)
            spelt = _FORMATS[form]
            return {"format": form} if spelt is None else {"format": form, "pattern": grammar_pattern(spelt)}
        if pattern is None:
            return lengths
        if form in _FORMATS:
            self._lose(where, "format")
        spelt = grammar_pattern(pattern)
        if spelt is None:
            self._lose(where, "pattern")
            return lengths
        self._lose_all(lengths, where)
        return {"pattern": spelt}

    def _number(self, schema: _Node, where: str, named: set[str]) -> _Node:
        bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        asked = {name: schema[name] for name in bounds if name in schema}
        if not asked or (named and not named & {"integer", "number"}):
            return {}
        whole = "number" not in named and "integer" in named
        kept: _Node = {}
        for name, bound in asked.items():
            exact = isinstance(bound, int) and not isinstance(bound, bool) and abs(bound) < 2**53
            if whole and exact:
                kept[name] = bound
            elif whole and isinstance(bound, float) and bound.is_integer() and abs(bound) < 2**53:
                kept[name] = int(bound)
            else:
                self._lose(where, name)
        return kept

    def _counts(self, schema: _Node, where: str, names: Iterable[str]) -> _Node:
        kept: _Node = {}
        for name in names:
            if name in schema:
                if schema[name] <= MAX_REPETITION:
                    kept[name] = int(schema[name])
                else:
                    self._lose(where, name)
        return kept

    # ------------------------------------------------------------ what is lost

    def _lose_beside(self, schema: _Node, keyword: str, where: str, but: tuple[str, ...] = ()) -> None:
        beside = _CONSTRAINTS - {keyword, *but, *_LOST}
        self._lose_all((name for name in schema if name in beside), where)

    def _lose_all(self, names: Iterable[str], where: str) -> None:
        for name in names:
            self._lose(where, name)

    def _lose(self, where: str, keyword: str) -> None:
        self._lost.append(f"{where}.{keyword}".lstrip("."))


_CONSTRAINTS = frozenset(
    {
        *_COMBINED,
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    }
)


def _guessed_type(kept: _Node) -> str | None:
    """The type that a schema without one is about, where its keywords tell."""
    if kept.keys() & {"properties", "required", "additionalProperties"}:
        return "object"
    if kept.keys() & {"items", "prefixItems", "minItems", "maxItems"}:
        return "array"
    if kept.keys() & {"pattern", "format", "minLength", "maxLength"}:
        return "string"
    return None
