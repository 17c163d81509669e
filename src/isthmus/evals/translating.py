"""Inspect's messages, tools and settings as a `GenerationRequest`, and an answer as Inspect's output.

Needs the extra ``evals``.
"""

import json
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    StopReason,
    TopLogprob,
)
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolChoice as InspectChoice
from inspect_ai.tool import ToolFunction, ToolInfo

from isthmus.errors import RequestError
from isthmus.messages import (
    Effort,
    FinishReason,
    GenerationRequest,
    ImagePart,
    Message,
    Part,
    TextPart,
    TokenScore,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from isthmus.wire.gathered import Completion, GatheredChoice
from isthmus.wire.remarks import remarks

Object: TypeAlias = dict[str, Any]

_STOPS: dict[FinishReason | None, StopReason] = {
    "stop": "stop",
    "length": "max_tokens",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


# ---------------------------------------------------------------- what is asked


def as_request(
    messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], choice: InspectChoice, config: GenerateConfig
) -> GenerationRequest:
    """What Inspect asks for, as every generator of ours understands it.

    Raises:
        RequestError: A message holds what no model here can read: sound, video, a document.
    """
    wanted = tuple(_tool(each) for each in tools)
    return GenerationRequest(
        messages=tuple(_message(each) for each in messages),
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        seed=config.seed,
        stop=tuple(config.stop_seqs or ()),
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        logit_bias={str(token): bias for token, bias in (config.logit_bias or {}).items()} or None,
        n=config.num_choices or 1,
        effort=_effort(config),
        reasoning_budget=config.reasoning_tokens,
        top_logprobs=(config.top_logprobs or 0) if config.logprobs else None,
        tools=wanted,
        tool_choice=_choice(choice) if wanted else None,
        parallel_tool_calls=config.parallel_tool_calls,
        response_format=_format(config),
    )


def _message(message: ChatMessage) -> Message:
    text = _content(message)
    if isinstance(message, ChatMessageTool):
        said = text if message.error is None else message.error.message
        return Message("tool", said, tool_call_id=message.tool_call_id, name=message.function)
    if isinstance(message, ChatMessageAssistant):
        calls = tuple(as_call(each) for each in message.tool_calls or ())
        return Message("assistant", text, reasoning=_thought(message), tool_calls=calls)
    return Message(message.role, text)


def _content(message: ChatMessage) -> str | tuple[Part, ...]:
    if isinstance(message.content, str):
        return message.content
    parts: list[Part] = []
    for each in message.content:
        if isinstance(each, ContentText):
            parts.append(TextPart(each.text))
        elif isinstance(each, ContentImage):
            parts.append(ImagePart(each.image, each.detail))
        elif not isinstance(each, ContentReasoning):
            raise RequestError(f"a message holds {each.type}, and only text and images can be read")
    if all(isinstance(part, TextPart) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, TextPart))
    return tuple(parts)


def _thought(message: ChatMessageAssistant) -> str | None:
    if isinstance(message.content, str):
        return None
    return "".join(each.reasoning for each in message.content if isinstance(each, ContentReasoning)) or None


def as_call(call: InspectCall) -> ToolCall:
    """A call that a model has made, as our nouns have it."""
    return ToolCall(call.id, call.function, json.dumps(call.arguments))


def _tool(tool: ToolInfo) -> Tool:
    return Tool(tool.name, tool.description, tool.parameters.model_dump(exclude_none=True))


def _choice(choice: InspectChoice) -> ToolChoice:
    if isinstance(choice, ToolFunction):
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice == "any" else choice


def _effort(config: GenerateConfig) -> Effort | None:
    """Inspect's effort; it has one step more than we have."""
    effort = config.reasoning_effort
    return "xhigh" if effort == "max" else effort


def _format(config: GenerateConfig) -> Object | None:
    schema = config.response_schema
    if schema is None:
        return None
    shape = schema.json_schema.model_dump(exclude_none=True)
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.name, "schema": shape, "strict": schema.strict},
    }


# ---------------------------------------------------------------- what came back


def as_output(completion: Completion, asked: str) -> ModelOutput:
    """A gathered answer as Inspect's; ``metadata["isthmus"]`` says who answered, why and at what cost.

    Args:
        completion: The whole answer.
        asked: The model's name as it was asked for, in case nobody says who answered.
    """
    route, last = completion.route, completion.last
    name = route.model if route else asked
    cost = last.cost_usd if last else None
    return ModelOutput(
        model=name,
        choices=[_choice_of(each, name) for _, each in sorted(completion.choices.items())],
        usage=_usage(completion.usage, float(cost or 0)),
        metadata={"isthmus": remarks(route, last, completion.notices)},
    )


def _choice_of(choice: GatheredChoice, name: str) -> ChatCompletionChoice:
    content: Any = choice.text
    if choice.reasoning:
        content = [ContentReasoning(reasoning=choice.reasoning), ContentText(text=choice.text)]
    calls = [_read_call(each) for each in choice.calls]
    return ChatCompletionChoice(
        message=ChatMessageAssistant(
            content=content, tool_calls=calls or None, model=name, source="generate"
        ),
        stop_reason=_STOPS.get(choice.finish, "unknown"),
        logprobs=Logprobs(content=[_score(each) for each in choice.scores]) if choice.scores else None,
    )


def _read_call(call: ToolCall) -> InspectCall:
    """A call with its arguments read; what can't be read goes back to the model as an error."""
    try:
        arguments: Any = json.loads(call.arguments or "{}")
        problem = None if isinstance(arguments, dict) else "the arguments are no JSON object"
    except json.JSONDecodeError as error:
        arguments, problem = {}, f"the arguments are no JSON: {error}"
    found = cast("Object", arguments) if problem is None else {}
    return InspectCall(id=call.id, function=call.name, arguments=found, parse_error=problem)


def _score(score: TokenScore) -> Logprob:
    rivals = [TopLogprob(token=each.token, logprob=each.logprob, bytes=list(each.utf8)) for each in score.top]
    return Logprob(
        token=score.token, logprob=score.logprob, bytes=list(score.utf8), top_logprobs=rivals or None
    )


def _usage(usage: Usage, cost_usd: float) -> ModelUsage:
    """Inspect counts prompt tokens that were cached apart from the others."""
    return ModelUsage(
        input_tokens=usage.prompt_tokens - usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_tokens_cache_read=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        total_cost=cost_usd,
    )
