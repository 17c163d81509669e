import json

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import RequestError
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server.body import MAX_DEPTH, check_depth
from tests.server.test_chat import HI, post

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]

unhurried = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("bracket", [b"[", b"{"])
def test_depth_has_a_limit(bracket):
    closing = {b"[": b"]", b"{": b"}"}[bracket]
    check_depth(bracket * MAX_DEPTH + closing * MAX_DEPTH)
    with pytest.raises(RequestError, match="nested deeper"):
        check_depth(bracket * (MAX_DEPTH + 1) + closing * (MAX_DEPTH + 1))


def test_brackets_in_texts_are_no_depth():
    check_depth(json.dumps({"code": "[{" * 1000 + '\\"[' * 1000, "more": ['"', "\\", "[" * 500]}).encode())


def test_wide_is_not_deep():
    check_depth(json.dumps([{"a": [1]}] * 10_000).encode())


@unhurried
@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_judged(noise, times):
    body = b"[" * times + noise
    try:
        check_depth(body)
    except RequestError:
        assert body.count(b"[") + body.count(b"{") > MAX_DEPTH


json_values = st.recursive(
    st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def depth_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@unhurried
@given(json_values, st.integers(60, 110))
@example({"": []}, 99)
def test_depth_is_counted_as_a_parser_would(value, levels):
    for _ in range(levels):
        value = [value]
    deep = depth_of(value) > MAX_DEPTH
    try:
        check_depth(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except RequestError:
        assert deep
    else:
        assert not deep


def test_deep_json_is_a_400_and_the_next_request_works(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for depth in (150, 5_000, 100_000):
            status, _, answer = post(server, b'{"messages": ' + b"[" * depth + b"]" * depth + b"}")
            assert status == 400
            assert json.loads(answer)["error"]["type"] == "invalid_request_error"
        assert post(server, {"messages": HI})[0] == 200


def test_a_body_well_beyond_the_limit_is_still_told_so(serving):
    with serving(ScriptedEngine(HELLO), max_body=100_000) as server:
        for size in (100_001, 399_000):
            status, headers, answer = post(server, b"x" * size)
            assert status == 413
            assert headers["connection"] == "close"
            assert json.loads(answer)["error"]["code"] == "request_too_large"
        assert post(server, {"messages": HI})[0] == 200


def test_messages_have_a_number(serving):
    with serving(ScriptedEngine(HELLO), server__max_messages=3) as server:
        assert post(server, {"messages": HI * 3})[0] == 200
        status, _, answer = post(server, {"messages": HI * 4})
        assert (status, json.loads(answer)["error"]["param"]) == (400, "messages")


def test_an_answer_has_a_deadline_where_the_settings_set_one(serving):
    script = [TextDelta("Hel"), 60.0, *HELLO]
    with serving(ScriptedEngine(script), server__request_timeout_s=0.2) as server:
        status, _, answer = post(server, {"messages": HI})
        assert (status, json.loads(answer)["error"]["code"]) == (504, "deadline_passed")
        status, _, answer = post(server, {"messages": HI, "stream": True})
        assert status == 200
        assert b"Hel" in answer
        assert b"deadline_passed" in answer
        assert b"[DONE]" not in answer
    engine = ScriptedEngine([60.0, *HELLO])
    with serving(engine, server__request_timeout_s=0.2) as server:
        assert post(server, {"messages": HI, "stream": True})[0] == 504
        assert engine.closed == 1
