"""The tools of a Responses request: what the model is given, and how its caller knows them.

A model knows functions alone, each by a name of its own. So a ``custom`` tool, whose input is plain text,
becomes a function of one string, a ``namespace`` becomes its functions under names that say where they
belong, and each call is given back in its tool's shape. Tools that only OpenAI can run are left out.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.messages import Tool, ToolChoice
from isthmus.wire.choices import ToolCheck

Kind: TypeAlias = Literal["function", "custom"]

INPUT = "input"
"""The one parameter of the function that stands for a custom tool."""

_LONGEST_NAME = 64
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")

# ---------------------------------------------------------------- shapes, as OpenAI publishes them


class InputFormat(Struct, omit_defaults=True):
    """What a custom tool's input must look like."""

    type: str
    syntax: str | None = None
    definition: str | None = None


class GivenTool(Struct, omit_defaults=True):
    """A tool of any type; which fields it needs is the type's matter."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    format: InputFormat | None = None
    tools: list["GivenTool"] | None = None


class Known(Struct, frozen=True):
    """A tool as its caller knows it."""

    kind: Kind
    name: str
    namespace: str | None = None


class Toolbox:
    """The tools of one request.

    Attributes:
        tools: What the model is given.
        shown: The tools that count, as a response shows them.
        dropped: The types of those that don't.

    Args:
        given: The request's own, as they came.
        brought: Those that items of the conversation brought along, maybe again.

    Raises:
        RequestError: A tool lacks its name, a namespace its tools, or a schema can't be worked with.
    """

    def __init__(self, given: Sequence[GivenTool], brought: Sequence[GivenTool] = ()) -> None:
        self.shown: list[dict[str, Any]] = []
        self.dropped: list[str] = []
        self._tools: dict[str, Tool] = {}
        self._known: dict[str, Known] = {}
        self._plain = {tool.name for tool in (*given, *brought) if tool.type != "namespace"}
        self._check = ToolCheck()
        self._again = False  # whether a tool may be there already
        for number, tool in enumerate(given):
            self._take(tool, f"tools[{number}]")
        self._again = True
        for tool in brought:
            self._take(tool, "input.tools")

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The functions that the model is given."""
        return tuple(self._tools.values())

    def known(self, name: str) -> Known:
        """The tool that the model calls by a name; a function of that name if there is none."""
        return self._known.get(name) or Known("function", name)

    def name_of(self, name: str, namespace: str | None) -> str:
        """What the model knows a tool by, of which its caller says name and namespace."""
        for flat, known in self._known.items():
            if known.name == name and known.namespace == namespace:
                return flat
        return name if namespace is None else _joined(namespace, name)

    def choose(self, choice: str | dict[str, Any] | None) -> tuple[tuple[Tool, ...], ToolChoice | None]:
        """The tools that a request's ``tool_choice`` leaves, and what it comes to for the model.

        Raises:
            RequestError: It demands a tool that isn't there, or that can't be run here.
        """
        match choice:
            case None | "auto" | "none":
                return self.tools, choice
            case "required":
                return self._required(self.tools)
            case {"type": "allowed_tools", "tools": [*allowed]}:
                names = [self._demanded(each) for each in allowed]
                tools = tuple(tool for name, tool in self._tools.items() if name in names)
                return self._allowed(tools, choice.get("mode"))
            case {"type": "function" | "custom"}:
                return self.tools, {"type": "function", "function": {"name": self._demanded(choice)}}
            case _:
                kind = choice.get("type") if isinstance(choice, dict) else choice
                raise RequestError(f"tool_choice: {kind!r} can't be demanded here", param="tool_choice")

    def _allowed(self, tools: tuple[Tool, ...], mode: object) -> tuple[tuple[Tool, ...], ToolChoice | None]:
        match mode:
            case "required":
                return self._required(tools)
            case "none":
                return tools, "none"
            case None | "auto":
                return tools, "auto"
            case _:
                raise RequestError(
                    f"tool_choice.mode: {str(mode)[:100]!r} is not one of none, auto, required",
                    param="tool_choice.mode",
                )

    def _required(self, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], ToolChoice]:
        if tools:
            return tools, "required"
        left = f"; {', '.join(self.dropped)} can't be run here" if self.dropped else ""
        raise RequestError(
            f"tool_choice: a call is required, and there is no tool{left}", param="tool_choice"
        )

    def _demanded(self, choice: Any) -> str:
        """The model's name of a tool that a choice names."""
        match choice:
            case {"type": "function" | "custom", "name": str(name)}:
                flat = self.name_of(name, choice.get("namespace"))
            case {"type": str(kind)} if kind not in ("function", "custom"):
                raise RequestError(
                    f"tool_choice: a tool of type {kind!r} can't be run here", param="tool_choice"
                )
            case _:
                raise RequestError("tool_choice: a tool is named by its type and name", param="tool_choice")
        if flat in self._tools:
            return flat
        # A namespace's tool may be named without it, where no other has the name.
        alike = [flat for flat, known in self._known.items() if known.name == name]
        if len(alike) == 1:
            return alike[0]
        raise RequestError(f"tool_choice: {name!r} is none of the tools", param="tool_choice")

    def _take(self, tool: GivenTool, param: str) -> None:
        match tool.type:
            case "function" | "custom":
                self._add(tool, tool.type, None, param)
                self.shown.append(_shown(tool))
            case "namespace":
                self._take_namespace(tool, param)
            case _:
                self.dropped.append(tool.type)

    def _take_namespace(self, space: GivenTool, param: str) -> None:
        name = _named(space, param)
        if not space.tools:
            raise RequestError(f"{param}.tools is required: a namespace has tools", param=f"{param}.tools")
        shown: list[dict[str, Any]] = []
        about = space.description
        for number, tool in enumerate(space.tools):
            match tool.type:
                case "function" | "custom":
                    # What the namespace is about is said once, by its first tool: prompts are dear at home.
                    self._add(tool, tool.type, name, f"{param}.tools[{number}]", about)
                    about = None
                    shown.append(_shown(tool))
                case _:
                    self.dropped.append(tool.type)
        self.shown.append(
            {"type": "namespace", "name": name, "description": space.description or "", "tools": shown}
        )

    def _add(
        self, tool: GivenTool, kind: Kind, namespace: str | None, param: str, about: str | None = None
    ) -> None:
        name = _named(tool, param)
        known = Known(kind, name, namespace)
        if self._again and known in self._known.values():
            return
        flat = name if namespace is None else self._free(_joined(namespace, name))
        said = "\n\n".join(filter(None, (about, tool.description)))
        if kind == "custom":
            function = _as_function(flat, said, tool.format)
        else:
            function = Tool(flat, said or None, tool.parameters, tool.strict)
        self._check.add(function, f"{param}.name", f"{param}.parameters")
        self._tools[flat], self._known[flat] = function, known

    def _free(self, name: str) -> str:
        """The name itself, or one like it that no tool has."""
        free, number = name, 2
        while free in self._tools or free in self._plain:
            end = f"_{number}"
            free, number = name[: _LONGEST_NAME - len(end)] + end, number + 1
        return free


