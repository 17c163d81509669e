"""What of its tools a model may call, or must: ``tools`` and ``tool_choice``, checked against each other."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.messages import Tool, ToolChoice
from isthmus.wire.schemas import Allowance

MAX_TOOLS = 512
"""OpenAI takes 128; a coding agent with a few tool servers brings more. Each costs a prompt's tokens."""
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
"""OpenAI's names are shorter and have no dots, colons or slashes; tool servers' have."""


class Choice(Struct, frozen=True):
    """The tools that the model may call now, and whether it may, must or must not."""

    tools: tuple[Tool, ...]
    choice: ToolChoice | None


class ToolCheck:
    """Looks at the tools of one request, one by one."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._allowance = Allowance()

    def add(self, tool: Tool, name: str, schema: str) -> None:
        """Look at a tool.

        Args:
            tool: The tool.
            name: The parameter that holds its name.
            schema: The parameter that holds its schema.

        Raises:
            RequestError: As `check_tools`.
        """
        if not _NAME.fullmatch(tool.name):
            raise RequestError(
                f"{name}: {tool.name[:140]!r} is not a name of 1 to 128 letters, digits and _ . : / -",
                param=name,
            )
        if tool.name in self._names:
            raise RequestError(f"{name}: {tool.name!r} is there twice", param=name)
        self._names.add(tool.name)
        if len(self._names) > MAX_TOOLS:
            raise RequestError(f"there are more than {MAX_TOOLS} tools", param=name.partition("[")[0])
        if tool.parameters is not None:
            self._allowance.check(tool.parameters, schema)


def check_tools(tools: Iterable[Tool], param: str = "tools") -> tuple[Tool, ...]:
    """The tools, once they are known to be usable.

    Args:
        tools: As they were asked for.
        param: What the API calls them.

    Raises:
        RequestError: A name that no model could call, two of one name, a schema beyond its limits.
    """
    checked = tuple(tools)
    check = ToolCheck()
    for number, tool in enumerate(checked):
        where = f"{param}[{number}].function"
        check.add(tool, f"{where}.name", f"{where}.parameters")
    return checked


def choose(
    tools: tuple[Tool, ...], asked: str | Mapping[str, Any] | None, param: str = "tool_choice"
) -> Choice:
    """What ``tool_choice`` makes of the tools.

    A function is named as Chat Completions does it (``{"type": "function", "function": {"name": ...}}``) or
    as Responses does (``{"type": "function", "name": ...}``); so are those of ``allowed_tools``.

    Raises:
        RequestError: It is malformed, or asks for a tool that isn't there.
    """
    if asked is None or isinstance(asked, str):
        if asked not in (None, "auto", "none", "required"):
            raise RequestError(f"{param}: {asked!r} is not one of auto, none, required", param=param)
        if asked == "required" and not tools:
            raise RequestError(f"{param}: a call is required, and there are no tools", param=param)
        return Choice(tools, cast("ToolChoice | None", asked if tools else None))
    match asked.get("type"):
        case "function":
            name = _name(asked, param)
            _find(name, tools, param)
            return Choice(tools, {"type": "function", "function": {"name": name}})
        case "allowed_tools":
            return _allowed(tools, asked, param)
        case other:
            raise RequestError(
                f"{param}.type: {other!r} is not one of function, allowed_tools", param=f"{param}.type"
            )


def _allowed(tools: tuple[Tool, ...], asked: Mapping[str, Any], param: str) -> Choice:
    inner = asked.get("allowed_tools", asked)
    param = f"{param}.allowed_tools" if inner is not asked else param
    if not isinstance(inner, dict):
        raise RequestError(f"{param}: expected an object", param=param)
    allowed = cast("dict[str, Any]", inner)
    mode, listed = allowed.get("mode", "auto"), allowed.get("tools")
    if mode not in ("auto", "required"):
        raise RequestError(f"{param}.mode: {mode!r} is not one of auto, required", param=f"{param}.mode")
    if not isinstance(listed, list) or not listed:
        raise RequestError(f"{param}.tools: expected a list of at least one tool", param=f"{param}.tools")
    names: set[str] = set()
    for number, each in enumerate(cast("list[Any]", listed)):
        where = f"{param}.tools[{number}]"
        if not isinstance(each, dict):
            raise RequestError(f"{where}: expected an object", param=where)
        name = _name(cast("dict[str, Any]", each), where)
        _find(name, tools, where)
        names.add(name)
    return Choice(tuple(tool for tool in tools if tool.name in names), mode)


def _name(asked: Mapping[str, Any], param: str) -> str:
    function = asked.get("function", asked)
    name = cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise RequestError(f"{param}.function.name is required", param=f"{param}.function.name")
    return name


def _find(name: str, tools: tuple[Tool, ...], param: str) -> None:
    if not any(tool.name == name for tool in tools):
        raise RequestError(f"{param}: there is no tool {name[:140]!r} among the request's", param=param)
