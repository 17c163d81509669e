"""What leaves for a vendor, held against the types of the vendor's own SDK.

OpenAI's and Anthropic's are in `tests/providers/test_published.py`, and with OpenAI's those of the vendors
who publish none and have people use that one: Azure, DeepSeek, Moonshot, and Google for the API that is
called here (its own SDK speaks another). xAI's speaks gRPC, by the same names.
"""

import json
from typing import Any

import pytest

pytest.importorskip("groq", reason="other people's SDKs are installed by `make conformance`")

from cerebras.cloud.sdk.types.chat import completion_create_params as cerebras
from fireworks.types.chat import completion_create_params as fireworks
from groq.types.chat import ChatCompletionMessageParam as GroqMessage
from groq.types.chat import completion_create_params as groq
from mistralai.client.models import ChatCompletionStreamRequest as MistralRequest
from openrouter.components import ChatRequest as OpenRouterRequest
from pydantic import TypeAdapter
from together.types.chat import completion_create_params as together
from xai_sdk.proto import chat_pb2 as xai

from isthmus.providers.hosted import HostedProvider
from isthmus.providers.registry import vendors
from isthmus.settings import ProviderSettings
from tests.providers.requests import EACH, PLAIN, WHOLE

CLIENT = "What leaves for vendors, by their own SDKs' types"
PACKAGES = ("cerebras-cloud-sdk", "fireworks-ai", "groq", "mistralai", "together")

PUBLISHED = {
    "cerebras": cerebras.CompletionCreateParams,
    "fireworks": fireworks.CompletionCreateParams,
    "groq": groq.CompletionCreateParams,
    "together": together.CompletionCreateParamsStreaming,
}


def sent(vendor, model, request):
    provider = HostedProvider("x", ProviderSettings("https://x.example", model), None, vendors()[vendor])
    return json.loads(provider.render(request).body)


@pytest.mark.parametrize("request_", [WHOLE, PLAIN], ids=["whole", "plain"])
@pytest.mark.parametrize(("vendor", "model"), [pair for pair in EACH if pair[0] in PUBLISHED])
def test_a_request_is_as_its_vendor_publishes_it(vendor, model, request_):
    body = sent(vendor, model, request_)
    TypeAdapter[Any](PUBLISHED[vendor]).validate_python(body, strict=True, extra="forbid")
    if vendor == "groq":
        for message in body["messages"]:
            TypeAdapter[Any](GroqMessage).validate_python(message, strict=True)


@pytest.mark.parametrize("request_", [WHOLE, PLAIN], ids=["whole", "plain"])
def test_a_request_is_as_mistral_publishes_it(request_):
    body = sent("mistral", "mistral-medium-latest", request_)
    read = MistralRequest.model_validate(body, extra="forbid")
    again = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert again.keys() == body.keys()


@pytest.mark.parametrize("request_", [WHOLE, PLAIN], ids=["whole", "plain"])
def test_a_request_is_as_openrouter_publishes_it(request_):
    body = sent("openrouter", "openai/gpt-oss-120b", request_)
    read = OpenRouterRequest.model_validate(body, extra="forbid")
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == body


@pytest.mark.parametrize("request_", [WHOLE, PLAIN], ids=["whole", "plain"])
@pytest.mark.parametrize("model", [model for vendor, model in EACH if vendor == "xai"])
def test_a_request_says_what_xai_publishes(model, request_):
    body = sent("xai", model, request_)
    published = {field.name for field in xai.GetCompletionsRequest.DESCRIPTOR.fields}
    of_rest = {
        "max_completion_tokens",
        "stream",
        "stream_options",
    }  # gRPC has another length and other streams
    assert body.keys() - of_rest <= published
    if effort := body.get("reasoning_effort"):
        assert f"EFFORT_{effort.upper()}" in dict(xai.ReasoningEffort.items())
