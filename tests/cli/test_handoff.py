import pytest

from isthmus.cli.groups import load
from isthmus.cli.handoff import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_summary_is_the_first_line_of_the_commands_docstring(name):
    command = load(name, COMMANDS[name])
    assert command.help is not None
    assert COMMANDS[name].summary == command.help.strip().splitlines()[0]


def test_help_lists_the_commands(isthmus):
    shown = isthmus("handoff", "--help")
    assert shown.code == 0
    assert all(f"  {name} " in shown.out for name in COMMANDS)
