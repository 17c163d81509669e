"""Anthropic's Messages requests, as a client: the nouns become the body of an upstream's call.

A conversation is put in Anthropic's order: instructions stand beside it, results of tools are the person's,
and two turns of one side become one turn of several blocks.
"""

import re
from typing import Any

import msgspec

from isthmus.errors import RequestError
from isthmus.messages import Effort, GenerationRequest, Message, Part, TextPart, Tool, ToolChoice

_DATA = re.compile(r"data:(?P<type>image/[a-z0-9.+-]+);base64,(?P<data>.*)", re.IGNORECASE | re.DOTALL)
_EFFORTS: dict[Effort, str] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
}
_ENCODER = msgspec.json.Encoder()


def render_messages(request: GenerationRequest, model: str) -> bytes:
    """The body of a streaming call; parameters that were not given are not sent.

    Args:
        request: What is asked; its ``max_tokens`` is set, as Anthropic wants it.
        model: The model's name there.

    Raises:
        RequestError: The arguments of an earlier call aren't JSON, or a schema is nested too deeply.
    """
    instructions = [m.text for m in request.messages if m.role in ("system", "developer")]
    optional: dict[str, Any] = {
        "system": "\n\n".join(instructions) or None,
        "stop_sequences": list(request.stop) or None,
        "tools": [_render_tool(tool) for tool in request.tools] or None,
        "tool_choice": _render_choice(request) if request.tools else None,
        "output_config": _render_output(request) or None,
    }
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "messages": _render_turns(request.messages),
        "stream": True,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    try:
        return _ENCODER.encode(body)
    except RecursionError as error:
        raise RequestError("the request is nested too deeply to be passed on") from error


# ---------------------------------------------------------------- turns


def _render_turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _render_blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _render_blocks(message: Message) -> list[dict[str, Any]]:
    content = message.content
    parts = (TextPart(content),) if isinstance(content, str) else content
    # A block of text with nothing in it is refused.
    blocks = [_render_part(part) for part in parts if not isinstance(part, TextPart) or part.text]
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id or "", "content": blocks}]
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _arguments(call.arguments)}
        for call in message.tool_calls
    ]
    return blocks + calls


def _render_part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if inline := _DATA.fullmatch(part.url):
        source = {"type": "base64", "media_type": inline["type"].lower(), "data": inline["data"]}
    else:
        source = {"type": "url", "url": part.url}
    return {"type": "image", "source": source}


def _arguments(text: str) -> dict[str, Any]:
    """A call's arguments, which are an object here and its text at OpenAI."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RequestError("the arguments of an earlier tool call are not a JSON object") from error


# ---------------------------------------------------------------- tools and shapes


def _render_tool(tool: Tool) -> dict[str, Any]:
    schema = {"type": "object", **(tool.parameters or {})}
    optional = {"description": tool.description, "strict": tool.strict}
    known = {name: value for name, value in optional.items() if value is not None}
    return {"name": tool.name, "input_schema": schema} | known


def _render_choice(request: GenerationRequest) -> dict[str, Any] | None:
    choice = _choice(request.tool_choice)
    if request.parallel_tool_calls is None or choice == {"type": "none"}:
        return choice
    return {**(choice or {"type": "auto"}), "disable_parallel_tool_use": not request.parallel_tool_calls}


def _choice(choice: ToolChoice | None) -> dict[str, Any] | None:
    match choice:
        case None:
            return None
        case "auto" | "none":
            return {"type": choice}
        case {"function": {"name": str() as name}}:
            return {"type": "tool", "name": name}
        case _:
            return {"type": "any"}


def _render_output(request: GenerationRequest) -> dict[str, Any]:
    output: dict[str, Any] = {}
    if request.effort in _EFFORTS:
        output["effort"] = _EFFORTS[request.effort]
    form = request.response_format or {}
    if form.get("type") == "json_schema":
        output["format"] = {"type": "json_schema", "schema": form.get("json_schema", {}).get("schema", {})}
    return output
