"""Requests that say all that can be said, for those who must leave some of it out."""

from isthmus.messages import GenerationRequest, ImagePart, Message, TextPart, Tool, ToolCall
from tests.wire.pictures import image

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CALL = ToolCall("call_abcdefghijklmnopqrstuvwxyz", "weather", '{"city": "Paris"}')

CONVERSATION = (
    Message("system", "You are brief."),
    Message("developer", "Use tools."),
    Message("user", (TextPart("What is this? "), ImagePart(image(1, 2), "low")), name="Ann"),
    Message("assistant", "", reasoning="hm", tool_calls=(CALL, ToolCall("0", "weather", ""))),
    Message("tool", "12 °C", tool_call_id=CALL.id),
    Message("tool", "", tool_call_id="0"),
    Message("user", "And now?"),
)

WHOLE = GenerationRequest(
    messages=CONVERSATION,
    max_tokens=100,
    temperature=1.9,
    top_p=0.9,
    seed=7,
    stop=("a", "b", "c", "d", "e", "f"),
    presence_penalty=0.5,
    frequency_penalty=0.5,
    logit_bias={"7": 1.0},
    effort="high",
    top_logprobs=3,
    tools=(Tool("weather", "Tells the weather.", SCHEMA, strict=True),),
    tool_choice={"type": "function", "function": {"name": "weather"}},
    parallel_tool_calls=False,
    response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
    top_k=40,
    min_p=0.1,
    repeat_penalty=1.1,
    reasoning_budget=100,
    template={"x": 1},
)
PLAIN = GenerationRequest((Message("user", "Hi."),), max_tokens=5)

MODELS = {
    "openai": ("gpt-4.1-mini", "gpt-5-mini", "gpt-5.1", "gpt-5.4", "gpt-6", "gpt-5.2-chat-latest", "o4-mini"),
    "azure": ("gpt-4.1", "my-deployment"),
    "anthropic": (
        "claude-3-5-haiku-latest",
        "claude-sonnet-4-20250514",
        "claude-haiku-4-5",
        "claude-opus-4-6",
        "claude-sonnet-5",
    ),
    "google": ("gemini-2.0-flash", "gemini-2.5-flash", "gemini-3.5-flash"),
    "xai": ("grok-3", "grok-3-mini", "grok-4-0709", "grok-4.3", "grok-4.6", "grok-4.5"),
    "moonshot": ("moonshot-v1-8k", "kimi-k2-0905-preview", "kimi-k2.6", "kimi-k2-thinking"),
    "deepseek": ("deepseek-chat", "deepseek-v4-flash"),
    "mistral": ("mistral-medium-latest",),
    "openrouter": ("openai/gpt-oss-120b",),
    "together": ("openai/gpt-oss-120b",),
    "groq": ("openai/gpt-oss-120b", "llama-3.3-70b-versatile"),
    "cerebras": ("gpt-oss-120b", "llama3.1-8b"),
    "fireworks": ("accounts/fireworks/models/gpt-oss-120b",),
}
EACH = [(vendor, model) for vendor, models in MODELS.items() for model in models]
