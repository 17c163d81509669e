"""The engine as it is: a real worker, the tiny model, real signals."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import aclosing

import anyio
import pytest

from isthmus.engines.llama import LlamaEngine
from isthmus.errors import ContextLengthExceeded, EngineError, LoadError, RequestError, WorkerDied
from isthmus.messages import Finish, GenerationRequest, Message, TextDelta, TokenScores
from isthmus.settings import EngineSettings
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.trust import verify

SETTINGS = EngineSettings(context_length=2048, parallel=4)


def request(text="Count from one to ninety.", **more):
    return GenerationRequest((Message("user", text),), **{"max_tokens": 8, "temperature": 0, **more})


def with_engine(model, work, settings=SETTINGS, **more):
    async def main():
        engine = LlamaEngine(verify(model), settings, **more)
        try:
            return await work(engine)
        finally:
            await engine.close()

    return anyio.run(main)


async def events_of(engine, asked):
    async with aclosing(engine.stream(asked)) as events:
        return [event async for event in events]


async def fall(engine):
    """Kill the worker in the middle of an answer."""
    async with aclosing(engine.stream(request(max_tokens=1500))) as events:
        async for event in events:
            assert not isinstance(event, Finish)
            os.kill(engine.worker.pid, signal.SIGKILL)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, within_s=10.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_an_answer_comes_in_pieces_and_ends_with_usage(tiny):
    async def work(engine):
        events = await events_of(engine, request())
        assert sum(isinstance(event, TextDelta) for event in events) > 1
        finish = events[-1]
        assert isinstance(finish, Finish)
        assert finish.reason == "length"
        assert finish.usage.completion_tokens == 8
        assert finish.usage.prompt_tokens > 5
        assert finish.timings.tokens_per_s > 0
        assert engine.model.context_length == 2048

    with_engine(tiny, work)


def test_log_probabilities_come_with_as_many_rivals_as_were_asked_for(tiny):
    async def work(engine):
        for asked in (0, 3):
            events = await events_of(engine, request(top_logprobs=asked))
            scores = [each for event in events if isinstance(event, TokenScores) for each in event.tokens]
            assert len(scores) == 8
            assert all(each.logprob <= 0 and len(each.top) == asked for each in scores)

    with_engine(tiny, work)


def test_several_choices_and_equal_seeds(tiny):
    async def work(engine):
        events = await events_of(engine, request(n=2, temperature=1.0, seed=7))
        finishes = [event for event in events if isinstance(event, Finish)]
        assert [each.index for each in finishes] == [0, 1]
        first, second = [
            [e for e in await events_of(engine, request(temperature=1.0, seed=7)) if isinstance(e, TextDelta)]
            for _ in range(2)
        ]
        assert first == second

    with_engine(tiny, work)


def test_a_prompt_over_the_context_is_an_error_that_says_both_lengths(tiny):
    async def work(engine):
        with pytest.raises(ContextLengthExceeded, match=r"has \d{4,} tokens.* is 2048"):
            await events_of(engine, request("word " * 5000))

    with_engine(tiny, work)


def test_a_request_that_the_engine_refuses_says_why(tiny):
    async def work(engine):
        schema = {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}
        with pytest.raises(RequestError, match="nonsense"):
            await events_of(engine, request(response_format=schema))
        assert await events_of(engine, request())

    with_engine(tiny, work)


def test_effort_reaches_the_template(tiny):
    async def work(engine):
        plain = (await events_of(engine, request("hi")))[-1].usage.prompt_tokens
        high = (await events_of(engine, request("hi", effort="high")))[-1].usage.prompt_tokens
        assert high > plain

    template = (
        "{% if reasoning_effort is defined and reasoning_effort == 'high' %}think very hard now {% endif %}hi"
    )
    with_engine(tiny, work, chat_template=template)


def test_cancelling_frees_the_slot_at_once(tiny):
    """With one slot, the next answer can't begin before the cancelled one has ended."""

    async def work(engine):
        long = request(max_tokens=1500)
        async with aclosing(engine.stream(long)) as events:
            await anext(events)
        began = time.perf_counter()
        await events_of(engine, request(max_tokens=1))
        waited = time.perf_counter() - began
        began = time.perf_counter()
        await events_of(engine, request(max_tokens=200))
        assert waited < time.perf_counter() - began

    with_engine(tiny, work, EngineSettings(context_length=2048, parallel=1))


