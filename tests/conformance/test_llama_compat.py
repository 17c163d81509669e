"""llama.cpp's server as its tests know it, beyond its own API: Messages, images, slots, several at once."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.wire.pictures import PAINTED, image

from . import asking
from .patience import patience

CLIENT = "llama.cpp's server: Messages, images, slots"
HI = [{"role": "user", "content": "Say hello."}]
MESSAGES, CHAT, NATIVE = "/v1/messages", "/v1/chat/completions", "/completion"
WEATHER = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CALLED = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}


@pytest.fixture
def ask(tiny_server):
    """``ask(path, **body)``: the status and what came."""
    return partial(asking.ask, tiny_server)


@pytest.fixture
def show(seeing_server):
    """The same, of a model that sees."""
    return partial(asking.ask, seeing_server)


# ---------------------------------------------------------------- Anthropic's Messages


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"system": "You are a butler."},
        {"system": [{"type": "text", "text": "You are a butler."}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": t} for t in ("What is", " it?")]}
            ]
        },
        {"messages": [*HI, {"role": "assistant", "content": "Good day!"}, *HI]},
        {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "metadata": {"user_id": "somebody"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1040},
    ],
    ids=lambda more: json.dumps(more)[:40],
)
def test_a_message_and_what_it_took(ask, more):
    status, told = ask(MESSAGES, **{"messages": HI, "max_tokens": 8, "stop_sequences": ["."], **more})
    assert (status, told["type"], told["role"]) == (200, "message", "assistant")
    assert told["stop_reason"] in ("end_turn", "max_tokens", "stop_sequence")
    usage = told["usage"]
    assert 0 < usage["output_tokens"] <= 1040
    system = {"system": more["system"]} if "system" in more else {}
    _, count = ask(f"{MESSAGES}/count_tokens", messages=more.get("messages", HI), **system)
    took = usage["input_tokens"] + usage["cache_read_input_tokens"]
    # A model that doesn't think by itself is told to when effort is asked for.
    assert count["input_tokens"] < took if "thinking" in more else count == {"input_tokens": took}
    assert "timings" not in told


def test_the_sequence_that_stopped_it_is_told(ask):
    asked = [{"role": "user", "content": "Count: one, two, three, four, five, six."}]
    begun = {"role": "assistant", "content": "one, two,"}
    body = {"messages": [*asked, begun], "max_tokens": 40, "temperature": 0, "stop_sequences": [",", "."]}
    _, told = ask(MESSAGES, **body)
    assert told["stop_reason"] == "stop_sequence"
    assert told["stop_sequence"] in (",", ".")
    assert not re.search("[,.]", told["content"][0]["text"])


@pytest.mark.parametrize(
    "tools", [{}, {"tools": [WEATHER], "tool_choice": {"type": "any"}}], ids=["text", "call"]
)
def test_a_streams_blocks_are_numbered_and_nested(ask, tools):
    _, events = ask(MESSAGES, messages=HI, max_tokens=60, temperature=0, stream=True, **tools)
    events = [event for event in events if event["type"] != "ping"]
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert events[0]["message"]["content"] == []
    blocks, open_ = [], None
    for event in events[1:-2]:
        if event["type"] == "content_block_start":
            assert open_ is None
            open_ = event["index"]
            blocks.append(event["content_block"]["type"])
        assert event["index"] == open_ == len(blocks) - 1
        if event["type"] == "content_block_stop":
            open_ = None
    assert (open_, blocks) == (None, ["tool_use"] if tools else ["text"])
    ending = events[-2]
    assert ending["delta"]["stop_reason"] in ("tool_use", "end_turn", "max_tokens")
    assert ending["usage"]["input_tokens"] + ending["usage"]["cache_read_input_tokens"] > 0
    assert ending["usage"]["output_tokens"] > 0
    assert not any("timings" in event for event in events)


@pytest.mark.parametrize(
    "result",
    [
        {"content": "Sunny, 25 °C"},
        {"content": [{"type": "text", "text": "Sunny,"}, {"type": "text", "text": " 25 °C"}]},
        {"content": "There is no such city", "is_error": True},
        {},
    ],
    ids=lambda result: json.dumps(result)[:40],
)
@pytest.mark.parametrize(
    "beside", [(), ({"type": "text", "text": "Here it is:"},)], ids=["alone", "with text"]
)
def test_results_of_tools_are_taken_in_each_form(ask, result, beside):
    given = {"type": "tool_result", "tool_use_id": "toolu_1", **result}
    turns = [*HI, {"role": "assistant", "content": [CALLED]}, {"role": "user", "content": [*beside, given]}]
    status, told = ask(MESSAGES, messages=turns, max_tokens=4, tools=[WEATHER], tool_choice={"type": "none"})
    assert (status, told["content"][0]["type"]) == (200, "text")


def test_both_apis_count_the_same(ask):
    _, chat = ask(CHAT, messages=HI, max_tokens=4)
    _, message = ask(MESSAGES, messages=HI, max_tokens=4)
    usage = message["usage"]
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == chat["usage"]["prompt_tokens"]
    assert not {"choices", "object"} & message.keys()
    assert "content" not in chat


@pytest.mark.parametrize(
    "body", [{}, {"messages": []}, {"messages": "hi"}, {"messages": HI, "max_tokens": 0}]
)
def test_a_message_that_makes_no_sense_is_a_400(ask, body):
    status, told = ask(MESSAGES, **{"max_tokens": 4, **body})
    assert (status, told["type"], told["error"]["type"]) == (400, "error", "invalid_request_error")


# ---------------------------------------------------------------- images


def seen(url):
    return [
        {
            "role": "user",
            "content": [*said("Say this word:"), {"type": "image_url", "image_url": {"url": url}}],
        }
    ]


def said(text):
    return [{"type": "text", "text": text}]


def test_an_image_is_read_and_the_next_one_too(show, did):
    """Where the cache holds the prompt, an image in it mustn't stand for another."""
    answers = []
    for colour in ("red", "blue", "red"):
        status, told = show(CHAT, messages=seen(PAINTED[colour]), max_tokens=12, temperature=0)
        assert status == 200, told
        answers.append(told["choices"][0]["message"]["content"])
    assert "red" in answers[0].lower()
    assert answers[0] == answers[2] != answers[1]
    did(answers[1])


