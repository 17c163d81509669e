"""An agent that crosses over and comes back, with real weights: the starter at home, the 1.5B on loopback.

Six tasks come by a tool, one at a time, and an answer to each goes back by another: thirteen requests of
OpenAI's client in a plain loop. What the settings' mode ``auto`` decides decides: easy tasks stay home, hard
ones go away for the step that answers them. Then nothing is handed over, and the local model may ask the
hosted one by itself (``ask_hosted``): what it asked is told in its answer's notices. It shows that both sides
read each other's steps; it is no measurement of quality or speed.
"""

import json
import tempfile
from itertools import pairwise
from pathlib import Path

import httpx
import openai

from benchmarks.results import RESULTS, environment, save
from benchmarks.served import isthmus_serve

SETTINGS = """
model = "{home}"
max_tokens = 200
temperature = 0
[handoff]
mode = "auto"
provider = "big"
threshold = {threshold}
delegate = {delegate}
[providers.big]
base_url = "{url}"
model = "{away}"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.60
"""
TASKS = """
What is the capital of France?
Ann has 12 apples, Bob 7, Cy 9. Each eats 2, then half of the rest is sold. How many are left in total?
Which animal says miaow?
Eve buys 4 pens at 3 dollars and 3 books at 11, pays with 50, then gives a pen back. How much has she left?
What colour is the sky on a clear day?
How do you say good night in French?
""".strip().splitlines()
INSTRUCTIONS = "You work through tasks. Get one with next_task, work out its answer, give it to submit."
DELEGATED = "Ask a larger model with ask_hosted what 37 times 43 is, and then tell me."


def measure(homes, models, into=RESULTS):
    """Let the agent work, then let the local model ask.

    Args:
        homes: The folders of both servers.
        models: The models, at home and away.
        into: Where the result goes.
    """
    home, away = models
    result = {**environment(), "home": home.name, "away": away.name}
    with isthmus_serve(homes[1], "-m", away.name) as there:

        def server(folder, **settings):
            text = SETTINGS.format(home=home.name, away=away.name, url=there.base_url, **settings)
            Path(folder, "isthmus.toml").write_text(text)
            return isthmus_serve(homes[0], folder=folder)

        with tempfile.TemporaryDirectory() as folder:
            with server(folder, threshold=0.5, delegate="false") as here:
                result["steps"] = _work(here)
            with server(folder, threshold=1.0, delegate="true") as here:
                result["delegated"] = _delegate(here)
    routes = [step["route"] for step in result["steps"]]
    result["crossings"] = sum(one != other for one, other in pairwise(routes))
    save("agents", result, into)


def _tool(name, description, **parameters):
    schema = {"type": "object", "properties": parameters, "required": [*parameters]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TOOLS = [
    _tool("next_task", "The next task."),
    _tool(
        "submit", "Give the answer to a task.", answer={"type": "string", "description": "Only the answer."}
    ),
]


def _work(here):
    """Each request of the agent's: who answered, why, and what."""
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": "Do all tasks."}]
    waiting, steps = list(TASKS), []
    with openai.OpenAI(base_url=here.base_url, api_key=here.key, max_retries=0, timeout=600) as client:
        for turn in range(2 * len(TASKS) + 1):
            asked = {"model": here.model, "messages": messages, "max_tokens": 200}
            if turn < 2 * len(TASKS):
                name = TOOLS[turn % 2]["function"]["name"]
                asked |= {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": name}}}
            answer = client.chat.completions.create(**asked)
            message = answer.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls or ():
                content = waiting.pop(0) if call.function.name == "next_task" and waiting else "Noted."
                messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
            steps.append(_step(answer, message))
            print(f"{turn + 1:2} {steps[-1]['route']:6} {steps[-1]['reason']:12} {steps[-1]['said']}")
    return steps


def _step(answer, message):
    calls = [f"{call.function.name}({call.function.arguments})" for call in message.tool_calls or ()]
    said = answer.isthmus
    return {
        "route": said["route"],
        "reason": said["reason"],
        "score": said.get("score", said.get("p_local_wrong")),
        "threshold": said.get("threshold"),
        "cost_usd": said["cost_usd"],
        "said": "; ".join(calls) or (message.content or "").strip()[:200],
    }


def _delegate(here):
    """A question in which the local model asks the hosted one: its answer, and what is said beside it."""
    body = {"messages": [{"role": "user", "content": DELEGATED}], "max_tokens": 200, "tool_choice": "auto"}
    headers = {"Authorization": f"Bearer {here.key}"}
    answer = httpx.post(f"{here.base_url}/chat/completions", json=body, headers=headers, timeout=600).json()
    told = {
        "route": answer["isthmus"]["route"],
        "cost_usd": answer["isthmus"]["cost_usd"],
        "notices": answer["isthmus"].get("notices", []),
        "said": answer["choices"][0]["message"]["content"],
    }
    print(json.dumps(told, indent=2))
    return told
