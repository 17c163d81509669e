"""Stage 4: the local model asks the hosted one a question of its own, instead of everything leaving.

It is given a tool, ``ask_hosted(question)``. The question is all that leaves: none of the conversation, of
its instructions or of the caller's tools goes with it; and it leaves as any hand-over does, redacted, under
the person's caps, with a row in the ledger. This module says what the tool is and what a call of it comes
to; `isthmus.runtime.delegation` carries it out.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from isthmus.messages import GenerationRequest, Message, Tool, ToolCall

TOOL = "ask_hosted"
MAX_QUESTION = 20_000
"""Characters: a question that is longer is no question of its own any more."""

DECLARATION = Tool(
    TOOL,
    description=(
        "Ask a larger model one question that you can't answer well yourself: a hard sum, a proof, a fact "
        "that you are unsure of. It knows nothing of this conversation, so the question must say all that "
        "is needed, and nothing about people that is not. Returns its answer. It costs money: ask only "
        "where you would otherwise guess."
    ),
    parameters={
        "type": "object",
        "properties": {"question": {"type": "string", "description": "The question, complete in itself."}},
        "required": ["question"],
        "additionalProperties": False,
    },
)

_INSTRUCTIONS = "Answer this question briefly and exactly. Your answer goes to another model."


class _Arguments(Struct):
    question: Annotated[str, Meta(min_length=1, max_length=MAX_QUESTION)]


_ARGUMENTS = msgspec.json.Decoder(_Arguments)


def can_offer(request: GenerationRequest) -> bool:
    """Whether the tool can stand beside what a request asks for.

    Not where its caller has said that nothing, or one certain tool, is to be called; not where the answer has
    a form, since models keep to that from their first word on; not for several choices at once; and not where
    the caller has a tool of that name.
    """
    return (
        request.tool_choice in (None, "auto", "required")
        and (request.tool_choice != "required" or bool(request.tools))
        and request.response_format is None
        and request.n == 1
        and request.raw is None
        and request.grammar is None
        and not any(tool.name == TOOL for tool in request.tools)
    )


def offered(request: GenerationRequest) -> GenerationRequest:
    """The request with the tool beside the caller's."""
    return msgspec.structs.replace(request, tools=(*request.tools, DECLARATION))


def question_in(call: ToolCall) -> str | None:
    """The question that a call asks; None where it asks none, or one that is far too long."""
    try:
        return _ARGUMENTS.decode(call.arguments).question.strip() or None
    except (msgspec.DecodeError, RecursionError):
        return None


def outgoing_request(question: str) -> GenerationRequest:
    """All that is asked of the hosted model."""
    return GenerationRequest((Message("system", _INSTRUCTIONS), Message("user", question)))


def answered(request: GenerationRequest, turn: Message, results: dict[str, str]) -> GenerationRequest:
    """The conversation goes on: the model's turn with its calls, and what they gave, by identifier."""
    told = tuple(
        Message("tool", results[call.id], tool_call_id=call.id, name=call.name)
        for call in turn.tool_calls
        if call.id in results
    )
    return msgspec.structs.replace(request, messages=(*request.messages, turn, *told))
