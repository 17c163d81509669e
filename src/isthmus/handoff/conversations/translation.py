"""A conversation as the other side can read it: what one model said, in the history of another.

Calls and their results are valid on both sides. What isn't is dropped knowingly:

- thinking stays with the side that had it: home's never leaves, the hosted model's is no example for home;
- a picture that home can't see becomes a note that there was one, which the answer after it described;
- a call that was never answered, and a result that no call asked for, which hosted models refuse: the one
  gets a result that says so, the other becomes the person's words;
- a call whose arguments are no JSON object, as weak models write them, gets them inside one;
- a turn of thinking alone, which nothing is left of.

How a vendor wants identifiers of calls to look is the vendor's difference (`isthmus.providers.adapting`).
"""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from isthmus.engines.tool_turns import with_object_arguments
from isthmus.messages import GenerationRequest, Message, ModelInfo, TextPart

UNANSWERED = "This call was given up, so it has no result."
UNSEEN = "[A picture was here. What was asked of it is answered below.]"


def for_hosted(request: GenerationRequest) -> GenerationRequest:
    """A request as a hosted model can read it; the same one where it can already."""
    said = (_thoughtless(message) for message in with_object_arguments(request.messages))
    kept = [message for message in said if _says_something(message)]
    messages = tuple(_paired(kept))
    return request if messages == request.messages else replace(request, messages=messages)


def for_home(
    request: GenerationRequest, model: ModelInfo, hosted_turns: Collection[int]
) -> GenerationRequest:
    """A request as the model at home can read it; the same one where it can already.

    Args:
        request: What is asked.
        model: The model at home.
        hosted_turns: The places of the messages that the hosted model wrote.
    """
    messages = tuple(
        _thoughtless(message) if place in hosted_turns else message
        for place, message in enumerate(request.messages)
    )
    if not model.vision and any(message.images for message in messages):
        messages = tuple(map(_unseen, messages))
    return request if messages == request.messages else replace(request, messages=messages)


def _thoughtless(message: Message) -> Message:
    return message if message.reasoning is None else replace(message, reasoning=None)


def _says_something(message: Message) -> bool:
    return message.role != "assistant" or bool(message.content or message.tool_calls)


def _unseen(message: Message) -> Message:
    if not message.images or isinstance(message.content, str):
        return message
    parts = [part.text if isinstance(part, TextPart) else UNSEEN for part in message.content]
    return replace(message, content="\n".join(parts))


def _paired(messages: Collection[Message]) -> Iterator[Message]:
    """The conversation with one result for each call, right behind it."""
    open_calls: dict[str, str] = {}  # of the last turn that called: identifier, name
    for message in messages:
        if message.role == "tool" and open_calls.pop(message.tool_call_id or "", None) is None:
            message = _as_words(message)
        if message.role != "tool" and open_calls:
            yield from _given_up(open_calls)
            open_calls = {}
        yield message
        if message.tool_calls:
            open_calls = {call.id: call.name for call in message.tool_calls}
    yield from _given_up(open_calls)


def _given_up(open_calls: dict[str, str]) -> Iterator[Message]:
    return (Message("tool", UNANSWERED, tool_call_id=id_, name=name) for id_, name in open_calls.items())


def _as_words(result: Message) -> Message:
    """A result that no call asked for, as the person's words."""
    said = f"The tool {result.name} gave:" if result.name else "A tool gave:"
    if isinstance(result.content, str):
        return Message("user", f"{said}\n{result.content}", home_only=result.home_only)
    return Message("user", (TextPart(f"{said}\n"), *result.content), home_only=result.home_only)
