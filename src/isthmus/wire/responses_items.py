"""The items of a conversation in the Responses API: as they are kept, and as the messages of a prompt.

An item as it comes may leave out much (a message without type, its content a plain string); as it is kept it
has an id, a status and a list of parts, so that it can be given back as it is.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeVar, cast
from uuid import uuid4

import msgspec
from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.messages import ImagePart, Message, Part, Role, TextPart, ToolCall
from isthmus.wire.call import Mark, is_marked
from isthmus.wire.images import check_image
from isthmus.wire.responses_summary import is_sealed, recalled, unpacked
from isthmus.wire.responses_tools import INPUT, GivenTool, Toolbox

Item: TypeAlias = dict[str, Any]
T = TypeVar("T")

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "compaction": "cmp",
}
_TOOLS = frozenset({"additional_tools", "tool_search_output"})
"""Items that bring further tools."""

# ---------------------------------------------------------------- shapes: only what is read


class _Url(Struct):
    url: str


class _Part(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | _Url | None = None
    detail: str | None = None
    isthmus: Mark | None = None


class _Message(Struct):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part] | None = None


class _Thought(Struct):
    text: str


class _Reasoning(Struct):
    summary: list[_Thought] | None = None
    content: list[_Thought] | None = None


class _Call(Struct):
    call_id: str
    name: str
    arguments: str = ""
    input: str = ""
    namespace: str | None = None


class _Output(Struct):
    call_id: str
    output: str | list[_Part]


class _Compaction(Struct):
    encrypted_content: str


class _Bringing(Struct):
    tools: list[GivenTool]


class _Marked(Struct):
    isthmus: Mark | None = None


def new_id(prefix: str) -> str:
    """An identifier that nothing else has: ``msg_...`` of a message, ``resp_...`` of a response."""
    return f"{prefix}_{uuid4().hex}"


# ---------------------------------------------------------------- as they are kept


def read_input(given: str | list[Item] | None) -> list[Item]:
    """A request's input as items that can be kept and given back.

    Raises:
        RequestError: An item isn't one; ``param`` names it.
    """
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [_kept(item, f"input[{number}]") for number, item in enumerate(given or ())]


def _kept(item: Item, param: str) -> Item:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if not isinstance(kind, str):
        raise RequestError(f"{param}.type: expected a string", param=f"{param}.type")
    _fit(item, _Marked, param)
    kept = {**item, "type": kind}
    match kind:
        case "message":
            kept["content"] = _kept_content(_fit(item, _Message, param), param)
        case "reasoning":
            _fit(item, _Reasoning, param)
            kept["summary"] = item.get("summary") or []
        case "function_call" | "custom_tool_call":
            _fit(item, _Call, param)
        case "function_call_output" | "custom_tool_call_output":
            output = _fit(item, _Output, param).output
            if not isinstance(output, str):
                kept["output"] = _kept_parts(output, "input_text", f"{param}.output")
        case "compaction":
            content = _fit(item, _Compaction, param).encrypted_content
            unpacked(content, f"{param}.encrypted_content")
        case "item_reference":
            if not isinstance(item.get("id"), str):
                raise RequestError(f"{param}.id is required", param=f"{param}.id")
            return kept
        case _:
            pass
    if not isinstance(kept.get("id"), str):
        kept["id"] = new_id(_PREFIXES.get(kind, "item"))
    if not isinstance(kept.get("status"), str):
        kept["status"] = "completed"
    return kept


def _kept_content(message: _Message, param: str) -> list[Item]:
    content = message.content
    text = "output_text" if message.role == "assistant" else "input_text"
    if not isinstance(content, list):
        content = [_Part(text, content or "")]
    return _kept_parts(content, text, f"{param}.content")


def _kept_parts(parts: list[_Part], text_type: str, param: str) -> list[Item]:
    return [_kept_part(part, text_type, f"{param}[{place}]") for place, part in enumerate(parts)]


def _kept_part(part: _Part, text_type: str, param: str) -> Item:
    kept = _kept_content_of(part, text_type, param)
    return kept | MARKED if is_marked(part.isthmus) else kept


def _kept_content_of(part: _Part, text_type: str, param: str) -> Item:
    if part.type in _TEXTS and part.text is not None:
        kept: Item = {"type": text_type, "text": part.text}
        return kept | {"annotations": []} if text_type == "output_text" else kept
    if part.type == "refusal" and part.refusal is not None:
        return {"type": "refusal", "refusal": part.refusal}
    if part.type == "input_image" and part.image_url is not None:
        url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
        check_image(url, f"{param}.image_url")
        return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
    if part.type == "input_image":
        raise RequestError(f"{param}: an image is given by its image_url", param=f"{param}.image_url")
    raise RequestError(f"{param}: a part of type {part.type!r} can't be read here", param=param)


def _fit(item: Item, shape: type[T], param: str) -> T:
    try:
        return msgspec.convert(item, shape)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at `$")
        param += where.rstrip("`")
        raise RequestError(f"{param}: {said[:1].lower()}{said[1:]}", param=param) from error


# ---------------------------------------------------------------- marks

MARKED: Item = {"isthmus": {"home_only": True}}
"""What an item, or a part of one, has beside its own where it stays home."""


def marked(items: Sequence[Item]) -> list[Item]:
    """The same items, each of which stays home."""
    return [item | MARKED for item in items]


def _home_only(item: Item) -> bool:
    """Whether an item that is kept, or a part of it, stays home."""
    if item["type"] == "compaction" and is_sealed(item["encrypted_content"]):
        return True
    return any(is_marked(_fit(each, _Marked, "input").isthmus) for each in (item, *_parts(item)))


def _parts(item: Item) -> list[Item]:
    parts = item.get("content") or item.get("output")
    if not isinstance(parts, list):
        return []
    return [cast("Item", part) for part in cast("list[Any]", parts) if isinstance(part, dict)]


# ---------------------------------------------------------------- as tools and messages


def tools_in(items: list[Item]) -> list[GivenTool]:
    """The tools that items bring along, beside those of the request.

    Raises:
        RequestError: One isn't a tool.
    """
    bringing = [item for item in items if item["type"] in _TOOLS and item.get("tools")]
    return [tool for item in bringing for tool in _fit(item, _Bringing, item["type"]).tools]


def as_messages(items: list[Item], toolbox: Toolbox) -> tuple[list[Message], list[str]]:
    """A conversation's items as messages, and the types of those that have no place in one."""
    turns = _Turns()
    left_out: list[str] = []
    for item in items:
        turns.mark(_home_only(item))
        match item["type"]:
            case "message":
                turns.say(item["role"], _content(item["content"]))
            case "reasoning":
                turns.think(_thought(item))
            case "compaction":
                turns.say("user", recalled(unpacked(item["encrypted_content"], "input")))
            case "function_call" | "custom_tool_call":
                turns.call(_call(item, toolbox))
            case str(kind) if isinstance(item.get("call_id"), str) and kind.endswith("_output"):
                turns.answer(item["call_id"], _returned(item))
            case str(kind) if isinstance(item.get("call_id"), str) and kind.endswith("_call"):
                turns.call(_foreign_call(item, kind))
            case kind if kind not in _TOOLS:
                left_out.append(kind)
            case _:
                pass
    turns.end()
    return turns.messages, left_out


