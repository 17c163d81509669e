"""The local model: a llama.cpp worker that is started when it is needed and restarted when it falls."""

import asyncio
from contextlib import aclosing
from typing import Any

from isthmus.engines.process import WorkerProcess
from isthmus.errors import ContextLengthExceeded, EngineError, IsthmusError, RequestError, WorkerDied
from isthmus.generator import EventStream
from isthmus.messages import Finish, GenerationRequest, ModelInfo, TokenScore, TokenScores
from isthmus.settings import EngineSettings
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.trust import VerifiedModel
from isthmus.wire.chat_request import render_chat

_CRASHES = 3
"""A worker that falls this often without one whole answer between is not started again."""


class LlamaEngine:
    """A `Generator` over one worker process.

    Args:
        model: Verified weights; closed with the engine.
        settings: How the worker is to load them.
        chat_template: Replaces the model's own template.
    """

    def __init__(self, model: VerifiedModel, settings: EngineSettings, *, chat_template: str = "") -> None:
        self._weights = model
        self._settings = settings
        self._chat_template = chat_template
        self._worker: WorkerProcess | None = None
        self._client: ChatClient | None = None
        self._starting = asyncio.Lock()
        self._crashes = 0
        self._info = ModelInfo(model.name, local=True, digest=model.digest)

    @property
    def model(self) -> ModelInfo:
        """What is known of the model; its context is known once a worker runs."""
        return self._info

    @property
    def worker(self) -> WorkerProcess | None:
        """The process that serves it now, if there is one."""
        return self._worker

    @property
    def crashes(self) -> int:
        """How often the worker fell since its last whole answer."""
        return self._crashes

    async def open(self) -> ChatClient:
        """Start the worker if none runs.

        Raises:
            LoadError: The weights can't be loaded.
            EngineError: The worker fell again and again.
        """
        async with self._starting:
            if self._worker is not None and self._worker.alive and self._client is not None:
                return self._client
            if self._worker is not None:
                await self._bury()
            if self._crashes >= _CRASHES:
                raise EngineError(
                    f"the worker of {self._info.name} fell {self._crashes} times in a row and is left alone",
                    hint="try a smaller engine.context_length, then restart Isthmus",
                )
            worker = await WorkerProcess.start(
                self._weights, self._settings, chat_template=self._chat_template
            )
            client = ChatClient(
                worker.address + "/v1",
                key=worker.key,
                first_byte_timeout_s=self._settings.stall_timeout_s,
                stall_timeout_s=self._settings.stall_timeout_s,
                reuse=False,
            )
            self._worker, self._client = worker, client
            self._info = _describe(await client.get("/models"), self._info)
            return client

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Yield the answer; closing the iterator frees the slot.

        Raises:
            ContextLengthExceeded: The prompt doesn't fit; the message says both lengths.
            RequestError: The engine refuses the request as it stands.
            WorkerDied: The process fell in the middle; the next call starts another.
            EngineError: Anything else.
        """
        client = await self.open()
        body = render_chat(request, self._info.name, "llama")
        try:
            async with aclosing(client.stream(body, request.n)) as events:
                async for event in events:
                    if isinstance(event, Finish):
                        self._crashes = 0
                    elif isinstance(event, TokenScores) and not request.top_logprobs:
                        event = _without_rivals(event)
                    yield event
        except UpstreamError as error:
            raise await self._judge(error) from error

    async def close(self) -> None:
        """End the worker and let go of the weights."""
        async with self._starting:
            await self._bury()
        self._weights.close()

    async def _bury(self) -> None:
        worker, client, self._worker, self._client = self._worker, self._client, None, None
        if client is not None:
            await client.close()
        if worker is not None:
            await worker.stop()

    async def _judge(self, error: UpstreamError) -> IsthmusError:
        """Whose fault it was: the request's, or a worker's that fell."""
        if error.kind == "rejected":
            return _refusal(error)
        worker = self._worker
        if worker is not None and error.kind in ("cut", "unreachable") and await worker.ended(1.0):
            self._crashes += 1
            return WorkerDied(
                f"the worker of {self._info.name} ended in the middle of its work ({worker.last_words()})",
                hint="ask again: a new one is started",
            )
        return EngineError(f"the engine failed: {error.message}")


def _without_rivals(scores: TokenScores) -> TokenScores:
    """The engine names at least one rival a token, asked or not."""
    return TokenScores(tuple(TokenScore(each.token, each.logprob) for each in scores.tokens), scores.index)


def _describe(listing: Any, info: ModelInfo) -> ModelInfo:
    """What the worker says of the model that it has loaded."""
    entry = listing["data"][0]
    modalities = entry.get("architecture", {}).get("input_modalities", [])
    return ModelInfo(
        info.name,
        local=True,
        context_length=entry.get("meta", {}).get("n_ctx"),
        vision="image" in modalities,
        digest=info.digest,
    )


def _refusal(error: UpstreamError) -> RequestError:
    if error.detail.get("type") == "exceed_context_size_error":
        prompt, context = error.detail.get("n_prompt_tokens"), error.detail.get("n_ctx")
        return ContextLengthExceeded(
            f"the prompt has {prompt} tokens, and the model's allocated context is {context}",
            hint="shorten it, or raise engine.context_length",
            param="messages",
        )
    return RequestError(f"the engine refuses the request: {error.message}")
