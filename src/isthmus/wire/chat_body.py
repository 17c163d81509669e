"""Chat Completions requests, as a client: the nouns become the body of an upstream's call."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest, Message, Part, TextPart, Tool

Dialect: TypeAlias = Literal["llama", "runner", "hosted"]
"""Who is called: our own worker, a person's local runner, a hosted model."""


class Spelling(Struct, frozen=True, kw_only=True):
    """The names by which an address calls what all of them know, where it differs from most.

    ``usage``: whether it must be asked, by ``stream_options``, to say how many tokens there were.
    ``developer``: whether it knows that role; elsewhere it is the system's.
    ``call_extra`` is sent with every earlier call of a tool.
    """

    length: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: Literal["seed", "random_seed"] = "seed"
    usage: bool = True
    developer: bool = False
    call_extra: dict[str, Any] = {}


PLAIN = Spelling()
"""What most addresses understand."""

_CONTINUING: dict[Dialect, dict[str, Any]] = {
    # llama.cpp closes the message's thought as its template would; vLLM goes on behind its text.
    "llama": {"add_generation_prompt": False, "continue_final_message": "content"},
    "runner": {"add_generation_prompt": False, "continue_final_message": True},
    "hosted": {},
}
"""How an answer that has begun is gone on with; runners that know no word for it do so by themselves."""
_ENCODER = msgspec.json.Encoder()


def render_chat(
    request: GenerationRequest,
    model: str,
    dialect: Dialect,
    spelling: Spelling = PLAIN,
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> bytes:
    """The body of a streaming call upstream; parameters that were not given are not sent.

    Args:
        request: What is asked.
        model: The model's name there.
        dialect: Who is called.
        spelling: The names that they have for things.
        extra: What stands beside them, whatever it means there.

    Raises:
        RequestError: A schema in it is nested too deeply, or whoever is called keeps to no grammar.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_render_message(m, dialect, spelling) for m in request.messages],
        "stream": True,
        **({"stream_options": {"include_usage": True}} if spelling.usage else {}),
        **render_sampling(request, dialect, spelling),
        **extra,
    }
    optional: dict[str, Any] = {
        "tools": [{"type": "function", "function": _render_tool(t)} for t in request.tools] or None,
        "tool_choice": request.tool_choice,
        "parallel_tool_calls": request.parallel_tool_calls,
        "response_format": request.response_format,
    }
    if dialect == "llama":
        optional["thinking_budget_tokens"] = request.reasoning_budget
        optional["reasoning_budget_message"] = request.reasoning_closing
    if request.continues:
        body |= _CONTINUING[dialect]
    body |= {name: value for name, value in optional.items() if value is not None}
    if request.top_logprobs is not None:
        # llama.cpp takes "no alternatives" for "no log-probabilities at all".
        least = 1 if dialect == "llama" else 0
        body |= {"logprobs": True, "top_logprobs": max(request.top_logprobs, least)}
    body |= _render_template(request, dialect)
    try:
        return _ENCODER.encode(body)
    except RecursionError as error:
        raise RequestError("the request is nested too deeply to be passed on") from error


def render_sampling(
    request: GenerationRequest, dialect: Dialect, spelling: Spelling = PLAIN
) -> dict[str, Any]:
    """How tokens are chosen and where an answer ends, as far as the request says.

    Raises:
        RequestError: It has a grammar, and whoever is called is not known to keep to one.
    """
    chosen: dict[str, Any] = {
        spelling.length: request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        spelling.seed: request.seed,
        "stop": list(request.stop) or None,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "logit_bias": _biases(request.logit_bias),
        "n": request.n if request.n > 1 else None,
    }
    if dialect in ("llama", "runner"):
        chosen |= {
            "top_k": request.top_k,
            "min_p": request.min_p,
            "typical_p": request.typical_p,
            "repeat_penalty": request.repeat_penalty,
            "repeat_last_n": request.repeat_last_n,
            "ignore_eos": request.ignore_eos or None,
        }
    if request.grammar is not None:
        chosen |= _render_grammar(request.grammar, dialect)
    if dialect == "llama" and request.stop:
        chosen["verbose"] = True  # only its debugging answer says which of the sequences ended it
    return {name: value for name, value in chosen.items() if value is not None}


def _biases(biases: dict[str, float] | None) -> dict[str, float] | None:
    """Whole numbers as such: OpenAI publishes no others."""
    return biases and {token: int(bias) if bias == int(bias) else bias for token, bias in biases.items()}


def _render_grammar(grammar: str, dialect: Dialect) -> dict[str, Any]:
    if dialect != "llama":
        raise RequestError(
            "grammar: only models that Isthmus runs itself are known to keep to it",
            hint="send response_format, or name a model of `isthmus list`",
            param="grammar",
        )
    return {"grammar": grammar}


def _render_template(request: GenerationRequest, dialect: Dialect) -> dict[str, Any]:
    """How hard the model is to think, and what else its template is told."""
    effort = request.effort
    rendered: dict[str, Any] = {} if effort is None else {"reasoning_effort": effort}
    template: dict[str, Any] = {}
    if dialect == "llama" and effort is not None:
        # Templates differ: gpt-oss reads reasoning_effort, Qwen3 enable_thinking. One that knows neither
        # passes over both.
        template = {"reasoning_effort": effort, "enable_thinking": effort != "none"}
    if dialect in ("llama", "runner"):
        template |= request.template or {}
    return rendered | {"chat_template_kwargs": template} if template else rendered


def _render_message(message: Message, dialect: Dialect, spelling: Spelling) -> dict[str, Any]:
    # Open models' templates know no developer role; to them it is the system's.
    role = "system" if message.role == "developer" and not spelling.developer else message.role
    content = message.content
    rendered: dict[str, Any] = {
        "role": role,
        "content": content if isinstance(content, str) else [_render_part(part) for part in content],
    }
    if message.name is not None:
        rendered["name"] = message.name
    if message.tool_calls:
        rendered["tool_calls"] = [
            {
                "id": c.id,
                "type": "function",
                "function": {"name": c.name, "arguments": c.arguments},
                **spelling.call_extra,
            }
            for c in message.tool_calls
        ]
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = message.tool_call_id
    # A thought stays with the model that had it: hosted models get the answers only.
    if message.reasoning is not None and dialect in ("llama", "runner"):
        rendered["reasoning_content"] = message.reasoning
    return rendered


def _render_part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    image = {"url": part.url} if part.detail is None else {"url": part.url, "detail": part.detail}
    return {"type": "image_url", "image_url": image}


def _render_tool(tool: Tool) -> dict[str, Any]:
    fields = {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    return {"name": tool.name} | {name: value for name, value in fields.items() if value is not None}
