"""The anthropic client, unmodified, over the Messages API: real process, real weights."""

import pytest

anthropic = pytest.importorskip("anthropic", reason="anthropic is not installed: make conformance")

from .patience import patience

CLIENT, PACKAGES = "anthropic for Python", ("anthropic",)
HI = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


@pytest.fixture
def client(tiny_server):
    with anthropic.Anthropic(
        base_url=tiny_server.origin, api_key=tiny_server.key, max_retries=0, timeout=patience(120)
    ) as made:
        yield made


@pytest.fixture
def model(tiny_server):
    return tiny_server.model


def test_a_message(client, model, did):
    answer = client.messages.create(model=model, messages=HI, max_tokens=8, system="Be brief.")
    assert answer.role == "assistant"
    assert answer.stop_reason in ("max_tokens", "end_turn")
    assert answer.usage.output_tokens <= 8
    did(answer.content[0].text)


def test_a_message_streamed(client, model):
    with client.messages.stream(model=model, messages=HI, max_tokens=8) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text
    assert final.usage.output_tokens <= 8


def test_events_come_in_order(client, model):
    kinds = [
        each.type for each in client.messages.create(model=model, messages=HI, max_tokens=8, stream=True)
    ]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.index("content_block_start") < kinds.index("content_block_delta")
    assert kinds.index("content_block_delta") < kinds.index("content_block_stop")


def test_a_named_tool_is_called(client, model, did):
    answer = client.messages.create(
        model=model,
        messages=[{"role": "user", "content": "How is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "weather"},
        max_tokens=200,
        extra_body={"temperature": 0},
    )
    (call,) = [each for each in answer.content if each.type == "tool_use"]
    assert call.name == "weather"
    assert answer.stop_reason == "tool_use"
    did(str(call.input))


def test_a_tools_result_is_taken(client, model):
    turns = [
        *HI,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]},
    ]
    answer = client.messages.create(model=model, messages=turns, tools=[WEATHER], max_tokens=8)
    assert answer.content


def test_tokens_are_counted(client, model, did):
    short = client.messages.count_tokens(model=model, messages=HI).input_tokens
    more = [*HI, {"role": "assistant", "content": "word " * 50}]
    long = client.messages.count_tokens(model=model, messages=more).input_tokens
    assert long >= short + 50
    did(f"{short} and {long}")


def test_models(client, model):
    assert model in [each.id for each in client.models.list()]
    assert client.models.retrieve(model).id == model


def test_errors_are_anthropics(client, tiny_server):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="nobody:1b", messages=HI, max_tokens=8)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=tiny_server.model, messages=[], max_tokens=8)
    stranger = anthropic.Anthropic(base_url=tiny_server.origin, api_key="isk-wrong", max_retries=0)
    with stranger, pytest.raises(anthropic.AuthenticationError):
        stranger.models.list()
