import pytest

from isthmus.engines.runner import RunnerEngine
from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import GenerationRequest, Message, ModelInfo, Progress
from isthmus.runtime.effort import WithEffort
from isthmus.settings import ProviderSettings
from tests.reasoning.batches import batch

pytestmark = pytest.mark.anyio

INFO = ModelInfo("scripted", local=True, template="{{ messages }}")
RIGHT = "6 * 7 = 42\n\\boxed{42}"


def asked(effort):
    return GenerationRequest((Message("user", "How many is 6 x 7?"),), effort=effort)


@pytest.mark.parametrize("effort", [None, "none", "minimal"])
def test_without_effort_nothing_stands_between(effort, settings):
    home = WithEffort(settings().settings)(ScriptedEngine([], model=INFO))
    assert home.stream(asked(effort)).__qualname__ == "ScriptedEngine.stream"


@pytest.mark.parametrize(("slots", "waves"), [(1, [1, 1, 1]), (8, [1, 2])])
async def test_a_wave_has_no_more_samples_than_there_are_slots(settings, slots, waves):
    """Of sixteen three alike settle it: the likeliest, and two that are drawn together if there is room."""
    engine = ScriptedEngine(*(batch(*[RIGHT] * wave) for wave in waves), model=INFO)
    given = settings(engine__parallel=slots, reasoning__wave=8, reasoning__samples=16).settings
    async for _ in WithEffort(given)(engine).stream(asked("high")):
        pass
    assert [each.n for each in engine.requests] == waves


@pytest.mark.parametrize(
    ("limit_s", "deadline_s", "within"),
    [
        (300.0, 0.0, ", within 300 s"),
        (300.0, 100.0, ", within 80 s"),
        (0.0, 10.0, ", within 8 s"),
        (0.0, 0.0, ""),
    ],
)
async def test_thinking_leaves_time_for_the_answer(settings, limit_s, deadline_s, within):
    engine = ScriptedEngine(batch(RIGHT), model=INFO)
    home = WithEffort(settings(reasoning__time_limit_s=limit_s).settings, deadline_s=deadline_s)(engine)
    events = [event async for event in home.stream(asked("medium"))]
    assert [event.label for event in events if isinstance(event, Progress)] == [
        f"up to 1,024 tokens of thought{within}"
    ]


async def test_a_runner_writes_one_answer_to_one_request(settings, monkeypatch):
    runner = RunnerEngine("mine", ProviderSettings("http://127.0.0.1:1/v1", local=True), "llama3")
    script = ScriptedEngine(batch(RIGHT))
    monkeypatch.setattr(runner, "stream", script.stream)
    async for _ in WithEffort(settings().settings)(runner).stream(asked("high")):
        pass
    assert [each.n for each in script.requests] == [1, 1]
    await runner.close()
