"""Attribution that coding agents write into a prompt, kept out of what a model reads.

Claude Code opens its system prompt with a line for Anthropic's accounts, such as

    x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;

whose numbers change with every request. It says nothing to a model; but a prompt is only cached up to its
first change, so one such line costs a local model all that it had read of a conversation.
"""

import re

import msgspec

from isthmus.messages import Message, Part, TextPart

_MARK = "x-anthropic-"
_LINE = re.compile(
    rf"""^{_MARK}[\w-]+:[^\S\n]*      # what it calls itself
    (?: (?:[\w.-]+=[^;\n]*(?:;[^\S\n]*|$))+  # its values; the prompt may go on right behind the last
      | [^\n]*$ )
    \n*""",
    re.MULTILINE | re.VERBOSE,
)


def without_attribution(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation without the attribution in its instructions; the same object where there is none.

    Only system and developer messages are looked at: what a person quotes is left alone.
    """
    if not any(map(_attributed, messages)):
        return messages
    return tuple(
        kept for message in messages if (kept := _cleared(message) if _attributed(message) else message)
    )


def _attributed(message: Message) -> bool:
    return message.role in ("system", "developer") and _MARK in message.text


def _cleared(message: Message) -> Message | None:
    """The message without it; None if that was all."""
    content = message.content
    if isinstance(content, str):
        kept: str | tuple[Part, ...] = _LINE.sub("", content)
    else:
        kept = tuple(part for each in content if (part := _cleared_part(each)))
    return msgspec.structs.replace(message, content=kept) if kept else None


def _cleared_part(part: Part) -> Part | None:
    if not isinstance(part, TextPart):
        return part
    text = _LINE.sub("", part.text)
    return TextPart(text) if text else None
