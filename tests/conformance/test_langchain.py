"""LangChain's own tests for chat models, over ChatOpenAI."""

import pytest

pytest.importorskip("langchain_tests", reason="langchain-tests is not installed: make conformance")

from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

from .patience import patience

CLIENT = "LangChain's tests for chat models"
PACKAGES = ("langchain-tests", "langchain-openai", "langchain-core")

pytestmark = pytest.mark.slow


class TestChatOpenAI(ChatModelIntegrationTests):
    """The 0.5B answers, at temperature 0."""

    @pytest.fixture(autouse=True)
    def _serve(self, small_server):
        type(self).server = small_server

    @property
    def chat_model_class(self):
        return ChatOpenAI

    @property
    def chat_model_params(self):
        return {
            "model": self.server.model,
            "base_url": self.server.url,
            "api_key": self.server.key,
            "temperature": 0,
            "max_tokens": 128,
            "timeout": patience(300),
            "max_retries": 0,
            "stream_usage": True,
        }

    @property
    def has_tool_choice(self):
        return True

    @property
    def has_structured_output(self):
        return True

    @property
    def structured_output_kwargs(self):
        return {"method": "json_schema"}

    @property
    def supports_json_mode(self):
        return True

    @property
    def supports_anthropic_inputs(self):
        return True

    @property
    def supports_image_inputs(self):
        return False  # the model doesn't see

    @property
    def supported_usage_metadata_details(self):
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream=False) -> AIMessage:
        model = ChatOpenAI(**self.chat_model_params | {"max_tokens": 4})
        question = "Read this twice. " * 40
        model.invoke(question)
        if not stream:
            return model.invoke(question)
        first, *rest = model.stream(question)
        for chunk in rest:
            first += chunk
        return first
