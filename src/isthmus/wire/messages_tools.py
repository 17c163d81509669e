"""Tools as Messages requests name them: a program's own, those that Anthropic describes, those that it runs.

The last are dropped, and named, since nobody here runs them. Of those that Anthropic describes and the
program runs, a request holds a type and no schema, because Claude was trained on them: others need it told.
"""

from typing import Any

from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.messages import Tool
from isthmus.wire.choices import ToolCheck


class ToolDefinition(Struct):
    """A tool as a request defines it; a ``type`` other than custom is one of Anthropic's."""

    name: str | None = None
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    defer_loading: bool | None = None  # which tools to show at first; all are


def read_tools(definitions: list[ToolDefinition]) -> tuple[tuple[Tool, ...], list[str]]:
    """The tools, and those that were dropped, by place and type.

    Raises:
        RequestError: A tool of a program's own lacks its name or its schema, or they are beyond the limits.
    """
    tools: list[Tool] = []
    dropped: list[str] = []
    check = ToolCheck()
    for number, definition in enumerate(definitions):
        param = f"tools[{number}]"
        tool = _own(definition, param) or _described(definition)
        if tool is None:
            dropped.append(f"{param} ({definition.type})")
            continue
        check.add(tool, f"{param}.name", f"{param}.input_schema")
        tools.append(tool)
    return tuple(tools), dropped


def _own(definition: ToolDefinition, param: str) -> Tool | None:
    custom = definition.type in (None, "custom")
    if not custom and definition.input_schema is None:
        return None
    for name, value in (("name", definition.name), ("input_schema", definition.input_schema)):
        if value is None:
            raise RequestError(f"{param}.{name} is required", param=f"{param}.{name}")
    return Tool(definition.name or "", definition.description, definition.input_schema, definition.strict)


def _described(definition: ToolDefinition) -> Tool | None:
    """The tool of a type such as ``bash_20250124``, whatever its version."""
    kind = (definition.type or "").rpartition("_")[0]
    if kind not in _DESCRIPTIONS:
        return None
    usual_name, description, schema = _DESCRIPTIONS[kind]
    return Tool(definition.name or usual_name, description, schema, definition.strict)


# ---------------------------------------------------------------- what Claude knows by heart


def _schema(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _string(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _integer(description: str) -> dict[str, Any]:
    return {"type": "integer", "description": description}


def _lines(description: str) -> dict[str, Any]:
    items = {"type": "integer"}
    return {"type": "array", "items": items, "minItems": 2, "maxItems": 2, "description": description}


_RANGE = _lines("Of view: the first and the last line to show, counted from 1; -1 is the end.")

_BASH = _schema(
    [],
    command=_string("The command to run. Leave it out only to restart."),
    restart={"type": "boolean", "description": "Start the shell anew."},
)
_EDITOR = _schema(
    ["command", "path"],
    command=_string("What to do.", enum=["view", "create", "str_replace", "insert"]),
    path=_string("The path of the file, or of the folder to view."),
    view_range=_RANGE,
    file_text=_string("Of create: what the new file holds."),
    old_str=_string("Of str_replace: the text to replace, exactly as it stands, in one place only."),
    new_str=_string("Of str_replace: the text to put in its place."),
    insert_line=_integer("Of insert: the line after which to insert; 0 is the beginning."),
    insert_text=_string("Of insert: the text to insert."),
)
_MEMORY = _schema(
    ["command"],
    command=_string("What to do.", enum=["view", "create", "str_replace", "insert", "delete", "rename"]),
    path=_string("The path of the file or folder, below /memories."),
    view_range=_RANGE,
    file_text=_string("Of create: what the file holds."),
    old_str=_string("Of str_replace: the text to replace, exactly as it stands."),
    new_str=_string("Of str_replace: the text to put in its place."),
    insert_line=_integer("Of insert: the line after which to insert; 0 is the beginning."),
    insert_text=_string("Of insert: the text to insert."),
    old_path=_string("Of rename: the path until now."),
    new_path=_string("Of rename: the path from now on."),
)

_DESCRIPTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bash": ("bash", "Run commands in a shell that stays open between calls.", _BASH),
    "text_editor": ("str_replace_based_edit_tool", "View, create and edit text files.", _EDITOR),
    "memory": ("memory", "Keep notes in files that outlast this conversation.", _MEMORY),
}
"""By kind: the name that they go by, what they do, what they take."""