class _Turns:
    """Puts items together: a turn of the model's is its thought, its words and its calls, in that order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._thought: str | None = None
        self._words: str | tuple[Part, ...] | None = None
        self._calls: list[ToolCall] = []
        self._marked = False  # the model's turn that is put together
        self._marks = False  # the item that comes next

    def mark(self, home_only: bool) -> None:
        """Whether the item that comes next stays home."""
        self._marks = home_only

    def think(self, thought: str) -> None:
        """The model's thought, before its words and calls."""
        if self._words is not None or self._calls:
            self.end()
        self._marked |= self._marks
        self._thought = thought if self._thought is None else f"{self._thought}\n\n{thought}"

    def say(self, role: Role, content: str | tuple[Part, ...]) -> None:
        """Anybody's words."""
        if role != "assistant":
            self.end()
            self.messages.append(Message(role, content, home_only=self._marks))
            return
        if self._words is not None or self._calls:
            self.end()
        self._marked |= self._marks
        self._words = content

    def call(self, call: ToolCall) -> None:
        """One of the model's calls."""
        self._marked |= self._marks
        self._calls.append(call)

    def answer(self, call_id: str, content: str | tuple[Part, ...]) -> None:
        """What a call gave back."""
        self.end()
        self.messages.append(Message("tool", content, tool_call_id=call_id, home_only=self._marks))

    def end(self) -> None:
        """The turn is over."""
        if self._words is None and self._thought is None and not self._calls:
            return
        words = "" if self._words is None else self._words
        calls, marked = tuple(self._calls), self._marked
        self.messages.append(Message("assistant", words, self._thought, calls, home_only=marked))
        self._thought, self._words, self._calls, self._marked = None, None, [], False


def _content(parts: list[Item]) -> str | tuple[Part, ...]:
    if len(parts) == 1 and parts[0]["type"] != "input_image":
        return _text(parts[0])
    return tuple(
        ImagePart(part["image_url"], part["detail"])
        if part["type"] == "input_image"
        else TextPart(_text(part))
        for part in parts
    )


def _text(part: Item) -> str:
    return part["refusal"] if part["type"] == "refusal" else part["text"]


def _thought(item: Item) -> str:
    """What was thought, where it was given; else what was said of it."""
    return "\n\n".join(part["text"] for part in item.get("content") or item["summary"])


def _call(item: Item, toolbox: Toolbox) -> ToolCall:
    name = toolbox.name_of(item["name"], item.get("namespace"))
    if item["type"] == "custom_tool_call":
        return ToolCall(item["call_id"], name, _json({INPUT: item.get("input", "")}))
    return ToolCall(item["call_id"], name, item.get("arguments") or "{}")


def _foreign_call(item: Item, kind: str) -> ToolCall:
    """A call of a tool that this server has no word for, such as a shell: its name is its type's."""
    beside = ("id", "type", "status", "call_id", "caller", "created_by")
    fields = {name: value for name, value in item.items() if name not in beside}
    return ToolCall(item["call_id"], kind.removesuffix("_call"), _json(fields))


def _returned(item: Item) -> str | tuple[Part, ...]:
    output = item.get("output")
    if isinstance(output, str):
        return output
    if item["type"] in ("function_call_output", "custom_tool_call_output"):
        return _content(item["output"])
    return _json(item.get("tools") if output is None else output)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
