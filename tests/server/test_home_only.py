"""Home-only marks over every API: each way to mark, and how the mark carries on. The mode is ``always``."""

from contextlib import contextmanager
from types import SimpleNamespace

import httpx

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import ContextLengthExceeded
from isthmus.ledger import Ledger, open_database
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.runtime.assembly import open_terms
from tests.upstream import Upstream, answer

MARK = {"isthmus": {"home_only": True}}
HI = "Good morning, my number is 7."
SAID = (
    "Your number is seven, which you told me this morning, and I will keep it to myself for as long as you "
    "want me to, since nothing of what we say here is anybody else's business."
)
TEXT = {"type": "text", "text": HI}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@contextmanager
def opened(serving, settings, home=None, **flags):
    """A server in mode ``always`` with a hosted side on loopback, and a client of it."""
    with Upstream(answer("From away.")) as upstream:
        config = settings(
            handoff__mode="always",
            handoff__provider="big",
            providers__big__base_url=upstream.url,
            providers__big__model="big-1",
            providers__big__input_usd_per_mtok=1,
            providers__big__output_usd_per_mtok=1,
            **flags,
        )
        database = open_database(config.settings.ledger_path)
        terms = open_terms(config, Ledger(database))
        home = home or ScriptedEngine([TextDelta(SAID), Finish("stop", Usage(9, 9))])
        with (
            serving(home, terms=terms) as server,
            httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client,
        ):
            yield SimpleNamespace(client=client, upstream=upstream, ledger=server.ledger, home=home)
        terms.marks.close()
        database.dispose()


def ask(server, path, body, headers=None):
    """What the answer says of itself."""
    response = server.client.post(path, json=body, headers=headers or {})
    assert response.status_code == 200, response.text
    return response.json()


CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
OLLAMA, GENERATE = "/api/chat", "/api/generate"


def user(content=HI, **more):
    return {"role": "user", "content": content, **more}


PLAIN = {
    CHAT: {"messages": [user()]},
    RESPONSES: {"input": HI},
    MESSAGES: {"messages": [user()], "max_tokens": 50},
    OLLAMA: {"messages": [user()], "stream": False},
    GENERATE: {"prompt": HI, "stream": False},
}
RESULT = [user(), {"role": "assistant", "tool_calls": [CALL]}]
USED = [
    user(),
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
]
ITEM_CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
MARKED = [
    (CHAT, {"messages": [user(**MARK)]}),
    (CHAT, {"messages": [user([TEXT | MARK])]}),
    (CHAT, {"messages": [*RESULT, {"role": "tool", "tool_call_id": "c1", "content": "x", **MARK}]}),
    (
        CHAT,
        {
            "messages": [
                user(),
                {"role": "assistant", "reasoning": "x", **MARK},
                {"role": "assistant", "content": "y"},
                user(),
            ]
        },
    ),
    (RESPONSES, {"input": [user(**MARK)]}),
    (RESPONSES, {"input": [user([{"type": "input_text", "text": HI} | MARK])]}),
    (
        RESPONSES,
        {
            "input": [
                user(),
                ITEM_CALL,
                {"type": "function_call_output", "call_id": "c1", "output": "x", **MARK},
            ]
        },
    ),
    (
        RESPONSES,
        {
            "input": [
                user(),
                ITEM_CALL | MARK,
                {"type": "function_call_output", "call_id": "c1", "output": "x"},
            ]
        },
    ),
    (
        RESPONSES,
        {
            "input": [
                user(),
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}], **MARK},
                user(),
            ]
        },
    ),
    (MESSAGES, {"messages": [user(**MARK)], "max_tokens": 50}),
    (MESSAGES, {"messages": [user([TEXT | MARK])], "max_tokens": 50}),
    (MESSAGES, {"messages": [user()], "system": [TEXT | MARK], "max_tokens": 50}),
    (
        MESSAGES,
        {
            "messages": [
                *USED,
                user([{"type": "tool_result", "tool_use_id": "c1", "content": [TEXT | MARK]}]),
            ],
            "max_tokens": 50,
        },
    ),
    (
        MESSAGES,
        {
            "messages": [*USED, user([{"type": "tool_result", "tool_use_id": "c1", "content": "x", **MARK}])],
            "max_tokens": 50,
        },
    ),
    (
        MESSAGES,
        {
            "messages": [
                user([{"type": "document", "source": {"type": "content", "content": [TEXT | MARK]}}])
            ],
            "max_tokens": 50,
        },
    ),
    (
        MESSAGES,
        {"messages": [user(), {"role": "assistant", "content": [TEXT | MARK]}, user()], "max_tokens": 50},
    ),
    (OLLAMA, {"messages": [user(**MARK)], "stream": False}),
    (OLLAMA, {"messages": [user(), {"role": "tool", "content": "x", **MARK}], "stream": False}),
]


