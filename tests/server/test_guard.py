"""Who may come in."""

import http.client
import json
from contextlib import closing

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import ServerError
from isthmus.ledger import Keys, open_database
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server import run_file
from isthmus.server.listen import take_address

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]


def get(server, path="/v1/models", **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


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
