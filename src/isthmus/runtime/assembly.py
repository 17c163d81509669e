"""From settings to a `Runtime`: which local model, which hosted one, which rules."""

from collections.abc import Callable
from functools import partial

import anyio.to_thread
from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.engines.llama import LlamaEngine
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import SettingsError
from isthmus.generator import Generator
from isthmus.handoff.hosted import HostedModel
from isthmus.handoff.policy import Rules
from isthmus.ledger import Ledger
from isthmus.messages import Notice, Progress
from isthmus.naming import ModelRef, parse_model
from isthmus.settings import Settings
from isthmus.store import Store, find, pull
from isthmus.trust import VerifiedModel, verify


class Talk(Struct, frozen=True):
    """Where long work tells how far it is, and what the person should know."""

    on_progress: Callable[[Progress], None]
    on_notice: Callable[[Notice], None]


async def open_home(configuration: Configuration, name: str, talk: Talk) -> Generator:
    """The local model that goes by ``name``: a runner's, a file's, or one of the store, fetched if need be.

    A worker is made, not started: `LlamaEngine.open` or the first question does that.

    Raises:
        UnknownModel: Nothing goes by that name.
        FetchError: It isn't here and can't be had.
        ModelError: Its bytes are not what they should be.
    """
    settings = configuration.settings
    ref = parse_model(name, settings.runners)
    if ref.kind == "runner":
        return _runner(ref, configuration)
    weights = await _verified(ref, settings, talk)
    return LlamaEngine(weights, settings.engine)


def open_hosted(configuration: Configuration, ledger: Ledger) -> HostedModel | None:
    """The hosted model that the settings name, if they do and nothing forbids it."""
    settings = configuration.settings
    name = settings.handoff.provider
    if name is None or settings.handoff.mode == "off" or settings.handoff.local_only or settings.offline:
        return None
    return HostedModel(name, settings.providers[name], settings.handoff, ledger, configuration.keys.get(name))


def rules_of(settings: Settings) -> Rules:
    """The person's decisions, as the policy reads them."""
    handoff = settings.handoff
    return Rules(
        mode=handoff.mode,
        local_only=handoff.local_only,
        offline=settings.offline,
        provider=handoff.provider,
        threshold=handoff.threshold,
        max_hold_tokens=handoff.max_hold_tokens,
    )


def _runner(ref: ModelRef, configuration: Configuration) -> RunnerEngine:
    provider = configuration.settings.providers[ref.value]
    model = ref.model or provider.model
    if model is None:
        raise SettingsError(
            f"the settings don't say which model of {ref.value} to use",
            hint=f"set providers.{ref.value}.model, or use --model {ref.value}/MODEL",
        )
    return RunnerEngine(ref.value, provider, model, key=configuration.keys.get(ref.value))


async def _verified(ref: ModelRef, settings: Settings, talk: Talk) -> VerifiedModel:
    if ref.kind == "path":
        return await anyio.to_thread.run_sync(verify, ref.path)
    store = Store(settings.home_path)
    stored, entry = store.resolve(ref), find(ref.value)
    if stored is None and entry is not None:
        stored = await pull(
            entry,
            store,
            offline=settings.offline,
            hf_endpoint=settings.hf_endpoint,
            on_progress=talk.on_progress,
            on_notice=talk.on_notice,
        )
    work = partial(verify, stored or store.require(ref), on_progress=talk.on_progress)
    return await anyio.to_thread.run_sync(work)
