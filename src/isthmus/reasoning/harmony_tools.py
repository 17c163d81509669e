"""Tools as gpt-oss was trained to read them: their JSON Schemas as types in the manner of TypeScript.

The rules, and their quirks, are those of openai-harmony 0.0.8: the model is to see what it has seen before.
"""

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from isthmus.messages import Tool

_NAMES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
_DEEPER = "    "


def render_tools(tools: tuple[Tool, ...]) -> str:
    """The part of the developer's message that tells the tools."""
    described = "\n".join(line for tool in tools for line in _tool(tool))
    return f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{described}\n}} // namespace functions"


def _tool(tool: Tool) -> Iterator[str]:
    if tool.description:
        yield "\n".join(f"// {line}" for line in tool.description.splitlines())
    parameters = f"_: {_object(tool.parameters, '')}" if tool.parameters else ""
    yield f"type {tool.name} = ({parameters}) => any;\n"


def _object(schema: dict[str, Any], indent: str) -> str:
    description = schema.get("description")
    head = f"{indent}// {description}\n" if description else ""
    properties: dict[str, Any] = schema.get("properties") or {}
    required: list[str] = schema.get("required") or []
    lines = [
        line
        for name, each in properties.items()
        for line in _property(name, _schema(each), name in required, indent)
    ]
    return "\n".join([head + "{", *lines, indent + "}"])


def _property(name: str, schema: dict[str, Any], required: bool, indent: str) -> Iterator[str]:
    if title := schema.get("title"):
        yield f"{indent}// {title}"
        yield f"{indent}//"
    if description := schema.get("description"):
        yield f"{indent}// {description}"
    if examples := [each for each in schema.get("examples") or () if isinstance(each, str)]:
        yield f"{indent}// Examples:"
        yield from (f'{indent}// - "{each}"' for each in examples)
    head = f"{indent}{name}{'' if required else '?'}:"
    default = f"// default: {_default(schema)}" if "default" in schema else ""
    if ways := schema.get("oneOf"):
        if default:
            yield f"{indent}{default}"
        yield head
        yield from (f"{indent} | {_type(_schema(way), indent + '   ')}" for way in ways)
        yield ","
    else:
        yield f"{head} {_type(schema, indent + _DEEPER)},{' ' + default if default else ''}"


def _type(schema: dict[str, Any], indent: str) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_NAMES.get(str(each), "any") for each in cast("list[Any]", kind))
    if kind == "object":
        return _object(schema, indent)
    if kind == "array":
        return f"{_type(_schema(schema['items']), indent)}[]" if "items" in schema else "Array<any>"
    if kind == "null":
        return "any"
    if kind == "string" and schema.get("enum"):
        name = " | ".join(f'"{each}"' for each in schema["enum"])
    else:
        name = _NAMES.get(str(kind), "any")
    return f"{name} | null" if schema.get("nullable") else name


def _schema(each: Any) -> dict[str, Any]:
    """A schema as an object; ``true``, which allows anything, says as much as an empty one."""
    return cast("dict[str, Any]", each) if isinstance(each, dict) else {}


def _default(schema: dict[str, Any]) -> str:
    """A property's default: bare, where it is one of some words."""
    value = schema["default"]
    if schema.get("type") == "string" and schema.get("enum"):
        return str(value)
    return msgspec.json.encode(value).decode()
