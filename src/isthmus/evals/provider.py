"""Isthmus as a model provider of Inspect: ``inspect eval task.py --model isthmus/qwen2.5-coder:0.5b``.

The answer comes from a `Runtime` in this process, as ``isthmus ask`` would give it: a local worker, the
person's settings, rules, budgets and ledger. Needs the extra ``evals``.
"""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing

import anyio
import anyio.to_thread
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util import store

from isthmus import configuration
from isthmus.configuration import Configuration
from isthmus.engines.llama import LlamaEngine
from isthmus.errors import (
    Busy,
    ContextLengthExceeded,
    HandoffRefused,
    ProviderFailed,
    SettingsError,
    UsageError,
)
from isthmus.evals.spending import KEY, spent_from
from isthmus.evals.translating import as_output, as_request
from isthmus.evals.work import AT_WORK
from isthmus.ledger import ledger_of, open_database
from isthmus.messages import GenerationRequest, Notice
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.assembly import Talk, open_home, open_terms
from isthmus.runtime.effort import WithEffort
from isthmus.settings import Settings
from isthmus.wire.gathered import Completion

log = logging.getLogger(__name__)

_OPEN: set["IsthmusAPI"] = set()
"""Those that hold a worker, until the run's end: Inspect itself closes no model."""


class IsthmusAPI(ModelAPI):
    """A model at home, a hosted one, or both, as the hand-off mode says.

    Inspect's ``reasoning_effort`` is the effort. What an answer cost and who gave it stands in its
    ``metadata["isthmus"]``, and for the whole sample in its store.

    Args:
        model_name: A local model's name, as ``isthmus ask --model`` takes it; ``default``: the settings' own.
        base_url: Not for this provider: a server is declared as a runner in the settings.
        api_key: Not for this provider: keys are where the settings say.
        config: Inspect's.
        handoff: ``off``, ``shadow``, ``auto`` or ``always``; by default as the settings have it. With
            ``always`` an answer that came from home all the same is an error, not a result.
        adapters: LoRA adapters (GGUF files) in place of the settings' own.
        account: Under which name of a sample's store it is kept what the answers took.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        handoff: str | None = None,
        adapters: Sequence[str] | None = None,
        account: str = KEY,
    ) -> None:
        super().__init__(model_name, config=config)
        if base_url or api_key:
            raise UsageError(
                "a model of isthmus takes no address and no key",
                hint="declare the server in isthmus.toml: [providers.NAME] with local = true",
            )
        self.configuration = configured(model_name, handoff, adapters)
        self._account = account
        self._lock: anyio.Lock | None = None
        self._held = AsyncExitStack()
        self._runtime: Runtime | None = None

    @property
    def settings(self) -> Settings:
        """The person's settings, with the model and the mode of this provider."""
        return self.configuration.settings

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect's name for it
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer a conversation.

        Raises:
            IsthmusError: Nobody could, or hosted answers were wanted and home gave this one.
        """
        request = as_request(input, tools, tool_choice, config)
        try:
            return as_output(await self.answer(request), self.model_name)
        except ContextLengthExceeded as error:
            return ModelOutput.from_content(self.model_name, error.message, "model_length")

    async def answer(self, request: GenerationRequest) -> Completion:
        """Answer a request, which may ask for more than Inspect knows of: an answer's beginning, a template.

        Raises:
            IsthmusError: Nobody could, or hosted answers were wanted and home gave this one.
        """
        runtime = await self.open()
        started = time.monotonic()
        with AT_WORK.going_on():
            completion = await _answered(runtime, request)
        self._check_route(completion)
        seconds, digest = time.monotonic() - started, runtime.home.model.digest
        kept = store()
        spent = spent_from(kept.get(self._account)).plus(completion, seconds, digest)
        kept.set(self._account, spent.to_store())
        return completion

    async def aclose(self) -> None:
        """Free the worker and the connections; a later question opens them again."""
        _OPEN.discard(self)
        held, self._held = self._held, AsyncExitStack()
        self._runtime = self._lock = None
        await held.aclose()

    async def count_text_tokens(self, text: str) -> int:
        """About how many tokens a text has: four bytes each.

        Inspect's own count would fetch a vocabulary from the net, where nothing is to leave the machine.
        """
        return math.ceil(len(text.encode()) / 4)

    def max_connections(self) -> int:
        """As many questions at once as the engine has slots."""
        return self.settings.engine.parallel

    def connection_key(self) -> str:
        """Questions to one model share its slots."""
        return self.settings.model

    def should_retry(self, ex: Exception) -> bool:
        """Only a full queue is worth waiting for: the hand-off has tried the rest by then."""
        return isinstance(ex, Busy)

    async def open(self) -> Runtime:
        """Load the model, unless it is loaded.

        Raises:
            IsthmusError: It can't be.
        """
        if self._lock is None:
            self._lock = anyio.Lock()
        with AT_WORK.going_on():
            async with self._lock:
                if self._runtime is None:
                    _OPEN.add(self)
                    self._runtime = await self._opened()
                return self._runtime

    async def _opened(self) -> Runtime:
        settings = self.settings
        home = await open_home(self.configuration, settings.model, Talk(lambda _: None, _log_notice))
        self._held.push_async_callback(home.close)
        if isinstance(home, LlamaEngine) and settings.handoff.mode != "always":
            await home.open()
        database = await anyio.to_thread.run_sync(open_database, settings.ledger_path)
        self._held.callback(database.dispose)
        ledger = ledger_of(database, settings)
        self._held.callback(ledger.close)
        terms = open_terms(self.configuration, ledger)
        self._held.push_async_callback(terms.close)
        return Runtime(WithEffort(settings)(home), terms, ledger=ledger)

    def _check_route(self, completion: Completion) -> None:
        route = completion.route
        if self.settings.handoff.mode != "always" or route is None or route.decision.target == "hosted":
            return
        why = "; ".join(each.text for each in completion.notices) or route.decision.reason
        raise ProviderFailed(f"the hosted model was to answer, and home did: {why}")


async def close_all() -> None:
    """Free what every provider holds."""
    with anyio.CancelScope(shield=True):
        for each in tuple(_OPEN):
            await each.aclose()


async def _answered(runtime: Runtime, request: GenerationRequest) -> Completion:
    completion = Completion()
    async with aclosing(runtime.answer(Ask(request, "bench", careful=True))) as events:
        async for event in events:
            completion.add(event)
    return completion


def configured(model: str, handoff: str | None, adapters: Sequence[str] | None = None) -> Configuration:
    """The person's settings with a model and a hand-off mode, where those can be measured.

    Args:
        model: A local model's name; ``default``: the settings' own.
        handoff: The mode; None: the settings' own.
        adapters: LoRA adapters; None: the settings' own.

    Raises:
        SettingsError: There is nobody to hand over to.
        HandoffRefused: A hard switch forbids it.
        UsageError: Somebody would have to be asked.
    """
    found = configuration.load(
        flags={
            "model": None if model == "default" else model,
            "handoff.mode": handoff,
            "engine.adapters": None if adapters is None else list(adapters),
        }
    )
    switches, mode = found.settings.handoff, found.settings.handoff.mode
    if mode == "ask":
        raise UsageError("hand-off ask can't be measured: nobody is there to be asked", hint="--handoff auto")
    if mode in ("auto", "always"):
        if not switches.order:
            raise SettingsError(f"hand-off {mode} needs a provider", hint="isthmus handoff setup")
        if switches.local_only or found.settings.offline:
            switch = "handoff.local_only" if switches.local_only else "offline"
            raise HandoffRefused(
                f"hand-off {mode} can't be measured: {switch} is set", hint="isthmus config show"
            )
    return found


def _log_notice(notice: Notice) -> None:
    log.warning(notice.text if notice.hint is None else f"{notice.text} ({notice.hint})")
