"""The runner that people already have: Ollama, LM Studio, llama-server, vLLM, declared ``local = true``."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from isthmus.engines.embedding import RunnerEmbedder
from isthmus.engines.images import refuse_remote
from isthmus.engines.tokens import RunnerTokenizer
from isthmus.errors import Busy, ContextLengthExceeded, EngineError, IsthmusError, RequestError, UnknownModel
from isthmus.generator import EventStream
from isthmus.messages import GenerationRequest, ModelInfo
from isthmus.settings import ProviderSettings, Secret, without_credentials
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.wire.completions_body import render_call


class RunnerEngine:
    """A `Generator` over an OpenAI-compatible address inside the trust line.

    Args:
        name: What the settings call it.
        settings: Its address.
        model: The model's name there.
        key: Its key, if it wants one.
        headers: Sent with each call.
    """

    batched = False
    """Whether it is known to write several answers to one request."""

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        model: str,
        *,
        key: Secret | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._info = ModelInfo(model, local=True)
        self._address = without_credentials(settings.base_url)
        # A local model may have to be loaded from disk first, so the first byte may take long.
        self._client = ChatClient(
            settings.base_url,
            key=key,
            connect_timeout_s=settings.connect_timeout_s,
            first_byte_timeout_s=max(settings.first_byte_timeout_s, 600.0),
            stall_timeout_s=max(settings.stall_timeout_s, 600.0),
            headers=headers,
        )
        # What isn't OpenAI's lies beside its version, where it lies at all.
        self._beside = ChatClient(
            settings.base_url.rstrip("/").removesuffix("/v1"),
            key=key,
            connect_timeout_s=settings.connect_timeout_s,
            headers=headers,
        )
        self.tokenizer = RunnerTokenizer(self._beside, name, model, self._judge)
        self.embedder = RunnerEmbedder(self._post, model)

    @property
    def model(self) -> ModelInfo:
        """The model's name there; a runner tells no more."""
        return self._info

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Yield the answer.

        Raises:
            UnknownModel: The runner doesn't have the model.
            RequestError: It refuses the request.
            EngineError: It can't be reached, or failed.
        """
        refuse_remote(request.messages)
        call = render_call(request, self._info.name, "runner")
        try:
            async with aclosing(self._client.stream(call.body, request.n, path=call.path)) as events:
                async for event in events:
                    yield event
        except UpstreamError as error:
            raise self._judge(error) from error

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()
        await self._beside.close()

    async def _post(self, path: str, body: bytes) -> Any:
        try:
            return await self._client.post(path, body)
        except UpstreamError as error:
            raise self._judge(error) from error

    def _judge(self, error: UpstreamError) -> IsthmusError:
        name = self._name
        if error.kind == "unreachable":
            return EngineError(
                f"{name} at {self._address} can't be reached: {error.message}", hint=f"start {name}"
            )
        if error.status == 404:
            return UnknownModel(f"{name} has no model {self._info.name!r}: {error.message}")
        if error.detail.get("code") == "context_length_exceeded":
            return ContextLengthExceeded(error.message, param="messages")
        if error.kind == "rejected":
            return RequestError(f"{name} refuses the request: {error.message}")
        told = error.detail.get("hint")
        hint = told if isinstance(told, str) else None
        if error.status == 429:
            return Busy(
                f"{name} is busy: {error.message}", retry_after_s=int(error.retry_after_s or 1), hint=hint
            )
        return EngineError(f"{name} failed: {error.message}", hint=hint)
