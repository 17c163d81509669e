"""OpenAI's Agents SDK: a loop of twelve turns that crosses over and comes back, over both of OpenAI's APIs.

Both models are scripted, so that it is exact: hard tasks, and they alone, go away for the step that answers
them. What the SDK makes of a history (items, identifiers, reasoning) must be readable on both sides.
"""

import pytest

agents = pytest.importorskip("agents", reason="openai-agents is not installed: make conformance")

import anyio
import openai

from tests.server.agent import EASY, HARD, SECRET, agency
from tests.server.conftest import serving

__all__ = ["serving"]

CLIENT, PACKAGES = "OpenAI's Agents SDK, crossing over", ("openai-agents",)
TASKS = [EASY, HARD, EASY, HARD, EASY]
STEPS = ["local"] * 3 + ["hosted"] + ["local"] * 3 + ["hosted"] + ["local"] * 4


def tools_of(submitted):
    """The agent's tools: one brings the tasks, the other takes the answers."""
    waiting = [f"Task {number}: {task}" for number, task in enumerate(TASKS, 1)]

    @agents.function_tool
    def next_task() -> str:
        """The next task."""
        return waiting.pop(0) if waiting else "none"

    @agents.function_tool
    def submit(answer: str) -> str:
        """Give an answer.

        Args:
            answer: The answer.
        """
        submitted.append(answer)
        return "Noted."

    return [next_task, submit]


@pytest.mark.parametrize("kind", ["OpenAIResponsesModel", "OpenAIChatCompletionsModel"])
@pytest.mark.parametrize("stream", [False, True])
def test_hard_steps_go_away_and_the_others_stay_home(serving, settings, did, kind, stream):
    agents.set_tracing_disabled(True)
    submitted = []

    async def run(url):
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            model = getattr(agents, kind)(model="small", openai_client=client)
            agent = agents.Agent(name="Worker", model=model, tools=tools_of(submitted))
            if not stream:
                return (await agents.Runner.run(agent, "Do all tasks.", max_turns=20)).final_output
            result = agents.Runner.run_streamed(agent, "Do all tasks.", max_turns=20)
            async for _ in result.stream_events():
                pass
            return result.final_output

    with agency(serving, settings) as world:
        assert anyio.run(run, world.server.url) == "All done."
        routes = [row.target for row in reversed(world.server.ledger.questions(50))]
        assert routes == STEPS
        assert submitted == ["home", "away", "home", "away", "home"]
        assert not any(SECRET in received.body.decode() for received in world.upstream.requests)
    did(f"{len(routes)} turns, {routes.count('hosted')} of them away")