def test_an_image_in_anthropics_words(show):
    data = PAINTED["red"].partition(",")[2]
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content = [*said("Say this word:"), {"type": "image", "source": source}]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 12, "temperature": 0}
    status, told = show(MESSAGES, **body)
    assert status == 200, told
    assert "red" in told["content"][0]["text"].lower()
    _, count = show(f"{MESSAGES}/count_tokens", messages=body["messages"])
    assert count["input_tokens"] > 0


@pytest.mark.parametrize(
    "url",
    [
        "malformed",
        "",
        "data:image/png;base64,!!!",
        "data:image/png;base64,aGVsbG8=",
        "data:text/html;base64,aGVsbG8=",
        image(60_000, 60_000),
        "file:///etc/passwd",
        "file://../secret.png",
        "http://127.0.0.1:9/cat.png",
        "https://cats.example/cat.png",
    ],
    ids=lambda url: url[:30],
)
def test_what_is_no_image_or_lies_elsewhere_is_refused(show, url):
    status, told = show(CHAT, messages=seen(url), max_tokens=2)
    assert (status, told["error"]["type"]) == (400, "invalid_request_error")
    assert show(CHAT, messages=HI, max_tokens=1)[0] == 200


def test_a_model_that_does_not_see_says_so(ask):
    status, told = ask(CHAT, messages=seen(PAINTED["red"]), max_tokens=2)
    assert status == 400
    assert "vision" in told["error"]["message"]


def test_whether_it_sees_can_be_read(ask, show):
    assert show("/props")[1]["modalities"]["vision"]
    assert not ask("/props")[1]["modalities"]["vision"]
    assert "vision" in show("/api/show", model="seeing")[1]["capabilities"]


# ---------------------------------------------------------------- slots


def busy(ask):
    _, page = ask("/metrics")
    return sum(float(value) for value in re.findall(r"^isthmus_slots_busy\{.*\} (.*)$", page, re.MULTILINE))


def test_several_at_once_answer_as_one_alone(ask):
    """More than there are slots; each gets the answer to its own question."""
    words = ("moon", "river", "bread", "horse", "paper", "stone")
    form = [{"type": "json_schema", "json_schema": {"schema": {"const": word}}} for word in words]
    with ThreadPoolExecutor(len(words)) as pool:
        answers = list(
            pool.map(lambda each: ask(CHAT, messages=HI, max_tokens=12, response_format=each), form)
        )
    texts = [told["choices"][0]["message"]["content"] for _, told in answers]
    assert texts == [f'"{word}"' for word in words]


@pytest.mark.parametrize("path", [CHAT, NATIVE, MESSAGES, "/v1/responses", "/api/chat"])
def test_who_hangs_up_gives_the_slot_back(ask, tiny_server, path):
    asked = (
        {"prompt": "Once"} if path == NATIVE else {"input": "Once"} if "resp" in path else {"messages": HI}
    )
    body = json.dumps({**asked, "stream": True, "max_tokens": 3000, "ignore_eos": True})
    host, port = tiny_server.origin.removeprefix("http://").split(":")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {tiny_server.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    open_ = []
    for _ in range(4):
        connection = socket.create_connection((host, int(port)), timeout=patience(60))
        connection.sendall((head + body).encode())
        open_.append(connection)
    for connection in open_:
        assert b" 200 " in connection.recv(4096)
        connection.close()
    assert ask(CHAT, messages=HI, max_tokens=1)[0] == 200
    deadline = time.monotonic() + patience(30)
    while busy(ask):
        assert time.monotonic() < deadline, "slots are still at work for nobody"
        time.sleep(0.1)


def test_what_was_done_is_counted(ask):
    def counted():
        _, page = ask("/metrics")
        found = re.findall(r'^isthmus_tokens_total\{kind="completion",.*\} (.*)$', page, re.MULTILINE)
        return sum(map(float, found))

    before = counted()
    assert ask(CHAT, messages=HI, max_tokens=3)[1]["usage"]["completion_tokens"] == 3
    deadline = time.monotonic() + patience(5)
    while counted() != before + 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
