"""Models that are played: weights that are only names, loads that take as long as a test says."""

from pathlib import Path

import anyio

from isthmus.engines.scripted import ScriptedEngine
from isthmus.fit import Budget, Plan
from isthmus.messages import Finish, GenerationRequest, Message, ModelInfo, TextDelta, Usage

MIB = 2**20
HELLO = (TextDelta("Hello"), Finish("stop", Usage(1, 1)))
REQUEST = GenerationRequest((Message("user", "hi"),))


def budget(mib):
    return Budget(mib * MIB)


def weights(name):
    return Path("/models") / name


def plan(mib, *, budget_mib=10**6, gpu_mib=0, max_context=0):
    return Plan(
        context_length=2048,
        weights_bytes=mib * MIB,
        kv_cache_bytes=0,
        compute_bytes=0,
        overhead_bytes=0,
        total_bytes=(mib + gpu_mib) * MIB,
        ram_bytes=mib * MIB,
        gpu_bytes=gpu_mib * MIB,
        max_context=max_context,
        fits=mib + gpu_mib <= budget_mib,
        layers=1,
    )


class PlayedResident(ScriptedEngine):
    """A loaded model that is played."""

    def __init__(self, loader, name, script):
        super().__init__(script, model=ModelInfo(name, local=True, context_length=2048))
        self._loader = loader
        self.memory = None
        self.working = 0

    def memory_bytes(self):
        return self.memory

    async def stream(self, request):
        self.working += 1
        try:
            async for event in super().stream(request):
                assert self in self._loader.here, "a model was unloaded at work"
                yield event
        finally:
            self.working -= 1

    async def close(self):
        assert not self.working, "a model was unloaded at work"
        await anyio.sleep(self._loader.unload_s)
        self._loader.here.remove(self)
        self._loader.events.append(f"-{self.model.name}")


class PlayedLoader:
    """Loads played models, keeps count of what they take, and notes what it does.

    ``sizes`` are in MiB (10 where unnamed), ``load_s`` is how long a load takes; ``failures`` are raised
    instead, one a load. ``most`` is the most that was taken at once, in MiB.
    """

    def __init__(
        self, *, script=HELLO, load_s=0.0, unload_s=0.0, sizes=None, failures=None, budget_mib=10**6
    ):
        self.script = script
        self.load_s = load_s
        self.unload_s = unload_s
        self.sizes = sizes or {}
        self.failures = failures or {}
        self.budget_mib = budget_mib
        self.here = []
        self.loading = []
        self.events = []
        self.plans = 0
        self.most = 0

    def size(self, name):
        return self.sizes.get(name, 10)

    def engine(self, name):
        return next(each for each in self.here if each.model.name == name)

    async def plan(self, weights):
        self.plans += 1
        await anyio.sleep(0)
        return plan(self.size(weights.name), budget_mib=self.budget_mib)

    async def load(self, weights, planned):
        name = weights.name
        self.loading.append(name)
        self.most = max(self.most, self.taken())
        try:
            await anyio.sleep(self.load_s)
            if self.failures.get(name):
                raise self.failures[name].pop(0)
            engine = PlayedResident(self, name, self.script)
            self.here.append(engine)
        except BaseException:
            self.events.append(f"!{name}")
            raise
        finally:
            self.loading.remove(name)
        self.events.append(f"+{name}")
        return engine

    def taken(self):
        return sum(map(self.size, self.loading)) + sum(self.size(each.model.name) for each in self.here)
