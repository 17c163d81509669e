import json

import pytest

from isthmus.errors import (
    ProviderCut,
    ProviderFailed,
    ProviderGarbled,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnreachable,
)
from isthmus.generator import Generator
from isthmus.messages import Finish, GenerationRequest, Message, ModelInfo, TextDelta, Usage
from isthmus.providers import table
from isthmus.providers.hosted import HostedProvider
from isthmus.providers.vendor import ANY
from isthmus.settings import ProviderSettings, Secret
from tests.upstream import CLOSE, RESET, SILENCE, Upstream, answer, chunk, piece, status, stream

pytestmark = pytest.mark.anyio

ASKED = GenerationRequest((Message("user", "What is the capital of France?"),), max_tokens=9)


KEY = Secret("sk-1")


def provider(address, key=KEY, **settings):
    fields = {"model": "large", "key_env": "BIG_KEY", "first_byte_timeout_s": 0.3, "stall_timeout_s": 0.3}
    return HostedProvider("big", ProviderSettings(address, **fields | settings), key)


def of(vendor, model="large"):
    return HostedProvider("big", ProviderSettings("https://x.example/v1", model), KEY, vendor)


async def failure(address, kind, key=KEY, **settings):
    hosted = provider(address, key, **settings)
    try:
        with pytest.raises(kind) as caught:
            async for _ in hosted.stream(ASKED):
                pass
    finally:
        await hosted.close()
    assert type(caught.value) is kind
    return caught.value


async def test_it_answers_as_any_generator_does():
    with Upstream(answer("Paris.")) as upstream:
        hosted = provider(upstream.url)
        assert isinstance(hosted, Generator)
        assert hosted.model == ModelInfo("large", local=False)
        assert [event async for event in hosted.stream(ASKED)] == [
            TextDelta("Paris."),
            Finish("stop", Usage(10, 1)),
        ]
        await hosted.close()
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-1"


async def test_what_leaves_is_what_was_rendered():
    with Upstream(answer()) as upstream:
        hosted = provider(upstream.url)
        body = hosted.render(ASKED).body
        assert [event async for event in hosted.stream(ASKED)]
        assert [event async for event in hosted.send(b'{"other": "bytes"}')]
        await hosted.close()
    assert [request.body for request in upstream.requests] == [body, b'{"other": "bytes"}']
    assert json.loads(body)["messages"] == [{"role": "user", "content": "What is the capital of France?"}]


def test_openai_has_a_dialect_of_its_own():
    bodies = [json.loads(of(vendor).render(ASKED).body) for vendor in (table.OPENAI, ANY)]
    assert ["max_completion_tokens" in body for body in bodies] == [True, False]


def test_without_a_model_there_is_a_name_to_send():
    assert json.loads(provider("https://x.example/v1", model=None).render(ASKED).body)["model"] == "default"


SORRY = {"error": {"message": "sorry"}}


