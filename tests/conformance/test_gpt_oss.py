"""What OpenAI's compatibility test looks for in those who serve its open models, with tools of our own.

No model that both thinks and calls fits this machine, so that each half is shown by itself: the thoughts with
a runner that plays one, the calls with the 0.5B, which is held to them.
"""

import pytest

from tests.upstream import Upstream, stream

from .running import installed, run
from .serving import served

CLIENT = "OpenAI's Agents SDK under Node, as in the compatibility test for gpt-oss"
TOOLS = (
    "read_clock",
    "take_note",
    "switch_lamp",
    "reserve_table",
    "add_up",
    "order_parts",
    "find_books",
    "to_fahrenheit",
    "set_alarm",
    "store_value",
)
CHECKS = [
    f"{tool}: {api}, {way}"
    for tool in TOOLS
    for api in ("chat", "responses")
    for way in ("whole", "streamed")
]
THOUGHT = ("They ask", " for the tool,", " « so be it » 🤔")
WORDS = "I'll use the tool."

pytestmark = [pytest.mark.slow, installed]


def thinker(request):
    """The runner's reply: a thought and the call that is asked for, then a thought and an answer."""
    asked = request.json
    last = asked["messages"][-1]
    thought = [delta(reasoning_content=piece) for piece in THOUGHT]
    if last["role"] == "tool":
        return stream(*thought, delta(content=f"It says: {last['content']}"), *ending("stop"))
    question, arguments = last["content"].split(" Arguments: ")
    words = [delta(content=WORDS)] if "Say first" in question else []
    begun = {"id": "call_1", "type": "function", "function": {"name": asked["tools"][0]["function"]["name"]}}
    pieces = [{"function": {"arguments": arguments[at : at + 5]}} for at in range(0, len(arguments), 5)]
    calls = [delta(tool_calls=[{"index": 0, **each}]) for each in (begun, *pieces)]
    return stream(*thought, *words, *calls, *ending("tool_calls"))


def delta(**fields):
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def ending(reason):
    usage = {"prompt_tokens": 20, "completion_tokens": 9}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    yield {"choices": [], "usage": usage}


@pytest.fixture(scope="module")
def thinking(tmp_path_factory):
    """What the script said of a model that thinks, and what the model was asked."""
    with Upstream(thinker) as upstream:
        toml = f'[providers.runner]\nbase_url = "{upstream.url}"\nlocal = true\n'
        home = tmp_path_factory.mktemp("thinking")
        with served(home, name="runner/gpt-oss-20b", toml=toml) as server:
            yield run("agents.mjs", server, ISTHMUS_THINKS="high"), [each.json for each in upstream.requests]


@pytest.fixture(scope="module")
def calling(small_server):
    """What it said of the 0.5B."""
    return run("agents.mjs", small_server)


@pytest.mark.parametrize("check", CHECKS)
def test_thought_and_call(thinking, check):
    row = thinking[0][check]
    assert "failed" not in row, row["failed"]


@pytest.mark.parametrize(
    "check", [f"{tool}: {way}" for tool in TOOLS for way in ("chat, whole", "responses, streamed")]
)
def test_call_that_must_be_made(calling, check):
    row = calling[check]
    assert "failed" not in row, row["failed"]


def test_what_was_thought_goes_back_beside_its_call(thinking, did):
    followed = [asked["messages"] for asked in thinking[1] if asked["messages"][-1]["role"] == "tool"]
    assert len(followed) == len(CHECKS)
    for *_, question, turn, result in followed:
        (call,) = turn["tool_calls"]
        assert question["content"].endswith(f" Arguments: {call['function']['arguments']}")
        words = [{"type": "text", "text": WORDS}] if isinstance(turn["content"], list) else WORDS
        assert turn["content"] == (words if "Say first" in question["content"] else "")
        assert turn["reasoning_content"] == "".join(THOUGHT)
        assert result["tool_call_id"] == call["id"]
    did(f"{len(followed)} times")


def test_effort_reaches_the_model(thinking):
    assert {asked["reasoning_effort"] for asked in thinking[1]} == {"high"}
