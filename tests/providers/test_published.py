"""What leaves, held against what vendors publish: the types of their own SDKs.

OpenAI's and Anthropic's are here; `tests/conformance/test_vendors.py` holds the others' against theirs.
"""

import json
from typing import Any

import pytest
from anthropic.types import MessageParam, ToolParam, message_create_params
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam, completion_create_params
from pydantic import TypeAdapter

from isthmus.providers.hosted import HostedProvider
from isthmus.providers.registry import vendors
from isthmus.settings import ProviderSettings
from tests.providers.requests import EACH, PLAIN, WHOLE

OPENAI = TypeAdapter[Any](completion_create_params.CompletionCreateParamsStreaming)
OPENAI_MESSAGE = TypeAdapter[Any](ChatCompletionMessageParam)
OPENAI_TOOL = TypeAdapter[Any](ChatCompletionToolParam)
ANTHROPIC = TypeAdapter[Any](message_create_params.MessageCreateParamsStreaming)
ANTHROPIC_MESSAGE = TypeAdapter[Any](MessageParam)
ANTHROPIC_TOOL = TypeAdapter[Any](ToolParam)

OWN = {"deepseek": "thinking", "moonshot": "thinking"}
"""What a vendor adds to OpenAI's parameters."""


def rendered(vendor, model, request):
    provider = HostedProvider("x", ProviderSettings("https://x.example", model), None, vendors()[vendor])
    return json.loads(provider.render(request).body)


@pytest.mark.parametrize("request_", [WHOLE, PLAIN], ids=["whole", "plain"])
@pytest.mark.parametrize(("vendor", "model"), [pair for pair in EACH if pair[0] != "anthropic"])
def test_chat_completions_are_as_openai_publishes_them(vendor, model, request_):
    sent = rendered(vendor, model, request_)
    sent.pop(OWN.get(vendor, ""), None)
    sent["seed"] = sent.pop("random_seed", None)
    for message in sent["messages"]:
        for call in message.get("tool_calls", ()):
            call.pop("extra_content", None)
        OPENAI_MESSAGE.validate_python(message, strict=True)
    for tool in sent.get("tools", ()):
        OPENAI_TOOL.validate_python(tool, strict=True)
    OPENAI.validate_python(sent, strict=True, extra="forbid")


@pytest.mark.parametrize("request_", [WHOLE, PLAIN], ids=["whole", "plain"])
@pytest.mark.parametrize("model", [model for vendor, model in EACH if vendor == "anthropic"])
def test_messages_are_as_anthropic_publishes_them(model, request_):
    sent = rendered("anthropic", model, request_)
    ANTHROPIC.validate_python(sent, strict=True, extra="forbid")
    for message in sent["messages"]:
        ANTHROPIC_MESSAGE.validate_python(message, strict=True)
    for tool in sent.get("tools", ()):
        ANTHROPIC_TOOL.validate_python(tool, strict=True, extra="forbid")
