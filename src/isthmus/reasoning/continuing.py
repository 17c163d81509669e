"""How a model is asked to go on from its thought, closed, to the answer."""

from datetime import UTC, datetime

from msgspec.structs import replace

from isthmus.messages import GenerationRequest, Message, ModelInfo
from isthmus.reasoning.families import Family
from isthmus.reasoning.harmony_prompt import render_harmony


def continuation(
    family: Family, request: GenerationRequest, thought: str, model: ModelInfo, left: int | None
) -> GenerationRequest:
    """The request for the answer that follows a thought.

    Our own worker closes a thought as the model's template would. A runner is given it as the model would
    have written it, in the beginning of an answer, which vLLM, llama-server and Ollama go on with; one that
    begins a new turn behind it answers, too. What has channels can't be begun so, and is given as a prompt.

    Args:
        family: The model's.
        request: The one that came to the thought.
        thought: What was thought; not empty.
        model: The model.
        left: How many tokens the answer may have; None: any number.
    """
    asked = replace(request, n=1, max_tokens=left, reasoning_budget=None, reasoning_closing=None)
    if model.template is not None:
        begun = Message("assistant", reasoning=thought)
    elif family.channels:
        prompt = render_harmony(request, datetime.now(UTC).date(), thought)
        return replace(asked, raw=prompt, tools=(), tool_choice=None)
    else:
        begun = Message("assistant", f"{family.opening}\n{thought}\n{family.closing}\n\n")
    return replace(asked, messages=(*request.messages, begun), continues=True)