def test_a_killed_worker_cuts_the_answer_and_the_next_question_gets_another(tiny):
    async def work(engine):
        with pytest.raises(WorkerDied, match="signal 9"):
            await fall(engine)
        first = engine.crashes
        assert isinstance((await events_of(engine, request()))[-1], Finish)
        assert (first, engine.crashes) == (1, 0)

    with_engine(tiny, work)


def test_a_worker_that_falls_again_and_again_is_left_alone(tiny):
    async def work(engine):
        for _ in range(3):
            with pytest.raises(WorkerDied):
                await fall(engine)
        with pytest.raises(EngineError, match="3 times in a row"):
            await events_of(engine, request())

    with_engine(tiny, work)


def test_closing_ends_the_worker(tiny):
    async def work(engine):
        await engine.open()
        return engine.worker.pid

    pid = with_engine(tiny, work)
    assert not is_running(pid)


def test_two_questions_at_once_start_one_worker(tiny):
    async def work(engine):
        await asyncio.gather(*(events_of(engine, request()) for _ in range(4)))
        assert engine.worker.alive

    with_engine(tiny, work)


def test_the_worker_opens_to_its_parents_key_alone_and_shows_no_page(tiny):
    async def work(engine):
        await engine.open()
        stranger = ChatClient(engine.worker.address)
        for path in ("/v1/models", "/props", "/slots"):
            with pytest.raises(UpstreamError) as refused:
                await stranger.get(path)
            assert refused.value.status in (401, 404)
        with pytest.raises(UpstreamError):
            await stranger.get("/")
        await stranger.close()
        assert "127.0.0.1" in engine.worker.address
        assert "****" in repr(engine.worker.key)

    with_engine(tiny, work)


def test_the_worker_ends_when_its_parent_is_killed(tiny, tmp_path):
    program = textwrap.dedent("""
        import sys, time, anyio
        from pathlib import Path
        from isthmus.engines.llama import LlamaEngine
        from isthmus.settings import EngineSettings
        from isthmus.trust import verify

        async def main():
            engine = LlamaEngine(verify(Path(sys.argv[1])), EngineSettings(context_length=512))
            await engine.open()
            print(engine.worker.pid, flush=True)
            time.sleep(60)

        anyio.run(main)
    """)
    weights = tmp_path / "tiny.gguf"
    weights.symlink_to(tiny.path)
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(weights)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    wait_until(lambda: not is_running(pid))


def test_a_worker_whose_parent_dies_while_it_loads_ends_too(tiny):
    config = {
        "model": str(tiny.path),
        "alias": "tiny",
        "key": "k",
        "context_length": 512,
        "parallel": 1,
        "threads": 0,
        "gpu_layers": -1,
        "chat_template": "",
    }
    command = [sys.executable, "-m", "isthmus.engines.worker"]
    for pause in (0.0, 0.3, 0.8):
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as worker:
            worker.stdin.write(json.dumps(config).encode() + b"\n")
            worker.stdin.flush()
            time.sleep(pause)
            worker.stdout.close()
            worker.stdin.close()
            assert worker.wait(10) in (0, 3)


def test_the_bytes_that_were_verified_are_loaded_even_if_the_path_is_swapped(tiny, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(tiny.path.read_bytes())

    async def main():
        engine = LlamaEngine(verify(path), SETTINGS)
        path.unlink()
        path.write_bytes(b"something else")
        try:
            return await events_of(engine, request())
        finally:
            await engine.close()

    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        pytest.skip("without /proc a worker can only be told a path")
    assert isinstance(anyio.run(main)[-1], Finish)


def test_weights_of_an_unknown_architecture_fail_with_the_engines_reason(tiny, tmp_path):
    path = tmp_path / "odd.gguf"
    data = tiny.path.read_bytes()
    path.write_bytes(
        data.replace(b"\x05\x00\x00\x00\x00\x00\x00\x00llama", b"\x05\x00\x00\x00\x00\x00\x00\x00llamb", 1)
    )

    async def work(engine):
        with pytest.raises(LoadError, match="llamb"):
            await engine.open()

    with_engine(path, work)
