"""Conversations in which tools were called, in words that a model's chat template can take."""

import msgspec

from isthmus.messages import Message

OPEN, CLOSE = "<tool_call>", "</tool_call>"
"""The marks between which a model calls that was told so by us; many were trained with these."""


def with_object_arguments(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation with calls that a template can take apart: it fails on what is no JSON object."""
    if not any(message.tool_calls for message in messages):
        return messages
    return tuple(
        msgspec.structs.replace(
            message,
            tool_calls=tuple(
                msgspec.structs.replace(call, arguments=_object_text(call.arguments))
                for call in message.tool_calls
            ),
        )
        for message in messages
    )


def _object_text(arguments: str) -> str:
    try:
        if isinstance(msgspec.json.decode(arguments or "{}"), dict):
            return arguments or "{}"
    except (msgspec.DecodeError, RecursionError):
        pass  # a weak model's fault in an earlier turn, which must not end the conversation
    return msgspec.json.encode({"text": arguments}).decode()


def without_tool_roles(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation for a template without calls: they become text, and their results a user's."""
    told: list[Message] = []
    after_result = False
    for message in messages:
        if message.role == "tool":
            words = f"<tool_response>\n{message.text}\n</tool_response>"
            if after_result:
                told[-1] = Message("user", f"{told[-1].text}\n{words}")
            else:
                told.append(Message("user", words))
        elif message.tool_calls:
            calls = [
                f'{OPEN}\n{{"name": {msgspec.json.encode(call.name).decode()}, '
                f'"arguments": {_object_text(call.arguments)}}}\n{CLOSE}'
                for call in message.tool_calls
            ]
            said = [message.text] if message.text else []
            content = "\n".join([*said, *calls])
            told.append(msgspec.structs.replace(message, content=content, tool_calls=()))
        else:
            told.append(message)
        after_result = message.role == "tool"
    return tuple(told)
