"""Every text of a request that would leave, given to a function and put back changed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, cast

from msgspec import structs

from isthmus.messages import GenerationRequest, ImagePart, Message, Part, TextPart, Tool, ToolCall

Form: TypeAlias = Literal["text", "json", "name"]
"""text: prose, code, logs, perhaps JSON. json: JSON text, which has to stay valid. name: a participant's."""
Change: TypeAlias = Callable[[str, Form], str]


def rewritten(request: GenerationRequest, change: Change) -> GenerationRequest:
    """The request with each of its texts changed, in the order in which the model reads them.

    What stays: names of tools and functions, ids of calls, images.
    """
    return structs.replace(
        request,
        tools=tuple(_tool(each, change) for each in request.tools),
        messages=tuple(_message(each, change) for each in request.messages),
        response_format=_values(request.response_format, change),
        stop=tuple(change(each, "text") for each in request.stop),
        template=_values(request.template, change),
    )


def _message(message: Message, change: Change) -> Message:
    content = message.content
    return structs.replace(
        message,
        # A tool's messages carry the function's name, people's their own.
        name=message.name if message.name is None or message.role == "tool" else change(message.name, "name"),
        reasoning=None if message.reasoning is None else change(message.reasoning, "text"),
        content=change(content, "text")
        if isinstance(content, str)
        else tuple(_part(p, change) for p in content),
        tool_calls=tuple(_call(each, change) for each in message.tool_calls),
    )


def _part(part: Part, change: Change) -> Part:
    return part if isinstance(part, ImagePart) else TextPart(change(part.text, "text"))


def _call(call: ToolCall, change: Change) -> ToolCall:
    return structs.replace(call, arguments=change(call.arguments, "json"))


def _tool(tool: Tool, change: Change) -> Tool:
    return structs.replace(
        tool,
        description=None if tool.description is None else change(tool.description, "text"),
        parameters=_values(tool.parameters, change),
    )


def _values(value: Any, change: Change) -> Any:
    """A JSON value with all its strings changed, names of fields among them: they are answered with, too."""
    if isinstance(value, str):
        return change(value, "text")
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {change(name, "text"): _values(each, change) for name, each in fields.items()}
    if isinstance(value, list | tuple):
        return [_values(each, change) for each in cast("Sequence[Any]", value)]
    return value
