"""The local models that a question may name, and the generator of each: store, runners, default."""

from datetime import datetime

import anyio.to_thread
import msgspec
from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.engines.pool import Pool
from isthmus.engines.pooled import PooledEmbedder, PooledTokenizer
from isthmus.engines.resident import Weights
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import IsthmusError, RequestError, SettingsError, UnknownModel
from isthmus.generator import Embedder, Generator, Tokenizer
from isthmus.naming import ModelRef, parse_model
from isthmus.runtime.runners import open_runner
from isthmus.store import Store, StoredModel, find, pulled

ANY = frozenset({None, "", "default"})
"""What a question says that leaves the choice to the settings."""


class KnownModel(Struct, frozen=True):
    """A model that a question may name.

    ``context_length`` is known of those that are loaded, and of the default one, which may be yet to be.
    """

    name: str
    digest: str | None = None
    size_bytes: int | None = None
    added: datetime | None = None
    loaded: bool = False
    context_length: int | None = None


class Models:
    """The local models behind one server.

    A question can't name a file: that would let whoever may ask have any file of this machine opened. The
    file that the settings name is the exception.

    Args:
        configuration: The settings, with the runners and the model that answers where none is named.
        pool: Where the models of the store are loaded.

    Attributes:
        store: Those that are on this machine.
    """

    def __init__(self, configuration: Configuration, pool: Pool) -> None:
        settings = configuration.settings
        self.pool = pool
        self.configuration = configuration
        self.store = Store(settings.home_path)
        self._default = parse_model(settings.model, settings.runners)
        self._runners: dict[ModelRef, RunnerEngine] = {}
        self.default = self._name_of(self._default)
        """The name of the model that answers where none is named."""

    @property
    def reference(self) -> str:
        """The same model as it is understood from any folder."""
        return self._default.anywhere

    @property
    def runs_elsewhere(self) -> bool:
        """Whether that model is a runner's, which loads it itself."""
        return self._default.kind == "runner"

    def home(self, name: str | None = None, *, key: str | None = None) -> Generator:
        """The generator of a model.

        Args:
            name: The model's name; None, empty or "default" for the settings' model.
            key: The caller's API key's name.

        Raises:
            UnknownModel: It isn't here; the hint fetches it, or has the nearest name.
            ModelError: Its entry in the store is damaged.
        """
        ref = self._named(name)
        return self._runner(ref) if ref.kind == "runner" else self.pool.model(self._weights(ref), key=key)

    def tokenizer(self, name: str | None = None, *, key: str | None = None) -> Tokenizer:
        """How a model cuts text into tokens.

        Args:
            name: As `home`'s.
            key: The caller's API key's name.

        Raises:
            UnknownModel: It isn't here.
            ModelError: Its entry in the store is damaged.
        """
        ref = self._named(name)
        if ref.kind == "runner":
            return self._runner(ref).tokenizer
        return PooledTokenizer(self.pool, self._weights(ref), key)

    def embedder(self, name: str | None = None, *, key: str | None = None) -> Embedder:
        """A model that turns texts into vectors.

        Args:
            name: As `home`'s.
            key: The caller's API key's name.

        Raises:
            UnknownModel: It isn't here.
            ModelError: Its entry in the store is damaged.
        """
        ref = self._named(name)
        if ref.kind == "runner":
            return self._runner(ref).embedder
        return PooledEmbedder(self.pool, self._weights(ref), key)

    def weights(self, name: str | None = None) -> Weights:
        """What the pool knows a model by.

        Raises:
            UnknownModel: It isn't here.
            RequestError: It is a runner's, which keeps its own models.
        """
        ref = self._named(name)
        if ref.kind == "runner":
            raise RequestError(
                f"{ref.value} is a runner of its own and loads its models itself", param="model"
            )
        return self._weights(ref)

    async def listing(self) -> list[KnownModel]:
        """All models that a question may name: the default one first, then by name."""
        here = [
            KnownModel(model.name, model.digest, model.total_bytes, model.added)
            for model in await anyio.to_thread.run_sync(self.store.models)
        ]
        runners = self.configuration.settings.runners.items()
        here += [KnownModel(f"{name}/{runner.model}") for name, runner in runners if runner.model]
        default = str(self._default) if self._default.kind == "runner" else self.default
        if default not in {each.name for each in here}:
            here.append(KnownModel(default))
        # One that is loaded both to answer and for embedding is known by its answers.
        statuses = sorted(self.pool.status(), key=lambda each: not each.embeds)
        loaded = {(each.name, each.digest): each for each in statuses if each.state == "loaded"}
        known = [
            msgspec.structs.replace(each, loaded=True, context_length=status.context_length)
            if (status := loaded.get((each.name, each.digest)))
            else each
            for each in here
        ]
        # Of others the context would take a look into their files, of which there may be many.
        for place, each in enumerate(known):
            if each.name == default and not each.loaded and self._default.kind != "runner":
                known[place] = msgspec.structs.replace(each, context_length=await self._default_context())
        return sorted(known, key=lambda each: (each.name != default, each.name))

    async def close(self) -> None:
        """Let go of the runners; the pool is closed by whoever opened it."""
        for runner in self._runners.values():
            await runner.close()

    async def _default_context(self) -> int | None:
        try:
            return await self.pool.context_of(self._weights(self._default))
        except IsthmusError:  # it is yet to be fetched
            return None

    def _name_of(self, ref: ModelRef) -> str:
        if ref.kind == "path":
            return ref.path.name
        if ref.kind == "source" and (stored := resolve(self.store, ref)):
            return stored.name
        return ref.model or ref.value

    def _named(self, name: str | None) -> ModelRef:
        if name is None or name in ANY or name == self.default:
            return self._default
        try:
            ref = parse_model(name, self.configuration.settings.runners)
        except UnknownModel as error:
            raise _of_request(error) from error
        if ref.kind != "path" or ref.anywhere == self.reference:
            return ref
        raise UnknownModel(
            f"the model {name!r} is not served here: a request names models of the store",
            hint=f"isthmus pull {name}",
            param="model",
        )

    def _weights(self, ref: ModelRef) -> Weights:
        if ref.kind == "path":
            return ref.path
        try:
            if stored := resolve(self.store, ref):
                return stored
            if ref.kind == "name":
                return self.store.require(ref)
        except IsthmusError as error:
            raise _of_request(error) from error
        raise UnknownModel(f"{ref} hasn't been fetched yet", hint=f"isthmus pull {ref}", param="model")

    def _runner(self, ref: ModelRef) -> RunnerEngine:
        if ref not in self._runners:
            try:
                self._runners[ref] = open_runner(ref, self.configuration)
            except SettingsError as error:
                raise UnknownModel(error.message, hint=error.hint, param="model") from error
        return self._runners[ref]


def resolve(store: Store, ref: ModelRef) -> StoredModel | None:
    """The model of the store that goes by a name, by the catalogue's alias of it, or by its source.

    Raises:
        ModelError: Its entry in the store is damaged.
    """
    if ref.kind == "source":
        return pulled(ref.value, store)
    stored = store.resolve(ref)
    if stored is None and (entry := find(ref.value)) is not None:
        return store.resolve(ModelRef("name", entry.name))
    return stored


def _of_request(error: IsthmusError) -> IsthmusError:
    """The same error, with the parameter that it is about."""
    error.param = "model"
    return error
