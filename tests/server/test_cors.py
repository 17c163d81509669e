"""Pages of other origins: turned away, unless the settings name them."""

import pytest

from isthmus.engines.scripted import ScriptedEngine
from tests.server.test_guard import HELLO, ask, made

PAGE = "https://app.example"
PREFLIGHT = {
    "Origin": PAGE,
    "Access_Control_Request_Method": "POST",
    "Access_Control_Request_Headers": "authorization, content-type, x-stainless-os",
}
PATHS = ("/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/models")


def test_by_default_no_page_of_another_origin_may_ask(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for path in PATHS:
            status, headers, _ = ask(server, "OPTIONS", path, **PREFLIGHT)
            assert status == 403
            assert "access-control-allow-origin" not in headers


def test_a_named_origin_may_ask_and_its_preflight_needs_no_key(serving):
    with serving(ScriptedEngine(HELLO), server__cors_origins=[PAGE]) as server:
        team = made(server)
        for path in PATHS:
            status, headers, body = ask(server, "OPTIONS", path, **PREFLIGHT)
            assert (status, body) == (204, None)
            assert headers["access-control-allow-origin"] == PAGE
            assert headers["vary"] == "Origin"
            assert "POST" in headers["access-control-allow-methods"]
            assert headers["access-control-allow-headers"] == PREFLIGHT["Access_Control_Request_Headers"]
        status, headers, _ = ask(server, Origin=PAGE, **team)
        assert (status, headers["access-control-allow-origin"]) == (200, PAGE)
        assert "x-request-id" in headers["access-control-expose-headers"]
        # A page must be able to read why it is refused.
        status, headers, _ = ask(server, Origin=PAGE)
        assert (status, headers["access-control-allow-origin"]) == (401, PAGE)
        for other in ("https://app.example.evil", "http://app.example", "null", f"{PAGE}:8443"):
            assert ask(server, Origin=other, **team)[0] == 403


def test_what_is_no_preflight_is_no_way_past_the_key(serving):
    with serving(ScriptedEngine(HELLO), server__cors_origins=[PAGE]) as server:
        made(server)
        assert ask(server, "OPTIONS", Origin=PAGE)[0] == 401
        assert ask(server, "OPTIONS")[0] == 401


def test_header_names_that_are_none_are_not_echoed(serving):
    with serving(ScriptedEngine(HELLO), server__cors_origins=[PAGE]) as server:
        asked = {**PREFLIGHT, "Access_Control_Request_Headers": "a\tb: c"}
        status, headers, _ = ask(server, "OPTIONS", **asked)
        assert status == 204
        assert "access-control-allow-headers" not in headers


def test_any_origin_counts_only_where_a_key_is_needed(serving):
    with serving(ScriptedEngine(HELLO), server__cors_origins=["*"]) as server:
        assert ask(server, Origin=PAGE)[0] == 403
        team = made(server)
        status, headers, _ = ask(server, Origin=PAGE, **team)
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
        server.keys.revoke("team")
        assert ask(server, Origin=PAGE)[0] == 403


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/health"])
def test_unless_the_settings_say_that_any_page_may_ask(serving, path):
    flags = {"server__cors_origins": ["*"], "server__cors_without_keys": True}
    with serving(ScriptedEngine(HELLO), **flags) as server:
        method = "GET" if path == "/health" else "POST"
        status, headers, _ = ask(server, method, path, Origin=PAGE)
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
