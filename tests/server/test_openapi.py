"""The OpenAPI document: of every route, of nothing else, and true."""

import http.client
import json
import re
from contextlib import closing
from unittest.mock import MagicMock

import jsonschema_rs
import msgspec
import pytest
from msgspec import Struct
from starlette.responses import Response

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, Notice, ReasoningDelta, TextDelta, TokenScore, TokenScores, Usage
from isthmus.server import docs
from isthmus.server.app import build_app
from isthmus.server.error_shapes import AnthropicError, OllamaError, OpenAIError
from isthmus.server.openapi import describe
from isthmus.server.operation import Endpoint, Operation, Parameter
from isthmus.settings import Secret, ServerSettings
from isthmus.wire.chat_answer import ChatChunk, ChatCompletion

HELLO = [TextDelta("Hello"), Finish("stop", Usage(10, 2))]


class _Asked(Struct):
    text: str
    more: "list[_Asked] | None" = None


class Given(Struct):
    """What is given."""

    text: str


@Operation("Say it", tag="OpenAI", body=_Asked, example={"text": "hi"}, answer=Given, pieces=Given)
async def say(request):
    """Say it back.

    As it is.

    Raises:
        RequestError: It can't.
    """
    return Response()


@Operation("Look", tag="Ollama", answer=Given, query=(Parameter("far", "How far.", int),), open=True)
async def look(request):
    """Look around."""
    return Response()


@pytest.fixture
def document():
    return describe({"/v1/say": {"POST": say}, "/api/{name:path}/look": {"GET": look}})


def test_an_operation_says_what_it_takes_and_gives(document):
    operation = document["paths"]["/v1/say"]["post"]
    assert operation["operationId"] == "say"
    assert operation["description"] == "Say it back.\n\nAs it is."
    media = operation["requestBody"]["content"]["application/json"]
    assert media == {"schema": {"$ref": "#/components/schemas/Asked"}, "example": {"text": "hi"}}
    answer = operation["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Given"}
    event = answer["content"]["text/event-stream"]["schema"]["properties"]["data"]
    assert event["contentSchema"] == {"$ref": "#/components/schemas/Given"}
    assert "x-isthmus-route" in answer["headers"]


def test_parameters_and_open_doors_are_told(document):
    item = document["paths"]["/api/{name}/look"]
    assert [each["name"] for each in item["parameters"]] == ["name"]
    assert item["get"]["parameters"][0]["schema"] == {"type": "integer"}
    assert item["get"]["security"] == []
    assert "security" not in document["paths"]["/v1/say"]["post"]


def test_private_shapes_have_public_names_wherever_they_are_named(document):
    asked = document["components"]["schemas"]["Asked"]
    assert asked["title"] == "Asked"
    assert "_Asked" not in json.dumps(document)
    assert {"$ref": "#/components/schemas/Asked"} in asked["properties"]["more"]["anyOf"][0].values()


def test_errors_have_the_shape_of_their_api(document):
    assert document["paths"]["/v1/say"]["post"]["responses"]["4XX"] == {
        "$ref": "#/components/responses/openai_refused"
    }
    refused = document["components"]["responses"]["ollama_refused"]
    assert refused["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/OllamaError"}
    assert "- 404: `model_not_found`, `not_found`" in refused["description"]
    assert "usage_error" not in json.dumps(document)


# ---------------------------------------------------------------- the server's own


@pytest.fixture
def served(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        yield server


def get(server, path, method="GET", body=None, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


@pytest.fixture
def own(served):
    status, _, body = get(served, "/openapi.json")
    assert status == 200
    return json.loads(body)


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def test_every_reference_leads_somewhere(own):
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(own))):
        node = own
        for key in reference.split("/"):
            node = node[key]


def test_operations_are_told_apart_and_sorted(own):
    ids = [operation["operationId"] for _, _, operation in operations(own)]
    assert len(ids) == len(set(ids))
    tags = {each["name"] for each in own["tags"]}
    assert all(set(operation["tags"]) <= tags for _, _, operation in operations(own))
    assert all(operation["summary"] and operation["description"] for _, _, operation in operations(own))


