"""An agent's world: tasks that tools bring, a model at home that manages the easy ones, and one away.

with agency(serving, settings) as agency:     # a server, whose hosted side is on loopback
    agency.run(stream=False)                  # OpenAI's client in a plain loop, until it has the last word
    agency.routes                             # who took each step
"""

import json
import re
from contextlib import ExitStack, contextmanager

import msgspec
import openai

from isthmus.engines.scripted import ScriptedEngine
from isthmus.handoff.judging import Estimate
from isthmus.ledger import Ledger, open_database
from isthmus.messages import (
    Finish,
    ModelInfo,
    ReasoningDelta,
    TextDelta,
    Timings,
    ToolCallDelta,
    Usage,
)
from isthmus.runtime.assembly import open_terms
from tests.upstream import Upstream, chunk, stream

EASY, HARD = "What is the capital of France? [0.10]", "How many apples are left? [0.95]"
SECRET = "home thinks aloud"
THEIRS = "away thinks aloud"


def _tool(name, **parameters):
    schema = {"type": "object", "properties": parameters, "required": [*parameters]}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


class Marked:
    """An `Estimator` that reads a task's score out of it."""

    top_logprobs = 0

    def before(self, text):
        score = float((re.findall(r"\[(0\.\d+)\]", text) or ["0.1"])[-1])
        return Estimate(score, None, score, {"written": score}, question=text)

    def watch(self, before, answer):
        return before

    def after(self, before, answer):
        return before

    promises = False

    def threshold(self, depth, *, opinions=True):
        return 0.5

    def compares(self, answer):
        return False

    def can_change(self, before, threshold, tokens):
        return False


TOOLS = [_tool("next_task"), _tool("submit", answer={"type": "string"})]


class Home(ScriptedEngine):
    """Fetches tasks and submits an answer to each; it thinks, and says how fast it read."""

    def __init__(self):
        super().__init__([], model=ModelInfo("small", local=True, context_length=4096))

    async def stream(self, request):
        self.requests.append(request)
        last = request.messages[-1]
        yield ReasoningDelta(SECRET)
        if last.role == "tool" and last.text == "none":
            yield TextDelta("All done.")
            yield Finish("stop", Usage(100, 3), Timings(prompt_s=0.2))
            return
        called = f"call_home_{len(self.requests):016d}"
        task = last.role == "tool" and last.text.startswith("Task")
        name, arguments = ("submit", '{"answer": "home"}') if task else ("next_task", "{}")
        yield ToolCallDelta(0, called, name, arguments)
        yield Finish("tool_calls", Usage(100, 9), Timings(prompt_s=0.2))


def away(received):
    """The hosted model: a thought, and an answer to the task."""
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": THEIRS}, "finish_reason": None}]}
    function = {"name": "submit", "arguments": '{"answer": "away"}'}
    call = {"index": 0, "id": f"call_away_{len(received.body)}", "type": "function", "function": function}
    asks = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 12}}
    return stream(thought, asks, chunk(finish="tool_calls"), usage)


class Agency:
    """A server and the agent that asks it. ``routes`` and ``reasons`` are those of its steps."""

    def __init__(self, server, upstream, home):
        self.server = server
        self.upstream = upstream
        self.home = home
        self.routes = []
        self.reasons = []
        self.details = []
        self.submitted = []
        self.messages = [{"role": "user", "content": "Do all tasks: next_task, then submit, one by one."}]

    def run(self, tasks, *, stream, results=None, **extra):
        """Let the agent work until it has the last word; give that."""
        waiting = [f"Task {number}: {task}" for number, task in enumerate(tasks, 1)]
        with openai.OpenAI(base_url=self.server.url, api_key="none", max_retries=0) as client:
            while True:
                step = self._streamed if stream else self._whole
                message = step(client, extra_body=extra or None)
                self.messages.append(message)
                if not message.get("tool_calls"):
                    return message["content"]
                for call in message["tool_calls"]:
                    self.messages.append(self._result(call, waiting, results or {}))

    def _result(self, call, waiting, results):
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        if name == "next_task":
            content = waiting.pop(0) if waiting else "none"
        else:
            self.submitted.append(arguments["answer"])
            content = results.get(len(self.submitted), "Noted.")
        return {"role": "tool", "tool_call_id": call["id"], "content": content}

    def _whole(self, client, **more):
        answer = client.chat.completions.create(model="small", messages=self.messages, tools=TOOLS, **more)
        self._note(answer.isthmus)
        return answer.choices[0].message.model_dump(exclude_none=True)

    def _streamed(self, client, **more):
        call, words, thought = None, "", ""
        asked = {"model": "small", "messages": self.messages, "tools": TOOLS, "stream": True}
        for piece in client.chat.completions.create(**asked, **more):
            if (said := getattr(piece, "isthmus", None)) and "route" in said:
                self._note(said)
            for choice in piece.choices:
                words += choice.delta.content or ""
                thought += getattr(choice.delta, "reasoning_content", None) or ""
                for each in choice.delta.tool_calls or ():
                    call = each.model_dump(exclude={"index"}, exclude_none=True)
        message = {"role": "assistant", "content": words, "reasoning_content": thought}
        return message | ({"tool_calls": [call]} if call else {})

    def _note(self, said):
        self.routes.append(said["route"])
        self.reasons.append(said["reason"])
        self.details.append(said.get("detail"))


@contextmanager
def agency(serving, settings, **flags):
    """An agent, its server, and a hosted side on loopback."""
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream(away))
        config = settings(
            handoff__mode="auto",
            handoff__provider="big",
            providers__big__base_url=upstream.url,
            providers__big__model="big-1",
            providers__big__input_usd_per_mtok=2.5,
            providers__big__cached_usd_per_mtok=0.25,
            providers__big__output_usd_per_mtok=10,
            **flags,
        )
        database = open_database(config.settings.ledger_path)
        stack.callback(database.dispose)
        terms = msgspec.structs.replace(open_terms(config, Ledger(database)), estimator=Marked())
        stack.callback(terms.marks.close)
        home = Home()
        server = stack.enter_context(serving(home, names=("small",), terms=terms))
        yield Agency(server, upstream, home)
