"""The openai client, unmodified, over OpenAI's endpoints: real process, real weights."""

import openai
import pytest
from pydantic import BaseModel

from .patience import patience

CLIENT, PACKAGES = "openai for Python", ("openai",)
HI = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Place(BaseModel):
    name: str
    large: bool


@pytest.fixture
def client(tiny_server):
    with openai.OpenAI(
        base_url=tiny_server.url, api_key=tiny_server.key, max_retries=0, timeout=patience(120)
    ) as made:
        yield made


@pytest.fixture
def model(tiny_server):
    return tiny_server.model


def test_models(client, model, did):
    assert model in [each.id for each in client.models.list()]
    one = client.models.retrieve(model)
    assert one.id == model
    did(f"{one.id}, owned by {one.owned_by}")


def test_chat(client, model, did):
    answer = client.chat.completions.create(model=model, messages=HI, max_completion_tokens=8, seed=1)
    assert answer.usage.completion_tokens <= 8
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.choices[0].message.content
    did(answer.choices[0].message.content)


def test_chat_streamed_with_usage(client, model):
    chunks = list(
        client.chat.completions.create(
            model=model, messages=HI, max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage.completion_tokens <= 8
    assert [each.choices[0].finish_reason for each in chunks if each.choices][-1]


def test_chat_parameters(client, model):
    answer = client.chat.completions.create(
        model=model, messages=HI, max_tokens=6, n=2, stop=["zzz"], temperature=0.7, top_p=0.9, seed=3,
        presence_penalty=0.5, frequency_penalty=0.5, logit_bias={"100": -10}, logprobs=True, top_logprobs=2,
        reasoning_effort="low", user="me", metadata={"a": "b"},
    )  # fmt: skip
    assert len(answer.choices) == 2
    first = answer.choices[0].logprobs.content[0]
    assert first.logprob <= 0
    assert len(first.top_logprobs) == 2


def test_a_named_tool_is_called(client, model, did):
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "How is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        max_tokens=200,
        temperature=0,
    )
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert answer.choices[0].finish_reason == "tool_calls"
    did(call.function.arguments)


def test_tool_choice_none_calls_nothing(client, model):
    answer = client.chat.completions.create(
        model=model, messages=HI, tools=[WEATHER], tool_choice="none", max_tokens=8
    )
    assert not answer.choices[0].message.tool_calls


def test_structured_output_is_parsed(client, model, did):
    answer = client.chat.completions.parse(
        model=model,
        messages=[{"role": "user", "content": "Paris"}],
        response_format=Place,
        max_tokens=200,
        temperature=0,
    )
    parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, Place)
    did(repr(parsed))


def test_completions(client, model, did):
    answer = client.completions.create(model=model, prompt="One, two, three,", max_tokens=6, echo=False)
    assert answer.choices[0].text
    did(answer.choices[0].text)


def test_completions_streamed(client, model):
    chunks = list(client.completions.create(model=model, prompt="One, two,", max_tokens=6, stream=True))
    assert "".join(each.choices[0].text for each in chunks if each.choices)


def test_embeddings(client, model, did):
    answer = client.embeddings.create(model=model, input=["one", "two"])
    assert len(answer.data) == 2
    did(f"{len(answer.data[0].embedding)} numbers each")


def test_responses(client, model, did):
    answer = client.responses.create(model=model, input="Say hello.", max_output_tokens=8)
    assert answer.status in ("completed", "incomplete")
    assert answer.usage.output_tokens <= 8
    again = client.responses.retrieve(answer.id)
    assert again.output_text == answer.output_text
    assert client.responses.input_items.list(answer.id).data
    follow = client.responses.create(
        model=model, input="And again.", previous_response_id=answer.id, max_output_tokens=8
    )
    assert follow.previous_response_id == answer.id
    assert follow.usage.input_tokens > answer.usage.input_tokens
    client.responses.delete(answer.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)
    did(answer.output_text)


def test_responses_streamed(client, model):
    events = list(client.responses.create(model=model, input="Say hello.", max_output_tokens=8, stream=True))
    assert [each.sequence_number for each in events] == list(range(len(events)))
    kinds = [each.type for each in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert "response.output_text.delta" in kinds


def test_a_response_parsed(client, model):
    answer = client.responses.parse(
        model=model, input="Paris", text_format=Place, max_output_tokens=200, temperature=0
    )
    assert isinstance(answer.output_parsed, Place)


def test_a_model_that_is_not_there(client):
    with pytest.raises(openai.NotFoundError, match="nobody"):
        client.chat.completions.create(model="nobody:1b", messages=HI)


def test_a_parameter_out_of_range(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=HI, temperature=9)
    assert caught.value.param == "temperature"


def test_a_wrong_key(tiny_server):
    stranger = openai.OpenAI(base_url=tiny_server.url, api_key="isk-wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()
