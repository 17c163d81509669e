"""A conversation in gpt-oss's own format, harmony, up to where the model goes on.

Our own worker has the model's template for this. It is for runners that take a prompt as it stands, where a
thought must be put into the beginning of an answer. The format is OpenAI's
(https://cookbook.openai.com/articles/openai-harmony), as openai-harmony 0.0.8 renders it.
"""

from collections.abc import Iterator
from datetime import date

from isthmus.messages import GenerationRequest, Message
from isthmus.reasoning.harmony import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, START
from isthmus.reasoning.harmony_tools import render_tools

_SYSTEM = """You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06
Current date: {today}

Reasoning: {effort}

# Valid channels: analysis, commentary, final. Channel must be included for every message."""
_WITH_TOOLS = "\nCalls to these tools must go to the commentary channel: 'functions'."


def render_harmony(request: GenerationRequest, today: date, thought: str | None = None) -> str:
    """A prompt.

    Thoughts before the last answer are left out, as the model expects.

    Args:
        request: The conversation, the tools, the effort (low, medium or high; medium where it has none).
        today: The date, which the model is told.
        thought: What the model has thought by now; its answer is to follow at once.
    """
    system = _SYSTEM.format(today=today.isoformat(), effort=request.effort or "medium")
    said = [_say("system", system + (_WITH_TOOLS if request.tools else ""))]
    if developer := _developer(request):
        said.append(_say("developer", developer))
    turns = [each for each in request.messages if each.role not in ("system", "developer")]
    answered = max((at for at, each in enumerate(turns) if _is_final(each)), default=-1)
    names = {call.id: call.name for each in turns for call in each.tool_calls}
    for place, message in enumerate(turns):
        said += _turn(message, names, thinks=place > answered)
    if thought is not None:
        said += [_say(f"assistant{CHANNEL}analysis", thought), f"{START}assistant{CHANNEL}final{MESSAGE}"]
    else:
        said.append(f"{START}assistant")
    return "".join(said)


def _developer(request: GenerationRequest) -> str:
    """The person's instructions, and the tools."""
    told = [each.text for each in request.messages if each.role in ("system", "developer") and each.text]
    parts = ["# Instructions\n\n" + "\n\n".join(told)] if told else []
    return "\n\n".join(parts + ([render_tools(request.tools)] if request.tools else []))


def _turn(message: Message, names: dict[str, str], *, thinks: bool) -> Iterator[str]:
    match message.role:
        case "assistant":
            if thinks and message.reasoning:
                yield _say(f"assistant{CHANNEL}analysis", message.reasoning)
            if message.text:
                channel = "final" if _is_final(message) else "commentary"
                yield _say(f"assistant{CHANNEL}{channel}", message.text)
            for call in message.tool_calls:
                header = f"assistant to=functions.{call.name}{CHANNEL}commentary {CONSTRAIN}json"
                yield _say(header, call.arguments, CALL)
        case "tool":
            name = names.get(message.tool_call_id or "", message.name or "unknown")
            yield _say(f"functions.{name} to=assistant{CHANNEL}commentary", message.text)
        case _:
            yield _say("user", message.text)


def _is_final(message: Message) -> bool:
    """Whether it ends a turn: what calls tools doesn't."""
    return message.role == "assistant" and not message.tool_calls and bool(message.text)


def _say(header: str, text: str, end: str = END) -> str:
    return f"{START}{header}{MESSAGE}{text}{end}"
