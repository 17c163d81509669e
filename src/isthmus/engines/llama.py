"""The local model: a llama.cpp worker that is started when it is needed and restarted when it falls."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from typing import Any

import msgspec

from isthmus.engines.builds import INSTALLED, EngineBuild
from isthmus.engines.calling import knows_tools, tell
from isthmus.engines.embedding import WorkerEmbedder
from isthmus.engines.embedding_plan import EmbeddingLoad
from isthmus.engines.fingerprint import fingerprint
from isthmus.engines.images import refuse_remote
from isthmus.engines.loading import Loading
from isthmus.engines.process import WorkerProcess
from isthmus.engines.room import ContextRoom, Part
from isthmus.engines.tokens import WorkerTokenizer
from isthmus.engines.truncation import Shortened, shorten, too_long
from isthmus.engines.watchdog import Watchdog
from isthmus.engines.worker_config import NGRAM_DRAFT
from isthmus.errors import (
    AnswerGarbled,
    ContextLengthExceeded,
    EngineError,
    IsthmusError,
    LoadError,
    RequestError,
    StorageError,
    WorkerDied,
)
from isthmus.fit import Budget, Plan
from isthmus.generator import EventStream
from isthmus.messages import Finish, GenerationRequest, ModelInfo, Notice, TokenScore, TokenScores, Usage
from isthmus.settings import EngineSettings
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.trust import VerifiedModel
from isthmus.wire.completions_body import UpstreamCall, render_call

_CRASHES = 3
"""A worker that falls this often without one whole answer between is not started again."""
_CONTEXT_FULL = "Context size has been exceeded"
"""What llama.cpp says to all who share a context that has run out."""
_GARBLED = "does not match the expected"
"""What llama.cpp says of an answer that it can't take apart, once it is over."""
_TEMPLATE_TOKENS = 256
"""What a chat template may add to a prompt of its own."""

_log = logging.getLogger(__name__)


