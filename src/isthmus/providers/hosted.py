"""A hosted model behind an OpenAI-compatible API."""

from contextlib import aclosing

from isthmus.errors import (
    ProviderCut,
    ProviderError,
    ProviderFailed,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnreachable,
)
from isthmus.generator import EventStream
from isthmus.messages import GenerationRequest, ModelInfo
from isthmus.settings import ProviderSettings, Secret, without_credentials
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.wire.chat_body import Dialect, render_chat


class HostedProvider:
    """A `Generator` over a hosted model.

    Args:
        name: What the settings call it.
        settings: Its address, model and patience.
        key: Its key, if it wants one.
    """

    def __init__(self, name: str, settings: ProviderSettings, key: Secret | None = None) -> None:
        self.name = name
        self._settings = settings
        self._dialect: Dialect = "openai" if settings.host == "api.openai.com" else "hosted"
        self._info = ModelInfo(settings.model or "default", local=False)
        self._client = ChatClient(
            settings.base_url,
            key=key,
            connect_timeout_s=settings.connect_timeout_s,
            first_byte_timeout_s=settings.first_byte_timeout_s,
            stall_timeout_s=settings.stall_timeout_s,
            proxies=True,
        )

    @property
    def model(self) -> ModelInfo:
        """The hosted model."""
        return self._info

    def render(self, request: GenerationRequest) -> bytes:
        """The exact bytes that `send` would let leave."""
        return render_chat(request, self._info.name, self._dialect)

    async def send(self, body: bytes, choices: int = 1) -> EventStream:
        """Let ``body`` leave, and yield the answer.

        Raises:
            ProviderUnreachable: No connection, so nothing left.
            ProviderFailed: Overload, or a failing server.
            ProviderTimeout: It fell silent.
            ProviderRejected: It said no.
            ProviderCut: Its stream ended before its answer did.
        """
        try:
            async with aclosing(self._client.stream(body, choices)) as events:
                async for event in events:
                    yield event
        except UpstreamError as error:
            raise self._judge(error) from error

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Render and send in one."""
        async with aclosing(self.send(self.render(request), request.n)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    def _judge(self, error: UpstreamError) -> ProviderError:
        name, message = self.name, error.message
        match error.kind:
            case "rejected" if error.status in (401, 403):
                variable = self._settings.key_env
                hint = f"check the key in {variable}" if variable else f"set providers.{name}.key_env"
                return ProviderRejected(f"{name} doesn't accept the key: {message}", hint=hint)
            case "rejected" if error.status == 404:
                hint = f"check providers.{name}.model and providers.{name}.base_url"
                return ProviderRejected(f"{name} doesn't know {self._info.name!r}: {message}", hint=hint)
            case "rejected":
                return ProviderRejected(f"{name} refuses the request: {message}")
            case "cut":
                return ProviderCut(f"{name} stopped in the middle of its answer: {message}")
            case "unreachable":
                address = without_credentials(self._settings.base_url)
                hint = f"check the network and providers.{name}.base_url"
                return ProviderUnreachable(f"{name} at {address} can't be reached: {message}", hint=hint)
            case "timeout":
                hint = f"raise providers.{name}.first_byte_timeout_s or stall_timeout_s"
                return ProviderTimeout(f"{name} took too long: {message}", hint=hint)
            case "overloaded":
                seconds = error.retry_after_s
                hint = None if seconds is None else f"ask again in {seconds:.0f} s"
                return ProviderFailed(f"{name} is overloaded: {message}", hint=hint)
            case "failed":
                return ProviderFailed(f"{name} failed: {message}")
