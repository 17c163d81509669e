import pytest
from benchmarks.__main__ import contestants, parsed, run_all
from benchmarks.contestants import LLAMA_CPP_PYTHON


def test_without_words_all_is_measured():
    given = parsed([])
    assert (given.run, given.rounds) == (run_all, 8)


def test_peers_are_those_that_are_there(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert [each.name for each in contestants(parsed(["speed"]), "home")] == ["isthmus", "xllamacpp"]
    given = parsed(["speed", "--llama-cpp-python", "python", "--llama-server", "/bin/llama-server"])
    assert [each.name for each in contestants(given, "home")] == [
        "isthmus",
        "xllamacpp",
        "llama-cpp-python",
        "llama-server",
    ]


def test_a_peer_that_was_asked_for_must_be_there():
    with pytest.raises(SystemExit, match="--llama-cpp-python PATH"):
        contestants(parsed(["speed", "--peers", LLAMA_CPP_PYTHON]), "home")
