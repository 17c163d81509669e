"""Compaction over real HTTP; the openai client unmodified."""

import json

import openai
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, TextDelta, Usage

from .test_chat import client
from .test_responses import ask

DONE = Finish("stop", Usage(10, 4))


def test_a_conversation_is_summed_up_and_gone_on_from(serving):
    engine = ScriptedEngine(
        [TextDelta("Agreed."), DONE], [TextDelta("Launch: Tuesday."), DONE], [TextDelta("Tuesday"), DONE]
    )
    with serving(engine) as server:
        api = client(server).responses
        first = api.create(model="scripted", input="We launch on Tuesday.")
        compacted = api.compact(model="scripted", previous_response_id=first.id)
        question = {"role": "user", "content": "When do we launch?"}
        # The client knows no words of the person in an output, though OpenAI's own API gives them there.
        items = [item.to_dict(warnings=False) for item in compacted.output]
        answer = api.create(model="scripted", input=[*items, question])
        again = api.create(input="And then?", previous_response_id=answer.id)
        with pytest.raises(openai.NotFoundError):
            api.retrieve(compacted.id)
    assert [message.text for message in engine.requests[1].messages[:2]] == [
        "We launch on Tuesday.",
        "Agreed.",
    ]
    assert compacted.usage.total_tokens == 14
    said = [message.text for message in engine.requests[2].messages]
    assert [said[0], said[2]] == ["We launch on Tuesday.", "When do we launch?"]
    assert said[1].endswith("Launch: Tuesday.")
    assert [message.text for message in engine.requests[3].messages][:3] == said
    assert again.output_text == "Tuesday"


def test_a_bad_request_names_its_parameter(serving):
    with serving(ScriptedEngine([DONE])) as server:
        for body, param in (({"input": "x"}, "model"), ({"model": "scripted"}, "input")):
            status, _, answer = ask(server, "POST", "/compact", body)
            assert (status, json.loads(answer)["error"]["param"]) == (400, param)
        assert ask(server, "POST", "/compact", {"model": "scripted", "input": "x"})[0] == 200
