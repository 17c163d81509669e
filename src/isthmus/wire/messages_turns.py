"""The turns of a Messages request, as the messages that open models' templates know.

Anthropic's turns hold results of tools, instructions and pictures side by side, and may follow upon each
other from the same side. Templates want one message a tool result, right behind the call, one turn a side,
and instructions at the beginning only.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.messages import ImagePart, Message, Part, TextPart, ToolCall
from isthmus.wire.call import Mark, is_marked
from isthmus.wire.images import MAX_IMAGES, check_image
from isthmus.wire.messages_blocks import (
    Base64Source,
    Block,
    ContentBlock,
    ContentSource,
    DocumentBlock,
    FileSource,
    HostedBlock,
    ImageBlock,
    RedactedThinkingBlock,
    SearchResultBlock,
    SystemBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)

_GAP = "\n\n"
"""Between the texts of one turn."""


class Turn(Struct):
    """One turn of a conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[ContentBlock]
    isthmus: Mark | None = None


class Conversation:
    """Turns Anthropic's turns into messages.

    Args:
        system: The instructions at its beginning.
    """

    def __init__(self, system: str | list[TextBlock] | None) -> None:
        self.dropped: list[str] = []
        """What is of no use to another model, by place and type."""
        self._messages: list[Message] = []
        self._marked = False  # the turn that is being taken
        if instructions := _plain(system or ""):
            marked = isinstance(system, list) and _bear_mark(system)
            self._messages.append(Message("system", instructions, home_only=marked))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation until now.

        Raises:
            RequestError: It holds more images than can be looked at.
        """
        if sum(message.images for message in self._messages) > MAX_IMAGES:
            raise RequestError(f"messages hold more than {MAX_IMAGES} images", param="messages")
        return tuple(self._messages)

    def add(self, turn: Turn, param: str) -> None:
        """Take the next turn.

        Args:
            turn: What was said.
            param: The parameter that holds it.

        Raises:
            RequestError: It holds what can't be read here.
        """
        content = [TextBlock(turn.content)] if isinstance(turn.content, str) else turn.content
        blocks = [(block, f"{param}.content[{place}]") for place, block in enumerate(content)]
        self._marked = is_marked(turn.isthmus) or _bear_mark(content)
        match turn.role:
            case "user":
                self._hear(blocks)
            case "assistant":
                self._recall(blocks)
            case "system":
                self._instruct(blocks)

    def _hear(self, blocks: list[tuple[ContentBlock, str]]) -> None:
        """What the person or the program says: results first, since they belong to the calls before."""
        parts: list[Part] = []
        for block, param in blocks:
            if isinstance(block, ToolResultBlock):
                result = _result_parts(block, param)
                told = _told(block, result)
                marked = self._marked
                self._messages.append(Message("tool", told, tool_call_id=block.tool_use_id, home_only=marked))
                # A tool's message is text, so its pictures are shown right behind it.
                parts += [part for part in result if isinstance(part, ImagePart)]
            elif isinstance(block, SystemBlock):
                parts.append(_reminder(_plain(block.content)))
            elif isinstance(block, HostedBlock):
                self._drop(block, param)
            else:
                parts += _read(block, param)
        if parts:
            self._append(Message("user", _content(parts)))

    def _recall(self, blocks: list[tuple[ContentBlock, str]]) -> None:
        """What the model has said: thinking, text and calls."""
        thoughts: list[str] = []
        parts: list[Part] = []
        calls: list[ToolCall] = []
        for block, param in blocks:
            match block:
                case ThinkingBlock():
                    thoughts.append(block.thinking)
                case RedactedThinkingBlock():
                    pass  # sealed by its maker, so that nobody else can read it
                case ToolUseBlock():
                    calls.append(_call(block, param))
                case HostedBlock():
                    self._drop(block, param)
                case _:
                    parts += _read(block, param)
        thought = _GAP.join(filter(None, thoughts)) or None
        if parts or calls or thought:
            self._append(Message("assistant", _content(parts), reasoning=thought, tool_calls=tuple(calls)))

    def _instruct(self, blocks: list[tuple[ContentBlock, str]]) -> None:
        """Instructions: ahead of the conversation as they are, later as a reminder in the person's turn."""
        texts: list[str] = []
        for block, param in blocks:
            if isinstance(block, SystemBlock):
                texts.append(_plain(block.content))
            elif isinstance(block, TextBlock):
                texts.append(block.text)
            else:
                raise _unreadable(block, param)
        text = _GAP.join(filter(None, texts))
        if not text:
            return
        if all(message.role == "system" for message in self._messages):
            self._append(Message("system", text))
        else:
            self._append(Message("user", _reminder(text).text))

    def _append(self, message: Message) -> None:
        if self._marked:
            message = msgspec.structs.replace(message, home_only=True)
        last = self._messages[-1] if self._messages else None
        if last is not None and last.role == message.role:
            self._messages[-1] = _merged(last, message)
        else:
            self._messages.append(message)

    def _drop(self, block: HostedBlock, param: str) -> None:
        self.dropped.append(f"{param} ({_type_of(block)})")


