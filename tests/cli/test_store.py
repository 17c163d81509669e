import json
from pathlib import Path

import pytest

from isthmus.store.locks import exclusive
from isthmus.store.store import Store
from tests.store.samples import gguf_bytes, split_gguf


@pytest.fixture
def store(home, tmp_path) -> Store:
    """A store with a model in a file and one in two."""
    path = tmp_path / "some.gguf"
    path.write_bytes(gguf_bytes())
    store = Store(home)
    store.add_file(path, "mine:7b")
    store.add_file(split_gguf(tmp_path / "split", 2)[0], "big")
    path.unlink()
    return store


def damage(store: Store, name: str) -> Path:
    model = next(model for model in store.models() if model.name == name)
    model.path.write_bytes(gguf_bytes(fill=9))
    return model.path


# ---------------------------------------------------------------- check


def test_a_whole_store(isthmus, store):
    checked = isthmus("store", "check")
    assert checked.code == 0
    assert [line.split() for line in checked.out.splitlines()] == [
        ["NAME", "STATE"],
        ["big", "whole"],
        ["mine:7b", "whole"],
    ]
    report = json.loads(isthmus("store", "check", "--json").out)
    assert report["whole"] == ["big", "mine:7b"]
    assert report["checked_bytes"] == sum(model.total_bytes for model in store.models())
    assert (report["damage"], report["leftovers"]) == ([], [])


def test_an_empty_store(isthmus):
    checked = isthmus("store", "check")
    assert (checked.code, checked.out) == (0, "")


def test_damage_ends_with_code_4_and_what_to_type(isthmus, store, tmp_path):
    damage(store, "mine:7b")
    checked = isthmus("store", "check")
    assert checked.code == 4
    assert ["mine:7b", "damaged"] in [line.split() for line in checked.out.splitlines()]
    assert "the weights of mine:7b have been changed since they were pulled" in checked.err
    assert "error: 1 model is damaged" in checked.err
    hint = f"hint: isthmus rm mine:7b && isthmus pull {tmp_path}/some.gguf --name mine:7b"
    assert checked.err.splitlines()[-1] == hint

    report = isthmus("store", "check", "--json")
    assert report.code == 4
    assert [finding["name"] for finding in json.loads(report.out)["damage"]] == ["mine:7b"]


def test_one_model_is_checked_by_its_name(isthmus, store):
    damage(store, "mine:7b")
    assert isthmus("store", "check", "big").code == 0
    assert isthmus("store", "check", "mine:7b").code == 4
    assert isthmus("store", "check", "nothing").code == 4
    assert isthmus("store", "check", "./file.gguf").code == 2


def test_what_the_hint_says_puts_it_right(isthmus, store, tmp_path):
    damage(store, "mine:7b")
    (tmp_path / "some.gguf").write_bytes(gguf_bytes())
    assert isthmus("rm", "mine:7b").code == 0
    assert isthmus("pull", str(tmp_path / "some.gguf"), "--name", "mine:7b").code == 0
    assert isthmus("store", "check").code == 0


def test_ctrl_c_ends_a_check_and_harms_nothing(isthmus, store, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("isthmus.store.upkeep.hash_file", interrupt)
        assert isthmus("store", "check").code == 130
    assert isthmus("store", "check").code == 0


# ---------------------------------------------------------------- gc


def test_gc_says_what_goes_and_how_much(isthmus, store):
    part = store.partial / f"sha256-{'1' * 64}.part"
    part.write_bytes(bytes(5000))
    assert "1 leftover (5.0 kB) is of no use" in isthmus("store", "check").err

    would = isthmus("store", "gc", "--dry-run")
    assert (would.code, part.exists()) == (0, True)
    assert str(part) in would.out
    assert "would be freed" in would.err
    with exclusive(store.lock_of(part)):
        assert isthmus("store", "gc").out == ""
    done = json.loads(isthmus("store", "gc", "--json").out)
    assert (done["freed_bytes"], [each["path"] for each in done["removed"]]) == (5000, [str(part)])
    assert not part.exists()
    assert "nothing to remove" in isthmus("store", "gc").err
    assert isthmus("store", "check").code == 0


def test_gc_says_why_weights_are_kept(isthmus, store):
    (store.home / "models" / "big" / "latest.json").write_bytes(b"?")
    kept = isthmus("store", "gc")
    assert kept.code == 0
    assert "weights without a name are kept" in kept.err
    assert "hint: isthmus rm big" in kept.err


# ---------------------------------------------------------------- path


def test_path_is_one_line_for_a_shell(isthmus, store):
    assert isthmus("store", "path").out == f"{store.home}\n"
    places = json.loads(isthmus("store", "path", "--json").out)
    assert places["blobs"] == str(store.blobs)


def test_a_models_files_one_a_line(isthmus, store):
    big, mine = store.models()
    assert isthmus("store", "path", "mine:7b").out == f"{mine.path}\n"
    assert isthmus("store", "path", "big").out.splitlines() == [str(path) for path in big.paths]
    assert json.loads(isthmus("store", "path", "big", "--json").out) == [str(path) for path in big.paths]
    assert isthmus("store", "path", "nothing").code == 4


def test_a_split_model_is_listed_and_shown_as_one(isthmus, store):
    big = next(model for model in store.models() if model.name == "big")
    listed = json.loads(isthmus("list", "--json").out)["models"]
    assert {model["name"]: model["size_bytes"] for model in listed}["big"] == big.total_bytes
    shown = isthmus("show", "big")
    assert shown.code == 0
    assert f"{big.total_bytes:,} bytes" in shown.out
