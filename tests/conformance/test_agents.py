"""OpenAI's Agents SDK: its loop of tool calls, over Responses and over Chat Completions."""

import pytest

agents = pytest.importorskip("agents", reason="openai-agents is not installed: make conformance")

from contextlib import contextmanager

import anyio
import openai

from .patience import patience

CLIENT, PACKAGES = "OpenAI's Agents SDK", ("openai-agents",)
pytestmark = pytest.mark.slow

ASKED = "What is the weather in Paris?"
TURNS = 4


@agents.function_tool
def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: Its name.
    """
    asked.append(city)
    return f"It is sunny in {city}, 21 degrees."


asked: list[str] = []


@pytest.fixture(params=["responses", "chat"])
def model(request, smart_server):
    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(
        base_url=smart_server.url, api_key=smart_server.key, max_retries=0, timeout=patience(300)
    )
    kind = agents.OpenAIResponsesModel if request.param == "responses" else agents.OpenAIChatCompletionsModel
    return kind(model=smart_server.model, openai_client=client)


def agent_of(model):
    return agents.Agent(
        name="Weather",
        instructions="Call the tool once. Then tell its result in a sentence.",
        model=model,
        tools=[weather],
        model_settings=agents.ModelSettings(temperature=0, max_tokens=200, tool_choice="required"),
        tool_use_behavior="run_llm_again",
    )


@contextmanager
def told():
    """A small model that has a result may ask for it again and again; then each turn went well."""
    asked.clear()
    try:
        yield
    except agents.MaxTurnsExceeded:
        assert len(asked) >= TURNS
        pytest.xfail(f"each of {TURNS} turns went well, but the model calls the tool again in each")
    finally:
        assert "Paris" in asked[0]


def said(result):
    """What the model says in the end."""
    if not result.final_output:
        pytest.xfail("each turn went well, but the model calls the tool again, and in the end says nothing")
    return result.final_output


def test_a_tool_is_called_and_its_result_told(model, did):
    with told():
        result = anyio.run(lambda: agents.Runner.run(agent_of(model), ASKED, max_turns=TURNS))
    did(said(result))


def test_a_tool_is_called_in_a_stream(model, did):
    async def run():
        result = agents.Runner.run_streamed(agent_of(model), ASKED, max_turns=TURNS)
        return result, [event.type async for event in result.stream_events()]

    with told():
        result, kinds = anyio.run(run)
    assert "raw_response_event" in kinds
    did(said(result))