def _named(tool: GivenTool, param: str) -> str:
    if not tool.name:
        raise RequestError(f"{param}.name is required", param=f"{param}.name")
    return tool.name


def _joined(namespace: str, name: str) -> str:
    """One name for both, as models' templates allow names."""
    joined = _FOREIGN.sub("_", f"{namespace}__{name}")
    if len(joined) <= _LONGEST_NAME:
        return joined
    mark = hashlib.sha256(joined.encode()).hexdigest()[:8]
    return f"{joined[: _LONGEST_NAME - 9]}_{mark}"


def _as_function(name: str, about: str, wanted: InputFormat | None) -> Tool:
    if wanted is not None and wanted.definition:
        about += f"\n\nThe input follows this {wanted.syntax or ''} grammar:\n{wanted.definition}"
    text = {"type": "string", "description": "The whole input of the tool, as plain text"}
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {INPUT: text},
        "required": [INPUT],
        "additionalProperties": False,
    }
    return Tool(name, about.strip() or None, parameters)


def _shown(tool: GivenTool) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": tool.type, "name": tool.name, "description": tool.description}
    if tool.type == "function":
        return shown | {"parameters": tool.parameters, "strict": tool.strict}
    given = tool.format
    if given is None or given.definition is None:
        return shown | {"format": {"type": "text"}}
    grammar = {"type": given.type, "syntax": given.syntax, "definition": given.definition}
    return shown | {"format": grammar}
