import json

import pytest
from aiohttp import web
from benchmarks.client import NoAnswer, ask, connections

pytestmark = pytest.mark.anyio


def event(delta, finish=None, **more):
    return {"choices": [{"delta": delta, "finish_reason": finish}], **more}


async def asked(events, status=200, headers=None):
    """Ask a server that streams these events."""

    async def handle(request):
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        for each in events:
            await response.write(f"data: {json.dumps(each)}\n\n".encode())
        await response.write(b": a comment\n\ndata: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        async with connections() as session:
            return await ask(session, f"http://127.0.0.1:{port}/v1", [], 8)
    finally:
        await runner.cleanup()


PIECES = [event({"role": "assistant", "content": ""}), event({"content": "Hel"}), event({"content": "lo"})]


async def test_the_usage_is_believed():
    usage = {"completion_tokens": 3, "prompt_tokens": 7}
    answer = await asked([*PIECES, event({}, "length"), {"choices": [], "usage": usage}])
    assert (answer.text, answer.tokens, answer.chunks, answer.prompt_tokens) == ("Hello", 3, 2, 7)
    assert 0 < answer.first_s <= answer.last_s <= answer.total_s
    assert answer.finish == "length"


async def test_without_usage_pieces_are_tokens():
    answer = await asked([*PIECES, event({}, "stop")])
    assert (answer.tokens, answer.prompt_tokens) == (2, None)


@pytest.mark.parametrize(
    "events", [PIECES, [event({}, "stop")], [*PIECES, {"error": {"message": "out of memory"}}]]
)
async def test_half_an_answer_is_none(events):
    with pytest.raises(NoAnswer):
        await asked(events)


async def test_a_refusal_says_when_to_come_back():
    with pytest.raises(NoAnswer) as caught:
        await asked([], status=429, headers={"Retry-After": "3"})
    assert (caught.value.status, caught.value.retry_after_s) == (429, 3.0)
