"""The messages of Chat Completions requests: JSON shapes to `Message`."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.messages import ImagePart, Message, Part, Role, TextPart, ToolCall
from isthmus.wire.call import Mark, is_marked
from isthmus.wire.images import MAX_IMAGES, check_image

MAX_MESSAGES = 10_000
"""More than any context holds: OpenAI's own bound is 2,048 in its published schema, agents go beyond."""

# ---------------------------------------------------------------- shapes, as OpenAI publishes them


class ImageUrl(Struct):
    """Where an image is: a data: URL, or an address that a hosted model may fetch."""

    url: str
    detail: str | None = None


class ContentPart(Struct):
    """A piece of a message."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None
    isthmus: Mark | None = None


class PastFunction(Struct):
    """Which function was called, and with what: JSON, as the model wrote it."""

    name: str
    arguments: str = ""


class PastCall(Struct):
    """A call that an earlier answer asked for."""

    id: str
    function: PastFunction
    type: Literal["function"] = "function"


class ChatMessage(Struct):
    """One turn. Thinking is taken back by either of its names."""

    role: Role
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[PastCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    isthmus: Mark | None = None


# ---------------------------------------------------------------- and what they come to


def read_messages(asked: Sequence[ChatMessage], param: str = "messages") -> tuple[Message, ...]:
    """The conversation.

    Raises:
        RequestError: A message lacks what its role needs, or holds what nobody here reads.
    """
    if len(asked) > MAX_MESSAGES:
        raise RequestError(
            f"{param} has {len(asked):,} messages, and at most {MAX_MESSAGES:,} are taken", param=param
        )
    messages = _whole_turns(_message(each, f"{param}[{number}]") for number, each in enumerate(asked))
    if sum(message.images for message in messages) > MAX_IMAGES:
        raise RequestError(f"{param} hold more than {MAX_IMAGES} images", param=param)
    return messages


def _whole_turns(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The conversation with each of the model's turns in one message.

    OpenAI's Agents SDK sends a turn's thought, words and calls as messages of their own. A template puts a
    thought beside the call that it led to, and takes words without a call for the end of the work.
    """
    turns: list[Message] = []
    for message in messages:
        if turns and _goes_on(turns[-1], message):
            before = turns.pop()
            content = before.content or message.content
            message = msgspec.structs.replace(
                message,
                content=content,
                reasoning=before.reasoning,
                home_only=before.home_only or message.home_only,
            )
        turns.append(message)
    return tuple(turns)


def _goes_on(before: Message, message: Message) -> bool:
    """Whether a message is the words after a thought, or the calls after either."""
    if not before.role == message.role == "assistant" or before.name != message.name:
        return False
    if before.tool_calls or message.reasoning is not None:
        return False
    if before.content:
        return bool(message.tool_calls) and not message.content
    return before.reasoning is not None and bool(message.content or message.tool_calls)


def _message(asked: ChatMessage, param: str) -> Message:
    if asked.content is None and asked.role != "assistant":
        raise RequestError(f"{param}.content is required of the role {asked.role}", param=f"{param}.content")
    if asked.role == "tool" and not asked.tool_call_id:
        at = f"{param}.tool_call_id"
        raise RequestError(f"{at} is required: it says which call this is the result of", param=at)
    if asked.tool_calls and asked.role != "assistant":
        at = f"{param}.tool_calls"
        raise RequestError(f"{at}: only an assistant calls tools, not the role {asked.role}", param=at)
    content: str | tuple[Part, ...]
    if isinstance(asked.content, list):
        content = tuple(_part(part, f"{param}.content[{place}]") for place, part in enumerate(asked.content))
    else:
        content = asked.content or asked.refusal or ""
    return Message(
        role=asked.role,
        content=content,
        name=asked.name,
        reasoning=asked.reasoning if asked.reasoning is not None else asked.reasoning_content,
        tool_calls=tuple(
            ToolCall(c.id, c.function.name, c.function.arguments) for c in asked.tool_calls or ()
        ),
        tool_call_id=asked.tool_call_id,
        home_only=is_marked(asked.isthmus, *_marks(asked.content)),
    )


def _marks(content: str | list[ContentPart] | None) -> list[Mark | None]:
    return [part.isthmus for part in content] if isinstance(content, list) else []


def _part(part: ContentPart, param: str) -> Part:
    match part:
        case ContentPart(type="text", text=str(text)) | ContentPart(type="refusal", refusal=str(text)):
            return TextPart(text)
        case ContentPart(type="image_url", image_url=ImageUrl() as image):
            check_image(image.url, f"{param}.image_url.url")
            return ImagePart(image.url, image.detail)
        case ContentPart(type="text" | "refusal" | "image_url" as kind):
            raise RequestError(
                f"{param}.{kind} is required of a part of type {kind}", param=f"{param}.{kind}"
            )
        case _:
            hint = "send its text" if part.type == "file" else None
            raise RequestError(
                f"{param}.type: {part.type[:50]!r} can't be read here, only text and image_url",
                hint=hint,
                param=f"{param}.type",
            )
