"""From settings to what a `Runtime` needs: which local models, which hosted one, which rules."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

import anyio.to_thread
from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.engines.builds import EngineBuild, chosen, driven_by
from isthmus.engines.loader import WorkerLoader
from isthmus.engines.pool import open_pool
from isthmus.engines.resident import Weights
from isthmus.errors import PriceUnknown
from isthmus.fit import Budget, budget_of, weights_room
from isthmus.generator import Generator
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.away.opening import open_hosted
from isthmus.handoff.conversations.conversation import CachePrice, Conversations
from isthmus.handoff.estimator import load_profile
from isthmus.handoff.marking.marks import open_marks
from isthmus.handoff.rules import Rules
from isthmus.ledger import Ledger, PendingHandoffs
from isthmus.machine import memory, survey
from isthmus.messages import Notice, Progress
from isthmus.naming import ModelRef, parse_model
from isthmus.reasoning.workshop import SandboxWorkshop
from isthmus.runtime.delegation import Delegation
from isthmus.runtime.models import Models, resolve
from isthmus.runtime.runners import open_runner
from isthmus.runtime.terms import Terms
from isthmus.settings import Secret, Settings
from isthmus.store import Store, find, pull, pull_reference
from isthmus.trust import admission_in


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
        DoesNotFit: There isn't enough memory for it.
    """
    ref = parse_model(name, configuration.settings.runners)
    if ref.kind == "runner":
        return open_runner(ref, configuration)
    weights = await have_weights(ref, configuration, talk)
    loader, _ = await _loader(configuration.settings)
    return await loader.prepare(weights, talk.on_progress)


@asynccontextmanager
async def open_models(configuration: Configuration) -> AsyncGenerator[Models, None]:
    """All local models, of which those that are asked are loaded; at the end they are unloaded."""
    settings = configuration.settings
    loader, budget = await _loader(settings)
    async with open_pool(loader, settings.engine, budget) as pool:
        models = Models(configuration, pool)
        try:
            yield models
        finally:
            await models.close()


async def have_weights(ref: ModelRef, configuration: Configuration, talk: Talk) -> Weights:
    """A model's weights on this machine, fetched if need be; not verified yet.

    Raises:
        UnknownModel: Nothing goes by that name.
        FetchError: It isn't here and can't be had.
    """
    if ref.kind == "path":
        return ref.path
    settings = configuration.settings
    store = Store(settings.home_path)
    if stored := resolve(store, ref):
        return stored
    terms = _Terms(
        offline=settings.offline,
        hf_endpoint=settings.hf_endpoint,
        hf_token=configuration.hf_token,
        on_progress=talk.on_progress,
        on_notice=talk.on_notice,
    )
    if ref.kind == "source":
        _, budget = await _loader(settings)
        room = weights_room(budget)
        admit = admission_in(settings)
        return await pull_reference(ref.value, store, fits=lambda size: size <= room, admit=admit, **terms)
    entry = find(ref.value)
    return store.require(ref) if entry is None else await pull(entry, store, **terms)


def open_terms(configuration: Configuration, ledger: Ledger) -> Terms:
    """The terms on which questions are handed over, one for all of a process; its owner closes them.

    Raises:
        SettingsError: There is no such profile, or what the settings want hidden can't be looked for.
    """
    settings, handoff = configuration.settings, configuration.settings.handoff
    hosted = open_hosted(configuration, ledger)
    return Terms(
        rules=rules_of(settings),
        hosted=hosted,
        estimator=load_profile(settings.home_path, handoff.profile),
        pending=PendingHandoffs(ledger.engine, hours=handoff.pending_hours, most=handoff.pending_most),
        marks=open_marks(handoff.home_only, ledger.engine, settings.home_path),
        conversations=Conversations(handoff.stickiness, _switching_price(hosted)) if hosted else None,
        delegation=Delegation(hosted, handoff.delegate_calls, handoff.delegate_usd) if hosted else None,
        workshop=SandboxWorkshop() if settings.reasoning.python else None,
    )


def _switching_price(hosted: HostedModel) -> CachePrice | None:
    """What a cold cache costs; None where nobody knows, so that nothing will leave anyway."""
    try:
        return CachePrice(*hosted.switching_price())
    except PriceUnknown:
        return None


def rules_of(settings: Settings) -> Rules:
    """The person's decisions, as the policy reads them."""
    handoff = settings.handoff
    return Rules(
        mode=handoff.mode,
        local_only=handoff.local_only,
        offline=settings.offline,
        provider=next(iter(handoff.order), None),
        threshold=handoff.threshold,
        max_hold_tokens=handoff.max_hold_tokens,
        samples=handoff.samples,
        delegate=handoff.delegate,
    )


async def _loader(settings: Settings) -> tuple[WorkerLoader, Budget]:
    """What loads models, and the memory that they may take together."""
    build = chosen(settings.home_path, settings.engine.build)
    budget = await anyio.to_thread.run_sync(_measure_budget, settings, build)
    return WorkerLoader(settings, budget, build), budget


def _measure_budget(settings: Settings, build: EngineBuild) -> Budget:
    """What can be had now; GPUs, whose drivers take their time, are asked only where some may be of use."""
    asked = build.device is not None or sys.platform == "darwin"
    gpus = driven_by(build, survey(settings.home_path).gpus) if asked else ()
    return budget_of(settings.engine, memory(), gpus)


class _Terms(TypedDict):
    """On which terms weights are fetched."""

    offline: bool
    hf_endpoint: str
    hf_token: Secret | None
    on_progress: Callable[[Progress], None]
    on_notice: Callable[[Notice], None]
