"""What a worker is to load, and how: the person's settings and the plan become a `WorkerConfig`."""

from msgspec import Struct

from isthmus.engines.builds import INSTALLED, EngineBuild
from isthmus.engines.embedding_plan import EmbeddingLoad
from isthmus.engines.lending import LentFiles
from isthmus.engines.worker_config import WorkerConfig
from isthmus.fit import Budget, Plan
from isthmus.fit.sizes import MICRO_BATCH, guessed_tokens
from isthmus.settings import EngineSettings
from isthmus.trust import VerifiedModel

PROMPT_CACHE_MB = 1024
"""What may be kept of earlier prompts where memory is plenty, in MiB."""


class Loading(Struct, frozen=True, kw_only=True):
    """A model and all that decides how a worker loads it.

    ``plan`` says what lies where, and with which context; without one it is the settings' and the engine's
    own. What the plan leaves of ``budget`` may hold earlier prompts. ``chat_template`` replaces the model's.
    ``embedding`` is how texts are turned into vectors, where that is what it is for.
    """

    model: VerifiedModel
    settings: EngineSettings
    build: EngineBuild = INSTALLED
    plan: Plan | None = None
    budget: Budget | None = None
    draft: VerifiedModel | None = None
    chat_template: str = ""
    embedding: EmbeddingLoad | None = None

    @property
    def text_tokens(self) -> int:
        """The most tokens of a text that is turned into a vector; 0: it is to answer."""
        return 0 if self.embedding is None else self.embedding.text_tokens


def worker_config(loading: Loading, files: LentFiles, key: str) -> WorkerConfig:
    """What the worker is told.

    Args:
        loading: What to load.
        files: Its files, as the worker sees them.
        key: What the worker is to open to.
    """
    settings = loading.settings
    return WorkerConfig(
        model=files.model,
        projector="" if loading.embedding else files.projector,
        alias=loading.model.name,
        key=key,
        context_length=_context_length(loading),
        parallel=settings.parallel,
        threads=settings.threads or loading.build.threads,
        gpu_layers=_gpu_layers(loading),
        cpu_expert_layers=max(settings.cpu_expert_layers, 0)
        if loading.plan is None
        else loading.plan.cpu_expert_layers,
        # While a mapped file is loaded, and again whenever the kernel maps its pages anew, the process takes
        # more than planned. The kernel can take those pages back, so it is no harm where all memory is ours
        # to use; but who sets a limit wants to see it kept.
        map_weights=not settings.memory_mb,
        flash_attention=settings.flash_attention,
        kv_type=settings.kv_type,
        speculation=_speculation(loading),
        draft=files.draft,
        adapters=files.adapters,
        prompt_cache_mb=_prompt_cache_mb(loading),
        batch_tokens=_batch_tokens(loading),
        chat_template=loading.chat_template,
        pooling="" if loading.embedding is None else loading.embedding.pooling,
        text_tokens=loading.text_tokens,
    )


def _context_length(loading: Loading) -> int:
    if loading.plan is not None:
        return loading.plan.context_length
    limit = loading.model.header.context_length or loading.settings.context_length
    return min(loading.settings.context_length or limit, limit)


def _gpu_layers(loading: Loading) -> int:
    """The plan's, where it knew of a GPU: one that only the engine knows is the engine's to fill."""
    if loading.plan is None or loading.budget is None or not loading.budget.gpu_bytes:
        return loading.settings.gpu_layers
    return loading.plan.gpu_layers


def _batch_tokens(loading: Loading) -> int:
    """One micro-batch at a time where the processor reads the prompts.

    The engine's own is four: prompts that come together then all wait for the last of four, and answers
    under way for four micro-batches of anybody's prompt, seconds each. Nothing gets slower by it (1.5B, 8
    prompts of 512 tokens: 126 tokens/s, 125 with four). Several GPUs, though, need several to be all busy.
    """
    return 0 if _gpu_layers(loading) > 0 else MICRO_BATCH


def _speculation(loading: Loading) -> str:
    """What guesses tokens ahead: a draft model where there is one, unless the person says otherwise."""
    settings = loading.settings
    if loading.draft is not None and settings.speculation in ("auto", "draft"):
        return "draft"
    return "ngram" if guessed_tokens(loading.model.header.shape, settings) else "off"


def _prompt_cache_mb(loading: Loading) -> int:
    """Half of what the plan leaves, so that another model may still find room."""
    if loading.embedding is not None:
        return 0
    if loading.plan is None or loading.budget is None:
        return PROMPT_CACHE_MB
    left = max(0, loading.budget.ram_bytes - loading.plan.ram_bytes)
    return min(PROMPT_CACHE_MB, left // 2 >> 20)