# ---------------------------------------------------------------- blocks


def _read(block: ContentBlock, param: str) -> list[Part]:
    """What a person may show a model, and a tool too."""
    match block:
        case TextBlock(text):
            return [TextPart(text)] if text else []
        case ImageBlock():
            return [_image(block, param)]
        case DocumentBlock():
            return _document(block, param)
        case SearchResultBlock():
            return [TextPart(_GAP.join((f"{block.title} ({block.source})", _plain(block.content))))]
        case ToolReferenceBlock():
            return [TextPart(f"The tool {block.tool_name} can be called.")]
        case _:
            raise _unreadable(block, param)


def _image(block: ImageBlock, param: str) -> ImagePart:
    match block.source:
        case Base64Source(media_type, data):
            url = f"data:{media_type};base64,{data}"
        case UrlSource(url):
            pass
        case FileSource():
            raise RequestError(
                f"{param}: a file that was uploaded to Anthropic can't be read here",
                hint="send its bytes as base64",
                param=f"{param}.source",
            )
    check_image(url, f"{param}.source")
    return ImagePart(url)


def _document(block: DocumentBlock, param: str) -> list[Part]:
    heading = [TextPart(line) for line in (block.title, block.context) if line]
    match block.source:
        case TextSource(data):
            return [*heading, TextPart(data)]
        case ContentSource(str() as text):
            return [*heading, TextPart(text)]
        case ContentSource(list() as blocks):
            return [*heading, *(part for each in blocks for part in _read(each, f"{param}.source"))]
        case _:
            raise RequestError(
                f"{param}: a document can be read here as text only",
                hint='send {"type": "text", "media_type": "text/plain", "data": ...} as its source',
                param=f"{param}.source",
            )


def _result_parts(block: ToolResultBlock, param: str) -> list[Part]:
    if block.content is None or isinstance(block.content, str):
        return [TextPart(block.content or "")]
    places = enumerate(block.content)
    return [part for place, each in places for part in _read(each, f"{param}.content[{place}]")]


def _told(block: ToolResultBlock, parts: list[Part]) -> str:
    text = _GAP.join(part.text for part in parts if isinstance(part, TextPart))
    return f"The tool failed: {text}" if block.is_error else text


def _call(block: ToolUseBlock, param: str) -> ToolCall:
    arguments = bytes(block.input)
    if not arguments.startswith(b"{"):
        raise RequestError(f"{param}.input: expected an object", param=f"{param}.input")
    return ToolCall(block.id, block.name, arguments.decode())


def _bear_mark(blocks: Sequence[Block]) -> bool:
    """Whether a block, or one within it, says that it stays home."""
    return any(is_marked(block.isthmus) or _bear_mark(_within(block)) for block in blocks)


def _within(block: Block) -> Sequence[Block]:
    """The blocks that a block is made of."""
    match block:
        case DocumentBlock(source=ContentSource(content)):
            pass
        case ToolResultBlock(content=content) | SearchResultBlock(content=content):
            pass
        case SystemBlock(content):
            pass
        case _:
            content = ()
    return () if content is None or isinstance(content, str) else content


def _unreadable(block: ContentBlock, param: str) -> RequestError:
    return RequestError(f"{param}: a block of type {_type_of(block)!r} has no place here", param=param)


def _type_of(block: Struct) -> str:
    return str(block.__struct_config__.tag)


# ---------------------------------------------------------------- texts


def _plain(content: str | list[TextBlock]) -> str:
    if isinstance(content, str):
        return content
    return _GAP.join(block.text for block in content if block.text)


def _reminder(text: str) -> TextPart:
    """Instructions in a person's turn, marked as coding agents mark them."""
    return TextPart(f"<system-reminder>\n{text}\n</system-reminder>")


def _content(parts: list[Part]) -> str | tuple[Part, ...]:
    """One text where there are no pictures: not every template takes parts."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return _GAP.join(texts) if len(texts) == len(parts) else tuple(parts)


def _merged(first: Message, second: Message) -> Message:
    """Two messages of one side as one."""
    return msgspec.structs.replace(
        first,
        content=_content([*_parts(first), *_parts(second)]),
        reasoning=_GAP.join(filter(None, (first.reasoning, second.reasoning))) or None,
        tool_calls=first.tool_calls + second.tool_calls,
        home_only=first.home_only or second.home_only,
    )


def _parts(message: Message) -> tuple[Part, ...]:
    content = message.content
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    return content
