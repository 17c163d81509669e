import sys
from typing import ClassVar

import pytest
import typer

from isthmus.cli.groups import Entry, Group, LazyGroup, load, new_group
from isthmus.errors import UsageError


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A table of two commands; importing the broken one's module fails."""
    (tmp_path / "greeting.py").write_text('def greet() -> None:\n    "Greet."\n    print("hello")\n')
    (tmp_path / "broken.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "greeting", raising=False)

    class Table(LazyGroup):
        entries: ClassVar = {
            "greet": Entry("greeting:greet", "Greet."),
            "break": Entry("broken:stop", "Break."),
        }

    app = new_group(Table)
    app.callback()(lambda: None)
    return typer.main.get_command(app)


def test_only_the_called_command_is_imported(commands, capsys):
    commands.main(["greet"], prog_name="test", standalone_mode=False)
    assert capsys.readouterr().out == "hello\n"


def test_help_imports_no_command(commands, capsys):
    commands.main(["--help"], prog_name="test", standalone_mode=False)
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()[-2:]] == [["greet", "Greet."], ["break", "Break."]]
    assert "greeting" not in sys.modules


def test_an_unknown_command_is_a_usage_error(commands):
    with pytest.raises(UsageError) as raised:
        commands.main(["gret"], prog_name="test", standalone_mode=False)
    assert raised.value.hint == "did you mean test greet?"


def test_a_target_may_be_a_group():
    group = load("key", Entry("isthmus.cli.keys:app", "Keys."))
    assert isinstance(group, Group)
    assert set(group.commands) == {"create", "limit", "list", "revoke"}