def test_every_route_is_documented_and_none_is_invented(own, monkeypatch):
    seen = []
    document_of = docs.openapi_document
    monkeypatch.setattr(docs, "openapi_document", lambda routes: seen.append(routes) or document_of(routes))
    service = MagicMock(settings=ServerSettings())
    build_app(service, keys=MagicMock(), run_key=Secret("k"), host="127.0.0.1")
    handlers = {
        (route.path.replace(":path", ""), method.lower()): handler
        for route in seen[0]
        for method, handler in route.endpoint.handlers.items()
    }
    assert {each for each, handler in handlers.items() if not isinstance(handler, Endpoint)} == set()
    assert handlers.keys() == {(path, method) for path, method, _ in operations(own)}


def test_every_body_has_an_example(own):
    for path, method, operation in operations(own):
        if "requestBody" in operation:
            assert "example" in operation["requestBody"]["content"]["application/json"], (method, path)


def test_open_doors_are_those_of_the_guard(served, own):
    served.keys.create("somebody")
    for path, method, operation in operations(own):
        status, _, _ = get(served, path.replace("{name}", "docs.css"), method.upper())
        assert (status != 401) == (operation.get("security") == []), (method, path, status)


# ---------------------------------------------------------------- what is sent is what is said


def undocumented(value, shape):
    """The keys of a JSON value that its shape doesn't have; raises if it doesn't fit."""
    return _beyond(value, msgspec.to_builtins(msgspec.convert(value, shape)))


def _beyond(value, known, at="$"):
    if isinstance(value, dict):
        extra = [f"{at}.{key}" for key in value if key not in known]
        within = (_beyond(value[key], known[key], f"{at}.{key}") for key in value if key in known)
        return extra + [each for found in within for each in found]
    if isinstance(value, list):
        return [e for n, each in enumerate(value) for e in _beyond(each, known[n], f"{at}[{n}]")]
    return []


def test_a_chat_answer_is_as_the_document_says(serving):
    script = [
        ReasoningDelta("hm"),
        Notice("cut", "left out", "try this"),
        TokenScores((TokenScore("Hello", -0.5, (TokenScore("Hi", -1.5),)),)),
        *HELLO,
    ]
    body = {"messages": [{"role": "user", "content": "hi"}], "logprobs": True, "top_logprobs": 1}
    with serving(ScriptedEngine(script)) as server:
        _, _, whole = get(server, "/v1/chat/completions", "POST", json.dumps(body))
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        _, _, pieces = get(server, "/v1/chat/completions", "POST", json.dumps(body))
    assert undocumented(json.loads(whole), ChatCompletion) == []
    chunks = [json.loads(line[6:]) for line in pieces.splitlines() if line.startswith(b"data: {")]
    assert len(chunks) >= 4
    assert [undocumented(each, ChatChunk) for each in chunks] == [[]] * len(chunks)


@pytest.mark.parametrize(
    ("path", "shape"),
    [("/v1/nothing", OpenAIError), ("/v1/messages/nothing", AnthropicError), ("/api/nothing", OllamaError)],
)
def test_an_error_is_as_the_document_says(served, path, shape):
    status, _, body = get(served, path)
    assert status == 404
    assert undocumented(json.loads(body), shape) == []


def test_chosen_fields_are_an_answer_that_the_document_knows(served, own):
    operation = own["paths"]["/completion"]["post"]
    content = operation["responses"]["200"]["content"]["application/json"]
    schema = jsonschema_rs.validator_for({**content["schema"], "components": own["components"]})
    for fields in ([], ["content"], ["nothing"]):
        for prompt in ("a", ["a", "b"]):
            body = json.dumps({"prompt": prompt, "n_predict": 1, "response_fields": fields})
            status, _, answer = get(served, "/completion", "POST", body)
            assert (status, schema.is_valid(json.loads(answer))) == (200, True)
