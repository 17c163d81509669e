"""Delegation over every API: the local model's own question leaves, and its caller sees a plain answer."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.handoff.conversations.delegate import TOOL
from isthmus.ledger import Ledger, open_database
from isthmus.messages import Finish, ModelInfo, TextDelta, ToolCallDelta, Usage
from isthmus.runtime.assembly import open_terms
from tests.upstream import Upstream, answer

QUESTION = "What is 37 times 43?"
ASKS = [
    ToolCallDelta(0, "call_1", TOOL, json.dumps({"question": QUESTION})),
    Finish("tool_calls", Usage(9, 9)),
]
SAYS = [TextDelta("It is 1591."), Finish("stop", Usage(20, 4))]
HIDDEN = ("call_1", TOOL, "tool_result", "The product")
PATHS = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50},
    "/api/chat": {"messages": [{"role": "user", "content": "Hi"}]},
}


@contextmanager
def opened(serving, settings):
    """A server whose local model asks the hosted one, and a client of it."""
    with Upstream(answer("The product is 1591.")) as upstream:
        config = settings(
            handoff__mode="auto",
            handoff__provider="big",
            handoff__threshold=1.0,
            handoff__delegate=True,
            providers__big__base_url=upstream.url,
            providers__big__model="big-1",
            providers__big__input_usd_per_mtok=1,
            providers__big__output_usd_per_mtok=1,
        )
        database = open_database(config.settings.ledger_path)
        terms = open_terms(config, Ledger(database))
        home = ScriptedEngine(ASKS, SAYS, model=ModelInfo("small", local=True))
        with serving(home, terms=terms) as server, httpx.Client(base_url=server.url[:-3]) as client:
            yield SimpleNamespace(client=client, upstream=upstream, ledger=server.ledger)
        terms.marks.close()
        database.dispose()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_the_caller_sees_an_answer_and_what_was_asked(serving, settings, path, stream):
    with opened(serving, settings) as server:
        told = server.client.post(path, json=PATHS[path] | {"stream": stream})
        assert told.status_code == 200
        assert "1591" in told.text
        assert f"the local model asked big: {QUESTION}" in told.text
        for hidden in HIDDEN:
            assert hidden not in told.text
        (received,) = server.upstream.requests
        assert received.json["messages"][-1]["content"] == QUESTION
        (row,) = server.ledger.questions(5)
        assert (row.target, len(row.evidence["delegated"])) == ("local", 1)
        assert row.cost_usd > 0
