"""A hosted model: its vendor's habits, its address, its key."""

from contextlib import aclosing

from msgspec import Struct

from isthmus.errors import (
    ProviderCut,
    ProviderError,
    ProviderFailed,
    ProviderGarbled,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnreachable,
)
from isthmus.generator import EventStream
from isthmus.messages import GenerationRequest, ModelInfo
from isthmus.providers.adapting import adapt
from isthmus.providers.vendor import ANY, Vendor
from isthmus.settings import ProviderSettings, Secret, without_credentials
from isthmus.transport.chat_client import ChatClient, Reader, UpstreamError
from isthmus.wire.chat_body import render_chat
from isthmus.wire.chat_reader import ChunkReader
from isthmus.wire.messages_body import render_messages
from isthmus.wire.messages_reader import MessagesReader


class Rendered(Struct, frozen=True):
    """A request as it would leave. ``left_out`` names what the vendor takes none of."""

    body: bytes
    left_out: tuple[str, ...] = ()


class HostedProvider:
    """A `Generator` over a hosted model.

    Args:
        name: What the settings call it.
        settings: Its address, model and patience.
        key: Its key, if it wants one.
        vendor: Whose habits it has.
    """

    def __init__(
        self, name: str, settings: ProviderSettings, key: Secret | None = None, vendor: Vendor = ANY
    ) -> None:
        self.name = name
        self.vendor = vendor
        self._settings = settings
        self._info = ModelInfo(settings.model or "default", local=False)
        self._takes = vendor.takes_of(self._info.name)
        self._client = ChatClient(
            settings.base_url,
            key=key,
            key_header=vendor.key_header,
            headers=vendor.headers,
            connect_timeout_s=settings.connect_timeout_s,
            first_byte_timeout_s=settings.first_byte_timeout_s,
            stall_timeout_s=settings.stall_timeout_s,
            proxies=True,
            compressed=True,
        )

    @property
    def model(self) -> ModelInfo:
        """The hosted model."""
        return self._info

    def render(self, request: GenerationRequest) -> Rendered:
        """The exact bytes that `send` would let leave.

        Raises:
            HandoffRefused: It can't be answered there: it asks for several choices of a model that gives one.
            RequestError: It can't be rendered.
        """
        adapted = adapt(request, self._takes, self.vendor.title)
        model = self._info.name
        if self.vendor.api == "messages":
            return Rendered(render_messages(adapted.request, model), adapted.left_out)
        body = render_chat(adapted.request, model, "hosted", self.vendor.spelling, adapted.extra)
        return Rendered(body, adapted.left_out)

    async def send(self, body: bytes, choices: int = 1) -> EventStream:
        """Let ``body`` leave, and yield the answer.

        Raises:
            ProviderUnreachable: No connection, so nothing left.
            ProviderFailed: Overload, or a failing server.
            ProviderTimeout: It fell silent.
            ProviderRejected: It said no.
            ProviderCut: Its stream ended before its answer did.
            ProviderGarbled: What it said isn't its API's language.
        """
        reader: Reader = MessagesReader() if self.vendor.api == "messages" else ChunkReader(choices)
        try:
            stream = self._client.stream(body, path=self.vendor.path, reader=reader)
            async with aclosing(stream) as events:
                async for event in events:
                    yield event
        except UpstreamError as error:
            raise self._judge(error) from error

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Render and send in one."""
        async with aclosing(self.send(self.render(request).body, request.n)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    def _judge(self, error: UpstreamError) -> ProviderError:
        kind, sentence, hint = self._told(error)
        message = f"{self.name} {sentence}: {error.message}"
        return kind(message, hint=hint, status=error.status, retry_after_s=error.retry_after_s)

    def _told(self, error: UpstreamError) -> tuple[type[ProviderError], str, str | None]:
        """What went wrong, in the tree of errors and in words, and what to do."""
        name = self.name
        match error.kind:
            case "rejected" if error.status in (401, 403):
                return ProviderRejected, "doesn't accept the key", self._key_hint()
            case "rejected" if error.status == 402:
                return ProviderRejected, "wants to be paid first", self._pay_hint()
            case "rejected" if error.status == 404:
                hint = f"check providers.{name}.model and providers.{name}.base_url"
                return ProviderRejected, f"doesn't know {self._info.name!r}", hint
            case "rejected":
                return ProviderRejected, "refuses the request", None
            case "cut":
                return ProviderCut, "stopped in the middle of its answer", None
            case "unreachable":
                address = without_credentials(self._settings.base_url)
                hint = f"check the network and providers.{name}.base_url"
                return ProviderUnreachable, f"at {address} can't be reached", hint
            case "timeout":
                hint = f"raise providers.{name}.first_byte_timeout_s or stall_timeout_s"
                return ProviderTimeout, "took too long", hint
            case "overloaded":
                seconds = error.retry_after_s
                return ProviderFailed, "is overloaded", f"ask again in {seconds:.0f} s" if seconds else None
            case "failed":
                return ProviderFailed, "failed", None
            case "garbled":
                return ProviderGarbled, "makes no sense", f"check providers.{name}.base_url"

    def _key_hint(self) -> str:
        if self._settings.key_env:
            return f"check the key in {self._settings.key_env}"
        if variables := self.vendor.key_variables:
            return f"check the key in {variables[0]}, made at {self.vendor.keys_page}"
        return f"set providers.{self.name}.key_env"

    def _pay_hint(self) -> str | None:
        return f"see {self.vendor.keys_page}" if self.vendor.keys_page else None
