"""The engine as it is: a real worker, the tiny model, real signals."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import aclosing
from pathlib import Path

import anyio
import msgspec
import psutil
import pytest
import xllamacpp

from isthmus.engines import watchdog
from isthmus.engines.builds import EngineBuild
from isthmus.engines.lending import lent_files
from isthmus.engines.llama import LlamaEngine
from isthmus.engines.loading import Loading, worker_config
from isthmus.errors import (
    ContextLengthExceeded,
    EngineError,
    LoadError,
    RequestError,
    WorkerDied,
)
from isthmus.fit import Budget, plan
from isthmus.messages import (
    Finish,
    GenerationRequest,
    ImagePart,
    Message,
    Notice,
    TextDelta,
    TextPart,
    TokenScores,
)
from isthmus.settings import EngineSettings
from isthmus.store import Store
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.trust import verify
from isthmus.wire.chat_body import render_chat
from tests.engines.weights import adapter, eyes, split
from tests.wire.pictures import PAINTED

SETTINGS = EngineSettings(context_length=2048, parallel=4)


def request(text="Count from one to ninety.", **more):
    return GenerationRequest((Message("user", text),), **{"max_tokens": 8, "temperature": 0, **more})


def endless(tokens):
    """A request for exactly so many tokens: those that would end the answer are forbidden."""
    return request("Tell a long story.", max_tokens=tokens, logit_bias={0: -100.0, 2: -100.0})


def with_engine(model, work, settings=SETTINGS, **more):
    async def main():
        engine = LlamaEngine(verify(model, adapters=settings.adapters), settings, **more)
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
    """With one slot, the next answer can't begin before the cancelled one has ended.

    What the worker computed tells, and not the clock, which runs on while a busy machine does other things.
    """

    def computed(engine):
        spent = psutil.Process(engine.worker.pid).cpu_times()
        return spent.user + spent.system

    async def work(engine):
        async with aclosing(engine.stream(endless(1500))) as events:
            await anext(events)
        before = computed(engine)
        await events_of(engine, request(max_tokens=1))
        after = computed(engine)
        await events_of(engine, endless(400))
        assert after - before < computed(engine) - after

    with_engine(tiny, work, EngineSettings(context_length=2048, parallel=1))


def test_a_killed_worker_cuts_the_answer_and_the_next_question_gets_another(tiny):
    async def work(engine):
        with pytest.raises(WorkerDied, match="signal 9"):
            await fall(engine)
        first = engine.crashes
        assert isinstance((await events_of(engine, request()))[-1], Finish)
        assert (first, engine.crashes) == (1, 0)

    with_engine(tiny, work)


def test_a_worker_that_takes_several_answers_down_fell_once(tiny):
    async def work(engine):
        await engine.open()
        long = endless(1500)
        asked = [asyncio.create_task(events_of(engine, long)) for _ in range(4)]
        await asyncio.sleep(1)
        os.kill(engine.worker.pid, signal.SIGKILL)
        # Whoever fails first starts a new worker, while the others still learn that theirs is gone.
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await engine.open()
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(end) for end in ends] == [WorkerDied] * 4
        assert engine.crashes == 1

    with_engine(tiny, work)


def test_a_worker_that_falls_again_and_again_is_left_alone(tiny):
    async def work(engine):
        for _ in range(3):
            with pytest.raises(WorkerDied):
                await fall(engine)
        with pytest.raises(EngineError, match="3 times in a row"):
            await events_of(engine, request())

    with_engine(tiny, work)


AMBIGUOUS = {
    "$defs": {
        "x": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"a": {"$ref": "#/$defs/x"}, f"b{number}": {"type": "string"}},
                    "required": ["a"],
                    "additionalProperties": False,
                }
                for number in range(24)
            ]
        }
    },
    "$ref": "#/$defs/x",
}
"""Each level can be read in 24 ways, so that six have two hundred million."""


@pytest.mark.slow
def test_a_worker_that_hangs_on_a_form_is_ended_and_the_others_are_asked_anew(tiny, monkeypatch):
    for name, seconds in {"LOOK_S": 0.2, "LEAST_S": 2.0, "UNKNOWN_S": 2.0}.items():
        monkeypatch.setattr(watchdog, name, seconds)
    form = {"type": "json_schema", "json_schema": {"name": "deep", "schema": AMBIGUOUS}}

    async def work(engine):
        for _ in range(3):  # as often as a worker may fall
            hostile = request('{"a":{"a":{"a":{"a":{"a":{"a":', max_tokens=32, response_format=form)
            long = endless(1500)
            asked = (events_of(engine, each) for each in (hostile, long))
            refused, broken = await asyncio.gather(*asked, return_exceptions=True)
            assert isinstance(refused, RequestError), refused
            assert "hung while it held an answer to its schema" in refused.message
            assert isinstance(broken, WorkerDied), broken
            assert isinstance((await events_of(engine, request()))[-1], Finish)

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
    settings = EngineSettings(context_length=512, parallel=1)
    with verify(tiny) as model, lent_files(model) as files:
        config = {
            **worker_config(Loading(model=model, settings=settings), files, "k"),
            "model": [str(tiny.path)],
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


# ---------------------------------------------------------------- other weights, other builds


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_a_split_model_is_loaded_from_its_verified_pieces(tiny, tmp_path):
    pieces = split(tiny.path, tmp_path, 3)

    async def work(engine):
        return text_of(await events_of(engine, request()))

    async def swapped(engine):
        for piece in pieces:
            piece.unlink()
            piece.write_bytes(b"something else")
        return text_of(await events_of(engine, request()))

    assert with_engine(tiny, work) == with_engine(pieces[0], work)
    if Path("/proc/self/fd").is_dir():
        assert with_engine(pieces[0], swapped)


def test_an_adapter_changes_the_answer_and_what_is_none_says_why(tiny, tmp_path):
    path = adapter(tiny.path, tmp_path / "adapter.gguf")

    async def work(engine):
        return text_of(await events_of(engine, request()))

    async def refused(engine):
        with pytest.raises(LoadError, match="lora adapter"):
            await engine.open()

    adapted = msgspec.structs.replace(SETTINGS, adapters=(str(path),))
    assert with_engine(tiny, work) != with_engine(tiny, work, adapted)
    with_engine(tiny, refused, msgspec.structs.replace(SETTINGS, adapters=(str(tiny.path),)))


@pytest.mark.parametrize("kind", ["package", "program"])
def test_a_build_that_fails_is_given_up_for_the_installed_one_with_a_warning(tiny, tmp_path, kind):
    (tmp_path / "xllamacpp").mkdir()
    (tmp_path / "xllamacpp" / "__init__.py").write_text(
        "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    )
    build = EngineBuild("odd", kind, str(tmp_path))

    async def work(engine):
        first, second = await events_of(engine, request()), await events_of(engine, request())
        notice = first[0]
        assert isinstance(notice, Notice)
        assert notice.code == "engine_build_failed"
        assert "odd" in notice.text
        assert text_of(first) == text_of(second)
        assert not any(isinstance(event, Notice) for event in second)

    with_engine(tiny, work, build=build)


def test_a_build_whose_worker_falls_again_and_again_is_given_up_too(tiny):
    package = str(Path(xllamacpp.__file__).parent.parent)

    async def work(engine):
        for _ in range(2):
            with pytest.raises(WorkerDied):
                await fall(engine)
        notice = (await events_of(engine, request()))[0]
        assert isinstance(notice, Notice)
        assert "2 times in a row" in notice.text

    with_engine(tiny, work, build=EngineBuild("odd", "package", package))


def test_weights_that_no_build_can_load_fail_with_the_installed_ones_reason(tiny, tmp_path):
    async def work(engine):
        with pytest.raises(LoadError, match="lora adapter"):
            await engine.open()

    settings = msgspec.structs.replace(SETTINGS, adapters=(str(tiny.path),))
    with_engine(tiny, work, settings, build=EngineBuild("odd", "program", str(tmp_path / "none")))


def test_the_plan_decides_the_context(tiny):
    async def work(engine):
        assert engine.memory_bytes() is None
        await engine.open()
        assert 50 << 20 < engine.memory_bytes() < 500 << 20
        return engine.model.context_length

    with verify(tiny) as model:
        planned = plan(model.header.shape, Budget(1 << 30), SETTINGS, context_length=1024)
    assert with_engine(tiny, work, plan=planned) == 1024


# ---------------------------------------------------------------- what is done once


def numbers(*words):
    """Prompts that have little in common, of some 300 tokens."""
    return [f"{word}: " + " ".join(f"{word} {number}" for number in range(100)) for word in words]


@pytest.mark.parametrize("spare_mb", [0, 512], ids=["slots alone", "with a cache of prompts"])
def test_a_second_turn_reads_only_what_is_new_and_says_so(tiny, spare_mb):
    async def work(engine):
        conversations = {text: [Message("user", text)] for text in numbers("red", "blue", "green")}
        for _ in range(2):
            for conversation in conversations.values():  # one after the other, over and over
                asked = GenerationRequest(tuple(conversation), max_tokens=8, temperature=0)
                events = await events_of(engine, asked)
                usage = events[-1].usage
                if len(conversation) > 1:
                    assert usage.prompt_tokens - usage.cached_tokens < 40
                    assert usage.cached_tokens > 200
                conversation += [Message("assistant", text_of(events)), Message("user", "go on")]

    with verify(tiny) as model:
        planned = plan(model.header.shape, Budget(2 << 30), SETTINGS, context_length=4096)
    budget = Budget(planned.ram_bytes + (spare_mb << 20))
    with_engine(tiny, work, EngineSettings(), plan=planned, budget=budget)


def test_several_choices_share_one_reading_of_the_prompt(tiny):
    async def work(engine):
        await engine.open()
        process, spent = psutil.Process(engine.worker.pid), []
        for word, choices in (("red", 1), ("blue", 4)):
            before = process.cpu_times().user
            (text,) = numbers(word)
            await events_of(engine, request(text, n=choices, max_tokens=1, temperature=1.0))
            spent.append(process.cpu_times().user - before)
        return spent

    one, four = with_engine(tiny, work)
    assert four < 2 * one


COPY = (
    "Repeat this text:\nThe quick brown fox jumps over the lazy dog. The five boxing wizards jump quickly. "
    "How vexingly quick daft zebras jump. Bright vixens jump while dozy fowl quack.\n"
)


def test_guessing_ahead_changes_no_answer_and_saves_steps(tiny):
    async def work(engine):
        client = await engine.open()
        asked = request(COPY, max_tokens=160)
        body = render_chat(asked, "tiny", "llama").replace(b'"stream":true', b'"stream":false')
        answer = await client.post("/chat/completions", body)
        assert text_of(await events_of(engine, asked)) == answer["choices"][0]["message"]["content"]
        return answer

    plain = with_engine(tiny, work, msgspec.structs.replace(SETTINGS, speculation="off"))
    guessed = with_engine(tiny, work, msgspec.structs.replace(SETTINGS, speculation="ngram"))
    assert guessed["choices"] == plain["choices"]
    assert guessed["timings"]["draft_n_accepted"] > 5
    assert "draft_n" not in plain["timings"]


def test_a_draft_model_changes_no_answer_either(tiny):
    async def work(engine):
        return text_of(await events_of(engine, request(COPY, max_tokens=60)))

    plain = with_engine(tiny, work, msgspec.structs.replace(SETTINGS, speculation="off"))
    assert with_engine(tiny, work, draft=verify(tiny)) == plain


# ---------------------------------------------------------------- images


@pytest.fixture
def seeing(tiny, tmp_path):
    """The tiny model with a projector that makes words of colours."""
    projector = eyes(tiny.path, tmp_path / "mmproj.gguf")
    return Store(tmp_path / "seeing").add_file(tiny.path, "seeing", projector=projector)


def shown(*images, text="Say this word:", **more):
    parts = (TextPart(text), *map(ImagePart, images))
    return GenerationRequest((Message("user", parts),), **{"max_tokens": 8, "temperature": 0, **more})


def test_a_model_with_a_projector_sees(seeing):
    async def work(engine):
        assert engine.model.vision
        told = [text_of(await events_of(engine, shown(image))) for image in PAINTED.values()]
        assert engine.model.vision
        return told

    for colour, answer in zip(PAINTED, with_engine(seeing, work), strict=True):
        assert colour in answer.lower()


# ---------------------------------------------------------------- the context


NO_END = {"2": -100}
"""The token that ends an answer, forbidden."""


def long_conversation(turns):
    messages = [Message("system", "You like numbers.")]
    for text in numbers(*(f"turn{number}" for number in range(turns))):
        messages += [Message("user", text), Message("assistant", "Yes.")]
    return (*messages, Message("user", "Now say goodbye."))


def test_the_oldest_turns_are_left_out_where_that_is_asked_for_and_it_is_told(tiny):
    async def work(engine):
        asked = GenerationRequest(long_conversation(12), max_tokens=8, temperature=0, truncation="oldest")
        events = await events_of(engine, asked)
        notice, finish = events[0], events[-1]
        assert isinstance(notice, Notice)
        assert re.search(r"oldest \d+ of 26 messages", notice.text)
        assert finish.usage.prompt_tokens <= 2048 - 8
        left_out = int(notice.text.split()[3 - 1])
        cut = asked.messages[:1] + asked.messages[1 + left_out :]
        same = await events_of(engine, msgspec.structs.replace(asked, messages=cut))
        assert same[-1].usage.prompt_tokens == finish.usage.prompt_tokens

    with_engine(tiny, work)


def test_a_conversation_that_fits_is_left_as_it_is(tiny):
    async def work(engine):
        events = await events_of(engine, request(truncation="oldest"))
        assert not any(isinstance(event, Notice) for event in events)

    with_engine(tiny, work)


def test_a_last_turn_that_is_too_long_is_an_error_even_so(tiny):
    async def work(engine):
        asked = request("word " * 5000, truncation="oldest")
        with pytest.raises(ContextLengthExceeded, match=r"has \d{4,} tokens.* is 2048"):
            await events_of(engine, asked)

    with_engine(tiny, work)


@pytest.mark.slow
def test_requests_that_share_a_small_context_wait_for_room_and_none_fails(tiny):
    """Together they would need twice the context that there is."""

    async def work(engine):
        asked = [
            request(f"{number}: count to ninety", max_tokens=100, logit_bias=NO_END) for number in range(8)
        ]
        finishes = [
            events[-1] for events in await asyncio.gather(*(events_of(engine, each) for each in asked))
        ]
        assert [(each.reason, each.usage.completion_tokens) for each in finishes] == [("length", 100)] * 8

    with_engine(tiny, work, EngineSettings(context_length=512, parallel=8, speculation="off"))


@pytest.mark.slow
def test_answers_that_fill_a_shared_context_end_there_with_their_usage(tiny):
    async def work(engine):
        asked = [request(f"{number}: count", max_tokens=None, logit_bias=NO_END) for number in range(2)]
        finishes = [
            events[-1] for events in await asyncio.gather(*(events_of(engine, each) for each in asked))
        ]
        assert [each.reason for each in finishes] == ["length"] * 2
        assert all(each.usage.prompt_tokens > 5 and each.usage.completion_tokens > 64 for each in finishes)

    with_engine(tiny, work, EngineSettings(context_length=512, parallel=2))


def test_an_answer_that_fills_the_context_ends_there(tiny):
    async def work(engine):
        (text,) = numbers("red")
        finish = (await events_of(engine, request(text, max_tokens=None, logit_bias=NO_END)))[-1]
        assert finish.reason == "length"
        assert finish.usage.total_tokens <= 512

    with_engine(tiny, work, EngineSettings(context_length=512, parallel=1))


@pytest.mark.slow
def test_answers_whose_characters_take_several_tokens_end_where_the_context_is_full(tiny):
    """Of such characters less is seen than was written, so that the room runs out unawares."""

    async def work(engine):
        faces = [
            request(f"{number}: smile", max_tokens=None, grammar="root ::= [\U0001f600-\U0001f64f]{800}")
            for number in range(2)
        ]
        answers = await asyncio.gather(*(events_of(engine, each) for each in faces))
        assert [events[-1].reason for events in answers] == ["length"] * 2
        assert all(len(text_of(events)) > 50 for events in answers)
        assert all(events[-1].usage.prompt_tokens > 5 for events in answers)

    with_engine(tiny, work, EngineSettings(context_length=512, parallel=2))
