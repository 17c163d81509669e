import json

import pytest

from isthmus.messages import Finish, TextDelta, Usage
from tests.engines.played import MIB, PlayedLoader
from tests.server.conftest import serving  # noqa: F401 - a fixture

HELLO = (TextDelta("Hello"), Finish("stop", Usage(1, 1)))
NAMES = ("first", "second:7b")


@pytest.fixture
def server(serving):  # noqa: F811 - the fixture above
    with serving(PlayedLoader(script=HELLO, sizes={"large": 99}), names=(*NAMES, "large"), mib=20) as server:
        yield server


def test_models_are_loaded_shown_and_unloaded(server, isthmus):
    assert isthmus("ps") == (0, "", "0 B of the 21.0 MB that models may take.\n")
    assert isthmus("load", "second:7b") == (0, "", "second:7b is loaded.\n")
    shown = isthmus("ps")
    header, row = shown.out.splitlines()
    assert header.split() == ["NAME", "STATE", "MEMORY", "CONTEXT", "BUSY", "WAITING", "UNTIL"]
    assert row.startswith("second:7b  loaded  10.5 MB  2,048    0 of 8  0        in ")
    assert shown.err == "10.5 MB of the 21.0 MB that models may take.\n"
    assert isthmus("unload", "second:7b") == (0, "", "second:7b is unloaded.\n")
    assert isthmus("unload", "second:7b") == (0, "", "second:7b wasn't loaded.\n")


def test_programs_get_numbers_and_times(server, isthmus):
    isthmus("load", "first")
    loaded = json.loads(isthmus("ps", "--json").out)
    assert (loaded["budget_bytes"], loaded["taken_bytes"]) == (20 * MIB, 10 * MIB)
    (model,) = loaded["models"]
    assert (model["name"], model["state"], model["busy"], model["waiting"]) == ("first", "loaded", 0, 0)
    assert model["until"].endswith(("Z", "+00:00"))


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("secnd:7b", 4, "the nearest is second:7b"),
        ("qwen2.5-coder:1.5b", 4, "hint: isthmus pull qwen2.5-coder:1.5b"),
        ("large", 6, "large takes 99 MiB"),
        ("../../health.gguf", 4, "is not served here"),
    ],
)
def test_what_cannot_be_loaded_ends_as_it_does_elsewhere(server, isthmus, name, code, says):
    done = isthmus("load", name)
    assert done.code == code
    assert says in done.err


def test_the_file_that_is_served_is_known_from_any_folder(serving, isthmus, tmp_path, monkeypatch):  # noqa: F811
    file = tmp_path / "some.gguf"
    with serving(PlayedLoader(script=HELLO), model=str(file)):
        monkeypatch.chdir(tmp_path)
        assert isthmus("load", "./some.gguf").err == "some.gguf is loaded.\n"


def test_nothing_is_managed_where_no_server_runs(isthmus):
    for words in (("ps",), ("load", "first"), ("unload", "first")):
        assert isthmus(*words) == (10, "", "error: no server of yours is running\nhint: isthmus serve\n")
