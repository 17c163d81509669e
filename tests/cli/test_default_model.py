import os
import stat
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.default_model import _with_model, make_default, set_default_model
from isthmus.configuration import load, user_file
from isthmus.errors import SettingsError, StorageError


def test_a_file_that_wasnt_there_is_made(tmp_path):
    file = set_default_model("qwen3:8b")
    assert file == user_file()
    assert load().settings.model == "qwen3:8b"
    assert not stat.S_IMODE(file.stat().st_mode) & 0o002


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'model = "new"\n'),
        ('model = "old"\n', 'model = "new"\n'),
        ("model='old' # mine\neffort = 'low'\n", "model = \"new\"\neffort = 'low'\n"),
        ("# mine\n\neffort = 'low'\n", "model = \"new\"\n# mine\n\neffort = 'low'\n"),
        ("[engine]\nthreads = 2\n", 'model = "new"\n[engine]\nthreads = 2\n'),
        (
            '[providers.big]\nbase_url = "http://x"\nmodel = "large"\n',
            'model = "new"\n[providers.big]\nbase_url = "http://x"\nmodel = "large"\n',
        ),
        ('local_hosts = [\n  "a",\n]\nmodel = "old"\n', 'local_hosts = [\n  "a",\n]\nmodel = "new"\n'),
    ],
)
def test_one_line_changes_and_all_others_stay(tmp_path, before, after):
    file = tmp_path / "isthmus.toml"
    file.write_text(before)
    set_default_model("new", file)
    assert file.read_text() == after


@pytest.mark.parametrize("before", ['"model" = "old"\n', 'system = """\nmodel = 1\n"""\n', "model.x = 1\n"])
def test_what_cant_be_changed_safely_is_left_to_a_person(tmp_path, before):
    file = tmp_path / "isthmus.toml"
    file.write_text(before)
    with pytest.raises(SettingsError, match="person's hand") as caught:
        set_default_model("new", file)
    assert caught.value.hint == 'write model = "new" into it'
    assert file.read_text() == before


def test_a_file_that_isnt_toml_stays_as_it_is(tmp_path):
    file = tmp_path / "isthmus.toml"
    file.write_text("model = \n")
    with pytest.raises(SettingsError, match="not valid TOML"):
        set_default_model("new", file)
    assert file.read_text() == "model = \n"


def test_a_link_to_where_dotfiles_are_kept_stays_one(tmp_path):
    kept, link = tmp_path / "dotfiles.toml", tmp_path / "isthmus.toml"
    kept.write_text("effort = 'low'\n")
    link.symlink_to(kept)
    set_default_model("new", link)
    assert link.is_symlink()
    assert tomllib.loads(kept.read_text()) == {"model": "new", "effort": "low"}


def test_a_folder_that_cant_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        set_default_model("new", tmp_path / "file" / "isthmus.toml")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_any_name_is_quoted(name):
    assert tomllib.loads(_with_model("effort = 'low'\n", name)) == {"model": name, "effort": "low"}


def test_what_stands_in_the_way_is_said(capsys, monkeypatch):
    monkeypatch.setenv("ISTHMUS_MODEL", "other")
    make_default("qwen3:8b")
    said = capsys.readouterr().err
    assert "qwen3:8b answers from now on" in said
    assert "in this folder other answers all the same: ISTHMUS_MODEL says so" in said
    assert os.environ["ISTHMUS_MODEL"] == "other"