@pytest.mark.parametrize(
    ("reply", "kind", "message", "hint"),
    [
        (
            status(401, SORRY),
            ProviderRejected,
            "big doesn't accept the key: sorry",
            "check the key in BIG_KEY",
        ),
        (
            status(403, SORRY),
            ProviderRejected,
            "big doesn't accept the key: sorry",
            "check the key in BIG_KEY",
        ),
        (
            status(404, SORRY),
            ProviderRejected,
            "big doesn't know 'large': sorry",
            "check providers.big.model and providers.big.base_url",
        ),
        (status(400, SORRY), ProviderRejected, "big refuses the request: sorry", None),
        (status(307, ""), ProviderRejected, "big refuses the request: it redirects elsewhere (307)", None),
        (status(429, SORRY), ProviderFailed, "big is overloaded: sorry", None),
        (
            status(429, SORRY, {"Retry-After": "7"}),
            ProviderFailed,
            "big is overloaded: sorry",
            "ask again in 7 s",
        ),
        (status(503, SORRY), ProviderFailed, "big is overloaded: sorry", None),
        (status(500, SORRY), ProviderFailed, "big failed: sorry", None),
        (stream(chunk("Par"), SORRY), ProviderFailed, "big failed: sorry", None),
        (
            [SILENCE],
            ProviderTimeout,
            "big took too long: it was silent for too long",
            "raise providers.big.first_byte_timeout_s or stall_timeout_s",
        ),
        (
            [*stream(chunk("Par"), done=False), SILENCE],
            ProviderTimeout,
            "big took too long: it was silent for too long",
            "raise providers.big.first_byte_timeout_s or stall_timeout_s",
        ),
        (
            [*stream(chunk("Par"), done=False), CLOSE],
            ProviderCut,
            "big stopped in the middle of its answer: the connection broke",
            None,
        ),
        ([RESET], ProviderCut, "big stopped in the middle of its answer: the connection broke", None),
        (stream(chunk("Par")), ProviderCut, "big stopped in the middle of its answer: its stream", None),
        (
            [b"garbage\r\n\r\n", CLOSE],
            ProviderGarbled,
            "big makes no sense: it doesn't speak HTTP",
            "check providers.big.base_url",
        ),
        (
            status(200, "<html>Log in</html>", media_type="text/html"),
            ProviderGarbled,
            "big makes no sense: it answered with text/html",
            "check providers.big.base_url",
        ),
        (status(504, ""), ProviderTimeout, "big took too long", "raise providers.big.first_byte"),
        (status(402, SORRY), ProviderRejected, "big wants to be paid first: sorry", None),
    ],
    ids=range(19),
)
async def test_a_failure_says_whose_it_is_and_what_to_do(reply, kind, message, hint):
    with Upstream(reply) as upstream:
        error = await failure(upstream.url, kind)
    assert error.message.startswith(message)
    assert error.hint == hint or (error.hint or "").startswith(hint or "-")


async def test_where_no_key_is_set_the_setting_is_named():
    with Upstream(status(401, SORRY)) as upstream:
        error = await failure(upstream.url, ProviderRejected, key_env=None)
    assert error.hint == "set providers.big.key_env"


async def test_an_address_that_nobody_answers_is_named_without_its_password():
    with Upstream(answer()) as upstream:
        gone = upstream.url
    error = await failure(gone.replace("//", "//me:hunter2@"), ProviderUnreachable, key=None)
    shown = gone.replace("//", "//***@")
    assert error.message == f"big at {shown} can't be reached: connection refused"
    assert error.hint == "check the network and providers.big.base_url"


async def test_what_a_provider_wants_waited_for_is_told_as_a_number_too():
    with Upstream(status(429, SORRY, {"Retry-After": "7"})) as upstream:
        error = await failure(upstream.url, ProviderFailed)
    assert (error.retry_after_s, error.billed) == (7.0, False)


CLAUDE = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]


def told(*payloads, end=True):
    """Events as Anthropic sends them: with names, and no [DONE]."""
    pieces = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in payloads]
    return [*stream(*pieces, done=False), *([piece(b"")] if end else [])]


async def test_anthropic_is_asked_by_its_own_api():
    with Upstream(told(*CLAUDE)) as upstream:
        settings = ProviderSettings(upstream.url, "claude-opus-5")
        hosted = HostedProvider("anthropic", settings, KEY, table.ANTHROPIC)
        events = [event async for event in hosted.stream(ASKED)]
        await hosted.close()
    assert events == [TextDelta("Paris."), Finish("stop", Usage(9, 4))]
    (request,) = upstream.requests
    assert request.target == "/v1/messages"
    assert request.headers["x-api-key"] == "sk-1"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers
    assert request.json == {
        "model": "claude-opus-5",
        "max_tokens": 9,
        "stream": True,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]}
        ],
    }


@pytest.mark.parametrize("count", range(len(CLAUDE)))
async def test_an_answer_of_anthropics_that_is_cut_anywhere_is_not_whole(count):
    with Upstream(told(*CLAUDE[:count])) as upstream:
        hosted = HostedProvider("a", ProviderSettings(upstream.url, "claude-opus-5"), KEY, table.ANTHROPIC)
        with pytest.raises(ProviderCut):
            [event async for event in hosted.stream(ASKED)]
        await hosted.close()


async def test_anthropic_may_fail_in_the_middle():
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with Upstream(told(*CLAUDE[:4], overloaded)) as upstream:
        hosted = HostedProvider("a", ProviderSettings(upstream.url, "claude-opus-5"), KEY, table.ANTHROPIC)
        with pytest.raises(ProviderFailed, match="a failed: Overloaded"):
            [event async for event in hosted.stream(ASKED)]
        await hosted.close()