class LlamaEngine:
    """A `Generator` over one worker process.

    Args:
        model: Verified weights; closed with the engine, as those of ``draft`` are.
        settings: How the worker is to load them.
        build: Which llama.cpp runs them. One that fails is given up for the installed one.
        plan: What lies where, and the context; without one the settings' and the engine's own.
        budget: The memory that models may take; what the plan leaves of it may hold earlier prompts.
        draft: A small model that guesses ahead.
        chat_template: Replaces the model's own template.
        embedding: How the model turns texts into vectors, where it is for that and not to answer.
    """

    def __init__(
        self,
        model: VerifiedModel,
        settings: EngineSettings,
        *,
        build: EngineBuild = INSTALLED,
        plan: Plan | None = None,
        budget: Budget | None = None,
        draft: VerifiedModel | None = None,
        chat_template: str = "",
        embedding: EmbeddingLoad | None = None,
    ) -> None:
        self._loading = Loading(
            model=model,
            settings=settings,
            build=build,
            plan=plan,
            budget=budget,
            draft=draft,
            chat_template=chat_template,
            embedding=embedding,
        )
        self._worker: WorkerProcess | None = None
        self._client: ChatClient | None = None
        self._watchdog: Watchdog | None = None
        self._starting = asyncio.Lock()
        self._crashes = 0
        self._fallen: WorkerProcess | None = None  # the last one that was counted
        self._notices: list[Notice] = []
        self._room = ContextRoom(0, settings.parallel, NGRAM_DRAFT)
        self._knows_tools = False  # whether the template does
        self._info = ModelInfo(
            model.name,
            local=True,
            digest=model.digest,
            vision=model.header.sees,
            template=chat_template or model.header.chat_template or "",
        )
        self.tokenizer = WorkerTokenizer(self._post, model.name, model.header.shape.vocabulary, self._told)
        self.embedder = WorkerEmbedder(self._post, self.tokenizer, model.name, self._loading.text_tokens)

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

    def memory_bytes(self) -> int | None:
        """The main memory that its worker takes now; None where none runs. Takes milliseconds."""
        return self._worker.memory_bytes if self._worker is not None else None

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
            worker = await self._start()
            client = ChatClient(
                worker.address,
                key=worker.key,
                first_byte_timeout_s=self._loading.settings.stall_timeout_s,
                stall_timeout_s=self._loading.settings.stall_timeout_s,
                reuse=False,
                usage_each=True,
            )
            self._worker, self._client = worker, client
            self._watchdog = Watchdog(client, worker.kill)
            try:
                self._info = _describe(await client.get("/models"), self._info)
                properties = await client.get("/props")
                self._knows_tools = knows_tools(properties)
                mark = fingerprint(self._loading.build, properties.get("build_info", ""), self._info.digest)
                self._info = msgspec.structs.replace(self._info, fingerprint=mark)
            except UpstreamError as error:
                raise await self._judge(error) from error
            slots = self._loading.settings.parallel
            self._room = ContextRoom(self._info.context_length or 0, slots, NGRAM_DRAFT)
            return client

    async def _start(self) -> WorkerProcess:
        """A worker of the build that was chosen or, where that fails, of the installed one from then on."""
        loading, last_try = self._loading, self._crashes == _CRASHES - 1
        if loading.build.name == INSTALLED.name:
            return await WorkerProcess.start(loading)
        failure = f"its worker fell {self._crashes} times in a row"
        if not last_try:
            try:
                return await WorkerProcess.start(loading)
            except (LoadError, StorageError) as error:
                failure = error.message
        installed = msgspec.structs.replace(loading, build=INSTALLED)
        worker = await WorkerProcess.start(installed)
        self._loading = installed
        text = f"the engine build {loading.build.name} was given up for the installed one: {failure}"
        _log.warning("%s", text)
        self._notices.append(Notice("engine_build_failed", text, hint="isthmus doctor"))
        return worker

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Yield the answer; closing the iterator frees the slot.

        Raises:
            ContextLengthExceeded: The prompt doesn't fit; the message says both lengths.
            RequestError: The engine refuses the request as it stands.
            WorkerDied: The process fell in the middle; the next call starts another.
            EngineError: Anything else.
        """
        refuse_remote(request.messages)
        client = await self.open()
        notices, self._notices = self._notices, []
        told = tell(request, knows_tools=self._knows_tools)
        notices += [] if told.notice is None else [told.notice]
        try:
            async with aclosing(told.read(self._answer(client, told.request, notices))) as events:
                async for event in events:
                    yield event
        except ContextLengthExceeded as error:
            lengths = _lengths(error.__cause__)
            if request.truncation == "none" or lengths is None:
                raise
            shorter = await self._shortened(client, request, lengths)
            told = tell(shorter.request, knows_tools=self._knows_tools)
            answer = self._answer(client, told.request, [*notices, shorter.notice])
            async with aclosing(told.read(answer)) as events:
                async for event in events:
                    yield event

    async def _answer(
        self, client: ChatClient, request: GenerationRequest, notices: list[Notice]
    ) -> EventStream:
        """The answer as the worker gives it, with what must be told right before it."""
        call = render_call(request, self._info.name, "llama")
        # Those of this very call: by the time it fails, another's failure may have started a new worker.
        tokens, watchdog, worker = 0, self._watchdog, self._worker
        ended = set[int]()
        try:
            async with (
                self._room_for(client, call, request) as (room, part),
                _watched(watchdog, request, lambda: tokens),
                aclosing(client.stream(call.body, request.n, path="/v1" + call.path)) as events,
            ):
                async for event in events:
                    while notices:
                        yield notices.pop(0)
                    if isinstance(event, Finish):
                        self._crashes = 0
                        ended.add(event.index)
                        if watchdog is not None:
                            watchdog.learn(event)
                    elif isinstance(event, TokenScores):
                        event = event if request.top_logprobs else _without_rivals(event)
                    else:
                        room.grow(part)
                        tokens += 1
                    yield event
                    if part.over and not isinstance(event, Finish):
                        break
                else:
                    return
        except UpstreamError as error:
            if watchdog is not None and watchdog.bit and _has_form(request):
                raise RequestError(
                    "the engine hung while it held an answer to its schema or grammar, and was started anew",
                    hint="ask for a simpler form",
                ) from error
            # Tokens that make up one strange character aren't counted one by one, so the room is an estimate.
            if not tokens or _CONTEXT_FULL not in error.message:
                raise await self._judge(error, worker, watchdog) from error
        for finish in await self._cut(client, request, tokens, ended):
            yield finish

    async def _cut(
        self, client: ChatClient, request: GenerationRequest, tokens: int, ended: set[int]
    ) -> list[Finish]:
        """The ends of the choices, but for those that have ended, for which the context has no more room."""
        try:
            usage = Usage(await self._count(client, request), tokens)
        except UpstreamError as error:
            raise await self._judge(error) from error
        cut = [index for index in range(request.n) if index not in ended]
        return [Finish("length", usage if index == cut[-1] else None, index=index) for index in cut]

    @asynccontextmanager
    async def _room_for(
        self, client: ChatClient, call: UpstreamCall, request: GenerationRequest
    ) -> AsyncGenerator[tuple[ContextRoom, Part], None]:
        """A part of the context, waited for if need be."""
        room = self._room
        # No token is shorter than a byte, so mostly nothing needs to be counted; images are another matter.
        part = None
        if not any(message.images for message in request.messages):
            part = room.try_enter(len(call.body) + _TEMPLATE_TOKENS, request.max_tokens, request.n)
        if part is None:
            prompt = await self._count(client, request)
            # What can never fit isn't waited for: the worker refuses it, with both lengths.
            fits = prompt < (self._info.context_length or 0)
            part = await room.enter(prompt if fits else 0, request.max_tokens, request.n)
        try:
            yield room, part
        finally:
            room.leave(part)

    async def _count(self, client: ChatClient, request: GenerationRequest) -> int:
        """How many tokens a prompt has, by the worker that is to read it."""
        return await WorkerTokenizer(client.post, self._info.name, 0).count(request)

    async def _told(self, request: GenerationRequest) -> GenerationRequest:
        """A conversation as the worker gets it, which depends on the template that it has loaded."""
        await self.open()
        return tell(request, knows_tools=self._knows_tools).request

    async def _shortened(
        self, client: ChatClient, request: GenerationRequest, lengths: tuple[int, int]
    ) -> Shortened:
        """The request without its oldest turns."""

        async def count(shorter: GenerationRequest) -> int:
            try:
                return await self._count(client, tell(shorter, knows_tools=self._knows_tools).request)
            except UpstreamError as error:
                raise await self._judge(error) from error

        return await shorten(request, *lengths, count)

    async def _post(self, path: str, body: bytes) -> Any:
        """Have something done that isn't answering; the JSON that comes back."""
        client = await self.open()
        try:
            return await client.post(path, body)
        except UpstreamError as error:
            raise await self._judge(error) from error

    async def close(self) -> None:
        """End the worker and let go of the weights."""
        async with self._starting:
            await self._bury()
        self._loading.model.close()
        if self._loading.draft is not None:
            self._loading.draft.close()

    async def _bury(self) -> None:
        worker, client, self._worker, self._client = self._worker, self._client, None, None
        if client is not None:
            await client.close()
        if worker is not None:
            await worker.stop()

    async def _judge(
        self,
        error: UpstreamError,
        worker: WorkerProcess | None = None,
        watchdog: Watchdog | None = None,
    ) -> IsthmusError:
        """Whose fault it was: the request's, or a worker's that fell; by default the one that runs now."""
        if error.kind == "rejected":
            return _refusal(error)
        if _GARBLED in error.message:
            return AnswerGarbled(
                f"{self._info.name} broke the format of its answers, so that this one can't be read",
                hint="ask again, or ask for more reasoning effort",
            )
        if worker is None:
            worker, watchdog = self._worker, self._watchdog
        if worker is not None and error.kind in ("cut", "unreachable") and await worker.ended(1.0):
            # One that hung is not the worse for it: counted, three such requests would refuse it to all. Nor
            # does one fall more often than once, however many questions it takes down.
            if (watchdog is None or not watchdog.bit) and worker is not self._fallen:
                self._crashes += 1
                self._fallen = worker
            return WorkerDied(
                f"the worker of {self._info.name} ended in the middle of its work ({worker.last_words()})",
                hint="ask again: a new one is started",
            )
        return EngineError(f"the engine failed: {error.message}")


def _has_form(request: GenerationRequest) -> bool:
    return request.response_format is not None or request.grammar is not None


def _watched(
    watchdog: Watchdog | None, request: GenerationRequest, said: Callable[[], int]
) -> AbstractAsyncContextManager[None]:
    return watchdog.watching(said) if watchdog is not None and _has_form(request) else nullcontext()


def _without_rivals(scores: TokenScores) -> TokenScores:
    """The engine names at least one rival a token, asked or not."""
    return TokenScores(
        tuple(TokenScore(each.token, each.logprob, (), each.raw, each.id) for each in scores.tokens),
        scores.index,
    )


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
        template=info.template,
    )


def _refusal(error: UpstreamError) -> RequestError:
    if (lengths := _lengths(error)) is not None:
        return too_long(*lengths)
    return RequestError(f"the engine refuses the request: {error.message}")


def _lengths(error: BaseException | None) -> tuple[int, int] | None:
    """The prompt's tokens and the context's, of a refusal that is about them."""
    if isinstance(error, UpstreamError) and error.detail.get("type") == "exceed_context_size_error":
        return error.detail["n_prompt_tokens"], error.detail["n_ctx"]
    return None
