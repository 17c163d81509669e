"""What leaves for a vendor, held against the types of the vendor's own SDK.

OpenAI's and Anthropic's are in `tests/providers/test_published.py`. xAI's and Google's SDKs speak APIs of
their own, which are not the ones that are called here.
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
from pydantic import TypeAdapter
from together.types.chat import completion_create_params as together

from isthmus.providers.hosted import HostedProvider
from isthmus.providers.registry import vendors
from isthmus.settings import ProviderSettings
from tests.providers.requests import EACH, PLAIN, WHOLE

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
