"""The tiny model behind the test's server, for what only real weights show."""

from isthmus.engines.builds import INSTALLED
from isthmus.engines.loader import WorkerLoader
from isthmus.engines.resident import ForEmbedding
from isthmus.fit import Budget


class TinyLoader:
    """Loads the tiny model whatever is named, to answer or for embedding."""

    def __init__(self, settings, tiny):
        self._loader = WorkerLoader(settings.settings, Budget(4 << 30), INSTALLED)
        self._tiny = tiny

    async def plan(self, weights):
        return await self._loader.plan(self._instead(weights))

    async def load(self, weights, planned):
        return await self._loader.load(self._instead(weights), planned)

    def _instead(self, weights):
        return ForEmbedding(self._tiny) if isinstance(weights, ForEmbedding) else self._tiny
