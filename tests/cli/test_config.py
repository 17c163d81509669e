import json
from pathlib import Path

import pytest

SETTINGS = """\
system = "Be brief."

[handoff]
mode = "ask"
provider = "upstream"

[providers.upstream]
base_url = "https://me:hunter2@api.example.org/v1"
model = "large"
key_env = "UPSTREAM_KEY"
"""


@pytest.fixture
def settings_file(home):
    file = Path("isthmus.toml").absolute()
    file.write_text(SETTINGS)
    return file


def line(shown, name):
    (found,) = [each for each in shown.out.splitlines() if each.split()[:1] == [name]]
    return found


def test_each_value_is_shown_with_its_source(isthmus, settings_file, monkeypatch, home):
    monkeypatch.setenv("ISTHMUS_SERVER_PORT", "5000")
    shown = isthmus("config", "show")
    assert shown.code == 0
    assert line(shown, "system").endswith(f"{settings_file}:1")
    assert '"Be brief."' in line(shown, "system")
    assert line(shown, "server.port").split() == ["server.port", "5000", "ISTHMUS_SERVER_PORT"]
    assert line(shown, "home").split() == ["home", json.dumps(str(home)), "ISTHMUS_HOME"]
    assert line(shown, "temperature").split() == ["temperature", "unset", "default"]


@pytest.mark.parametrize("words", [("config", "show"), ("config", "show", "--json")])
def test_no_secret_is_shown_but_whether_it_is_set(isthmus, settings_file, monkeypatch, words):
    without = isthmus(*words)
    monkeypatch.setenv("UPSTREAM_KEY", "sk-secret")
    having = isthmus(*words)
    for shown in (without, having):
        assert "sk-secret" not in shown.out + shown.err
        assert "hunter2" not in shown.out + shown.err
        assert "UPSTREAM_KEY" in shown.out
    assert without.out != having.out


def test_whether_a_key_is_set_is_said_beside_its_variable(isthmus, settings_file, monkeypatch):
    assert '"UPSTREAM_KEY" (not set)' in line(isthmus("config", "show"), "providers.upstream.key_env")
    monkeypatch.setenv("UPSTREAM_KEY", "sk-secret")
    assert '"UPSTREAM_KEY" (set)' in line(isthmus("config", "show"), "providers.upstream.key_env")


def test_json_names_files_settings_and_keys(isthmus, settings_file):
    shown = json.loads(isthmus("config", "show", "--json").out)
    assert shown["files"] == [str(settings_file)]
    assert shown["settings"]["handoff.mode"] == {"value": "ask", "from": f"{settings_file}:4"}
    assert shown["settings"]["providers.upstream.base_url"]["value"] == "https://***@api.example.org/v1"
    assert shown["keys"] == {"upstream": {"variable": "UPSTREAM_KEY", "set": False}}


def test_without_a_file_it_says_where_one_may_stand(isthmus):
    shown = isthmus("config", "show")
    assert "isthmus.toml" in shown.err
    assert "isthmus.toml" not in shown.out


def test_bad_toml_is_told_with_its_line(isthmus, settings_file):
    settings_file.write_text('model = "m"\nport =\n')
    shown = isthmus("config", "show")
    assert shown.code == 3
    assert shown.err.startswith(f"error: {settings_file} is not valid TOML")
    assert "line 2" in shown.err
    assert "Traceback" not in shown.err


def test_debug_shows_the_traceback_wherever_it_stands(isthmus, settings_file):
    settings_file.write_text("port =\n")
    for words in (("--debug", "config", "show"), ("config", "show", "--debug")):
        shown = isthmus(*words)
        assert shown.code == 3
        assert "Traceback" in shown.err
        assert f"error: {settings_file} is not valid TOML" in shown.err
