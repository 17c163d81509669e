"""Where a pool's models come from: verified weights in a worker of their own, within the memory there is."""

from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from isthmus.engines.builds import EngineBuild
from isthmus.engines.embedding_plan import embedding_load, embedding_settings, plan_embedding
from isthmus.engines.llama import LlamaEngine
from isthmus.engines.refusals import does_not_fit
from isthmus.engines.resident import ForEmbedding, Loadable, Weights, identity
from isthmus.errors import RequestError
from isthmus.fit import Budget, Plan, plan
from isthmus.naming import parse_model
from isthmus.settings import Settings
from isthmus.store import GgufHeader, Store, read_model
from isthmus.store.shape import ModelShape
from isthmus.trust import VerifiedModel, trust_in, verify
from isthmus.trust.verify import OnProgress


class WorkerLoader:
    """Loads models into workers.

    Args:
        settings: How workers are to load them, and with which draft model.
        budget: The memory that models may take together: no model is planned to take more.
        build: Which llama.cpp runs them.
    """

    def __init__(self, settings: Settings, budget: Budget, build: EngineBuild) -> None:
        self._settings = settings
        self._budget = budget
        self._build = build
        self._trust = trust_in(settings)
        self._headers: dict[str, GgufHeader] = {}

    async def plan(self, weights: Loadable) -> Plan:
        """What a model would take, with its draft model.

        Raises:
            ModelError: The weights can't be read.
            RequestError: They are to answer, and only turn texts into vectors; or the other way about.
        """
        return await anyio.to_thread.run_sync(self._plan, weights)

    async def load(self, weights: Loadable, plan: Plan) -> LlamaEngine:
        """A worker that has loaded a model.

        Raises:
            ModelError: The weights can't be read, or aren't those that were promised.
            LoadError: The engine can't load them.
        """
        engine = await anyio.to_thread.run_sync(self._engine, weights, plan, None)
        try:
            await engine.open()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await engine.close()
            raise
        return engine

    async def prepare(self, weights: Weights, on_progress: OnProgress | None = None) -> LlamaEngine:
        """A model that is verified and whose worker is yet to be started.

        Raises:
            DoesNotFit: There isn't enough memory for it.
            ModelError: The weights can't be read, or aren't those that were promised.
        """
        planned = await self.plan(weights)
        if not planned.fits:
            raise does_not_fit(weights.name, planned, self._budget.total_bytes)
        return await anyio.to_thread.run_sync(self._engine, weights, planned, on_progress)

    def _plan(self, weights: Loadable) -> Plan:
        engine = self._settings.engine
        if isinstance(weights, ForEmbedding):
            header = self._header(weights.weights)
            return plan_embedding(header, embedding_load(header, weights.name), self._budget, engine)
        header = self._header(weights)
        if header.embeds:
            raise RequestError(
                f"{weights.name} turns texts into vectors and can't answer",
                hint="ask it at /v1/embeddings, or name another model",
                param="model",
            )
        shape = header.shape
        planned, draft = plan(shape, self._budget, engine), self._draft_for(weights)
        if draft is None:
            return planned
        beside = plan(self._shape(draft), self._budget, engine, context_length=planned.context_length)
        return _together(plan(shape, _less(self._budget, beside), engine), beside)

    def _engine(self, weights: Loadable, plan: Plan, on_progress: OnProgress | None) -> LlamaEngine:
        """The engine of a model; blocks while the weights are verified."""
        if isinstance(weights, ForEmbedding):
            return self._embedding_engine(weights.weights, plan)
        adapters = self._settings.engine.adapters
        model = verify(weights, adapters=adapters, trust=self._trust, on_progress=on_progress)
        try:
            draft = self._verified_draft(weights)
        except BaseException:
            model.close()
            raise
        settings, budget = self._settings.engine, self._budget
        return LlamaEngine(model, settings, build=self._build, plan=plan, budget=budget, draft=draft)

    def _embedding_engine(self, weights: Weights, plan: Plan) -> LlamaEngine:
        model = verify(weights, trust=self._trust)
        load = embedding_load(model.header, model.name)
        return LlamaEngine(
            model,
            embedding_settings(load, self._settings.engine),
            build=self._build,
            plan=plan,
            budget=self._budget,
            embedding=load,
        )

    def _verified_draft(self, weights: Weights) -> VerifiedModel | None:
        draft = self._draft_for(weights)
        return verify(draft, trust=self._trust) if draft is not None else None

    def _draft_for(self, weights: Weights) -> Weights | None:
        """The model that guesses ahead for this one: the settings', where it knows the same tokens.

        None guesses beside images, which would have to be as wide for it as for this one.

        Raises:
            UnknownModel: It isn't here.
        """
        engine = self._settings.engine
        if engine.draft_model is None or engine.speculation not in ("auto", "draft"):
            return None
        ref = parse_model(engine.draft_model)
        draft = ref.path if ref.kind == "path" else Store(self._settings.home_path).require(ref)
        return draft if self._suits(self._shape(draft), self._shape(weights)) else None

    @staticmethod
    def _suits(guesser: ModelShape, guessed: ModelShape) -> bool:
        same_words = guesser.vocabulary == guessed.vocabulary
        return same_words and guesser.weights_bytes < guessed.weights_bytes and guessed.projector is None

    def _shape(self, weights: Weights) -> ModelShape:
        return self._header(weights).shape

    def _header(self, weights: Weights) -> GgufHeader:
        header = self._headers.get(identity(weights))
        if header is None:
            header = read_model(weights)
            if not isinstance(weights, Path):  # a file may be another one next time
                self._headers[identity(weights)] = header
        return header


def _less(budget: Budget, plan: Plan) -> Budget:
    """What a plan leaves of a budget."""
    left, gpus = plan.gpu_bytes, list[int]()
    for size in budget.gpu_bytes:
        taken = min(size, left)
        left -= taken
        gpus.append(size - taken)
    return Budget(max(0, budget.ram_bytes - plan.ram_bytes), tuple(gpus))


def _together(plan: Plan, draft: Plan) -> Plan:
    """The plan of a model that has another one beside it."""
    return msgspec.structs.replace(
        plan,
        weights_bytes=plan.weights_bytes + draft.weights_bytes,
        kv_cache_bytes=plan.kv_cache_bytes + draft.kv_cache_bytes,
        compute_bytes=plan.compute_bytes + draft.compute_bytes,
        overhead_bytes=plan.overhead_bytes + draft.overhead_bytes,
        total_bytes=plan.total_bytes + draft.total_bytes,
        ram_bytes=plan.ram_bytes + draft.ram_bytes,
        gpu_bytes=plan.gpu_bytes + draft.gpu_bytes,
    )