def test_without_a_mark_everything_leaves(serving, settings):
    with opened(serving, settings) as server:
        for path, body in PLAIN.items():
            assert ask(server, path, body)["isthmus"]["route"] == "hosted"
        assert len(server.upstream.requests) == len(PLAIN)


def test_a_request_marks_its_conversation_by_its_body_or_a_header(serving, settings):
    with opened(serving, settings) as server:
        for path, plain in PLAIN.items():
            for body, headers in ((plain | MARK, {}), (plain, {"x-isthmus-home-only": "True"})):
                said = ask(server, path, body, headers)["isthmus"]
                assert (said["route"], said["reason"]) == ("local", "home_only")
                assert said["detail"] == "the whole conversation, as its request says"
        assert server.upstream.requests == []


def test_a_message_or_a_part_of_one_marks_its_conversation(serving, settings):
    with opened(serving, settings) as server:
        for path, body in MARKED:
            said = ask(server, path, body)["isthmus"]
            assert (said["reason"], said["detail"]) == ("home_only", "a message, as its request says"), body
        assert server.upstream.requests == []


def test_a_mark_that_is_misspelt_is_an_error_and_not_none(serving, settings):
    def misspelt(value):
        if isinstance(value, dict):
            return {
                ("homeonly" if name == "home_only" else name): misspelt(each) for name, each in value.items()
            }
        return [misspelt(each) for each in value] if isinstance(value, list) else value

    with opened(serving, settings) as server:
        for path, body in MARKED:
            assert server.client.post(path, json=misspelt(body)).status_code == 400, body
        assert server.upstream.requests == []


def test_a_header_says_yes_or_no_and_nothing_else(serving, settings):
    with opened(serving, settings) as server:
        for header, status in (("false", 200), ("0", 200), ("", 200), ("ture", 400)):
            headers = {"x-isthmus-home-only": header}
            assert server.client.post(CHAT, json=PLAIN[CHAT], headers=headers).status_code == status
        assert len(server.upstream.requests) == 3


def test_a_marked_question_that_home_can_not_answer_is_refused(serving, settings):
    home = ScriptedEngine([ContextLengthExceeded("it is too long")])
    with opened(serving, settings, home) as server:
        assert server.client.post(CHAT, json=PLAIN[CHAT] | MARK).status_code == 400
        assert server.upstream.requests == []
        (row,) = server.ledger.questions(5)
        assert (row.target, row.reason) == ("refuse", "home_only")


# ---------------------------------------------------------------- how it carries on


def test_a_stored_response_carries_it(serving, settings):
    with opened(serving, settings) as server:
        first = ask(server, RESPONSES, {"input": "Hi", **MARK})
        then = ask(server, RESPONSES, {"input": "Why?", "previous_response_id": first["id"]})
        assert then["isthmus"]["reason"] == "home_only"
        again = ask(server, RESPONSES, {"input": "So?", "previous_response_id": then["id"]})
        assert again["isthmus"]["reason"] == "home_only"
        item = {"type": "item_reference", "id": first["output"][0]["id"]}
        assert ask(server, RESPONSES, {"input": [item, user("And?")]})["isthmus"]["reason"] == "home_only"
        assert server.upstream.requests == []


def test_a_compacted_conversation_carries_it(serving, settings):
    short = ScriptedEngine([TextDelta("Seven."), Finish("stop", Usage(9, 9))])
    with opened(serving, settings, short) as server:
        asked = {"model": "", "input": [user("Hm.")], **MARK}
        compacted = ask(server, "/v1/responses/compact", asked)
        assert compacted["isthmus"]["reason"] == "home_only"
        only_the_summary = [each for each in compacted["output"] if each["type"] == "compaction"]
        for item in only_the_summary:  # whatever a client leaves out
            del item["isthmus"]
        said = ask(server, RESPONSES, {"input": [*only_the_summary, user("And now?")]})["isthmus"]
        assert said["reason"] == "home_only"
        assert server.upstream.requests == []


def test_an_answer_carries_it_into_other_conversations_and_apis(serving, settings):
    with opened(serving, settings) as server:
        ask(server, CHAT, PLAIN[CHAT] | MARK)
        quoted = user(f"What do you think of this?\n\n> {SAID}")
        said = ask(server, MESSAGES, {"messages": [quoted], "max_tokens": 50})["isthmus"]
        assert said["detail"] == "words out of a marked conversation"
        said = ask(server, OLLAMA, {"messages": [quoted], "stream": False})["isthmus"]
        assert said["reason"] == "home_only"
        assert server.upstream.requests == []
        assert ask(server, CHAT, {"messages": [user("Something else.")]})["isthmus"]["route"] == "hosted"


def test_the_header_of_an_answer_says_so(serving, settings):
    with (
        opened(serving, settings) as server,
        server.client.stream("POST", CHAT, json=PLAIN[CHAT] | MARK | {"stream": True}) as response,
    ):
        assert response.headers["x-isthmus-reason"] == "home_only"
        response.read()
