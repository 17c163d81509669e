"""Who may come in."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import ServerError
from isthmus.ledger import KeyLimits, Keys, open_database
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server import run_file
from isthmus.server.listen import take_address

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]
HI = {"messages": [{"role": "user", "content": "hi"}]}


def get(server, path="/v1/models", **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def ask(server, method="POST", path="/v1/chat/completions", body=HI, **headers):
    """Status, headers in lower case, and body of a request."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, json.dumps(body) if method == "POST" else None, headers)
        response = connection.getresponse()
        text = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        is_json = "json" in found.get("content-type", "")
        return response.status, found, json.loads(text) if is_json else None


def made(server, name="team", **terms):
    """The header that holds a new key."""
    return {"Authorization": f"Bearer {server.keys.create(name, **terms)[1].reveal()}"}


def test_without_a_key_loopback_is_open(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        assert get(server)[0] == 200


def test_with_a_key_every_request_needs_one_until_it_is_revoked(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, secret = server.keys.create("laptop")
        _, other = server.keys.create("other")
        bearer = {"Authorization": f"Bearer {secret.reveal()}"}
        assert get(server)[0] == 401
        assert get(server, Authorization="Bearer isk-wrong")[0] == 401
        assert get(server, Authorization=f"Basic {secret.reveal()}")[0] == 401
        assert get(server, **bearer)[0] == 200
        assert get(server, "/health")[0] == 200
        server.keys.revoke("laptop")
        status, body = get(server, **bearer)
        assert status == 401
        assert body["error"]["code"] == "invalid_api_key"
        assert get(server, Authorization=f"bearer {other.reveal()}")[0] == 200


def test_the_key_in_the_run_file_opens_the_server_to_its_owner(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        server.keys.create("laptop")
        assert get(server, Authorization=f"Bearer {server.run.key}")[0] == 200


def test_a_key_may_come_as_anthropics_and_azures_clients_send_it(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, secret = server.keys.create("laptop")
        for name in ("x_api_key", "api_key"):
            assert ask(server, **{name: secret.reveal()})[0] == 200
            assert ask(server, **{name: secret.reveal()[:-1] + "!"})[0] == 401
        # A proxy's own credentials beside it do no harm.
        assert ask(server, Authorization="Bearer proxy", x_api_key=secret.reveal())[0] == 200


def test_a_key_opens_what_its_scopes_say(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        infer, manage = made(server), made(server, "operator", scopes=("manage",))
        both = made(server, "both", scopes=("infer", "manage"))
        assert ask(server, **infer)[0] == ask(server, **both)[0] == 200
        status, _, body = ask(server, **manage)
        assert (status, body["error"]["code"]) == (403, "scope_missing")
        for path in ("/isthmus/models", "/isthmus/anything", "/api/pull", "/api/delete", "/api/copy"):
            status, _, body = ask(server, "GET", path, **infer)
            assert status == 403, path
            assert "manage" in (body["error"] if path.startswith("/api") else body["error"]["hint"])
            assert ask(server, "GET", path, **manage)[0] in (200, 404, 405)
        assert get(server, "/isthmus/models", **both)[0] == 200


def test_a_keys_requests_a_minute_are_counted_exactly(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        team = made(server, limits=KeyLimits(rpm=5))
        with ThreadPoolExecutor(10) as threads:
            answers = list(threads.map(lambda _: ask(server, **team), range(20)))
        assert sorted(status for status, _, _ in answers) == [200] * 5 + [429] * 15
        for status, headers, body in answers:
            assert headers["x-ratelimit-limit-requests"] == "5"
            if status == 429:
                assert 1 <= int(headers["retry-after"]) <= 12
                assert (body["error"]["code"], body["error"]["type"]) == (
                    "rate_limit_exceeded",
                    "rate_limit_error",
                )
        assert ask(server, "GET", "/v1/models", body=None, **team)[0] == 200  # asks for no work
        status, _, body = ask(server, path="/v1/messages", **team)
        assert (status, body["error"]["type"]) == (429, "rate_limit_error")


def test_a_keys_tokens_are_counted_once_they_are_known(serving):
    hundred = [TextDelta("Hello"), Finish("stop", Usage(60, 40))]
    with serving(ScriptedEngine(hundred)) as server:
        team = made(server, limits=KeyLimits(tpm=250, tokens_day=1000))
        for left in (150, 50):
            assert ask(server, **team)[0] == 200
            headers = ask(server, path="/v1/nothing", **team)[1]
            assert int(headers["x-ratelimit-remaining-tokens"]) in range(left - 14, left + 2)
        assert ask(server, **team)[0] == 200
        status, headers, body = ask(server, **team)
        assert status == 429
        assert "250 tokens a minute" in body["error"]["message"]
        assert int(headers["retry-after"]) > 5


def test_limits_that_are_changed_elsewhere_count_from_the_next_request_on(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        team = made(server)
        assert [ask(server, **team)[0] for _ in range(3)] == [200] * 3
        elsewhere = open_database(server.settings.ledger_path)
        Keys(elsewhere).limit("team", KeyLimits(rpm=1))
        elsewhere.dispose()
        assert [ask(server, **team)[0] for _ in range(2)] == [200, 429]


def test_the_owner_is_not_limited(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        owner = {"Authorization": f"Bearer {server.run.key}"}
        made(server, limits=KeyLimits(rpm=1))
        assert [ask(server, **owner)[0] for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4774", "127.0.0.1.evil.example", ""])
def test_a_rebound_host_name_is_turned_away(serving, host):
    with serving(ScriptedEngine(HELLO)) as server:
        status, body = get(server, Host=host)
    assert (status, body["error"]["code"]) == (403, "foreign_origin")


def test_pages_of_other_origins_are_turned_away_and_its_own_are_not(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for origin in ("https://evil.example", "null", f"http://localhost:{server.port}"):
            assert get(server, Origin=origin)[0] == 403
        assert get(server, Origin=f"http://127.0.0.1:{server.port}")[0] == 200
        for name in ("localhost", "[::1]"):
            assert get(server, Host=f"{name}:{server.port}")[0] == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("Host", each)
            for each in ("[", "[::1", "]", "a:b:c", "127.0.0.1:x:y", "%00", "\xff\xfe", "x" * 9000)
        ),
        *(("Origin", each) for each in ("http://[", "://", "null null", "\xff", "http://127.0.0.1:99999999")),
        *(
            ("Authorization", each)
            for each in ("", "Bearer", "Bearer  ", "Bearer \xff\xfe", "isk-", "B " * 4000)
        ),
        ("x-api-key", "\xff" * 43),
        ("x-api-key", "isk-" + "\xb2" * 43),
        ("x-request-id", "\xff\xfe"),
        ("traceparent", "00-" + "\xff" * 32),
    ],
)
def test_no_header_is_too_strange_to_be_judged(serving, name, value):
    with serving(ScriptedEngine(HELLO)) as server:
        made(server)
        assert ask(server, **{name: value})[0] in (401, 403)
        assert ask(server, "OPTIONS", **{name: value})[0] in (401, 403)


def test_a_server_goes_by_the_names_that_the_settings_add(serving):
    names = {"server__allowed_hosts": ["Isthmus.example"]}
    with serving(ScriptedEngine(HELLO), **names) as server:
        assert get(server, Host="isthmus.example")[0] == 200
        assert get(server, Host="ISTHMUS.example:443")[0] == 200
        assert get(server, Host="other.example")[0] == 403
        assert get(server, Host="127.0.0.1")[0] == 200


def test_a_public_address_needs_a_key(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    with pytest.raises(ServerError, match="needs a key"):
        take_address("0.0.0.0", 0, Keys(database))
    database.dispose()


def test_a_taken_port_is_an_error_with_a_hint(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    keys = Keys(database)
    with take_address("127.0.0.1", 0, keys) as first:
        port = first.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1 is in use") as taken:
            take_address("127.0.0.1", port, keys)
    assert taken.value.hint == f"isthmus serve --port {port + 1}"
    database.dispose()


def test_the_run_file_is_private_and_goes_with_the_server(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        path = server.settings.run_file
        assert path.stat().st_mode & 0o777 == 0o600
        assert run_file.read(path) == server.run
        assert server.run.key not in repr(server.run)
    assert not path.exists()
    assert run_file.read(path) is None


def test_a_run_file_that_a_crash_left_is_passed_over(tmp_path, serving):
    with serving(ScriptedEngine(HELLO)) as server:
        path = server.settings.run_file
        left = path.read_bytes()
    path.write_bytes(left)
    assert run_file.read(path) is None
    path.write_bytes(b"{")
    assert run_file.read(path) is None
