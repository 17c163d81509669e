"""What stands at which path."""

import json

import openai
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import ModelError
from isthmus.messages import Finish, TextDelta, Usage
from tests.clients import opened
from tests.server.test_chat import HI, post

HELLO = (TextDelta("Hello"), Finish("stop", Usage(1, 1)))


@pytest.mark.parametrize("base", ["/v1", ""])
def test_the_version_may_be_left_out(serving, base):
    with serving(ScriptedEngine(HELLO)) as server:
        address = f"http://127.0.0.1:{server.port}{base}"
        client = opened(openai.OpenAI(base_url=address, api_key="none"))
        assert client.chat.completions.create(model="", messages=HI).choices[0].message.content == "Hello"
        assert client.responses.create(model="", input="hi").output_text == "Hello"
        assert [model.id for model in client.models.list()]


def test_what_is_not_there_is_told_in_words(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, body = post(server, {}, "/v2/chat/completions")
        assert status == 404
        assert "there is nothing at POST /v2/chat/completions" in json.loads(body)["error"]["message"]


def test_a_damaged_entry_is_told_without_its_place(serving, caplog):
    with serving(ScriptedEngine(HELLO), names=("good", "bad")) as server:
        (entry,) = server.settings.home_path.rglob("bad/latest.json")
        entry.write_text("{")
        status, _, body = post(server, {"messages": HI, "model": "bad"})
        assert (status, post(server, {"messages": HI})[0]) == (ModelError.http_status, 200)
    fault = json.loads(body)["error"]
    assert fault["message"].startswith("the store's entry for bad is damaged (latest.json: ")
    assert str(entry.parent.parent) not in body.decode()
    assert fault["hint"] == "isthmus rm bad"
    assert str(entry) in caplog.text
