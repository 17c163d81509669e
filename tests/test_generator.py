import pytest

from isthmus.engines.runner import RunnerEngine
from isthmus.engines.scripted import ScriptedEngine
from isthmus.generator import Generator
from isthmus.providers.hosted import HostedProvider
from isthmus.settings import ProviderSettings

SETTINGS = ProviderSettings("http://127.0.0.1:1/v1")


@pytest.mark.parametrize(
    "made",
    [ScriptedEngine([]), RunnerEngine("ollama", SETTINGS, "m"), HostedProvider("big", SETTINGS)],
    ids=lambda made: type(made).__name__,
)
def test_whatever_continues_a_conversation_is_a_generator(made):
    assert isinstance(made, Generator)


def test_a_class_that_lacks_a_part_is_not():
    class Deaf:
        model = None

        async def close(self):
            pass

    assert not isinstance(Deaf(), Generator)
