"""Writes docs/reference from the code: `make docs`. The tests fail where a page is stale."""

import ast
import inspect
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from isthmus import errors, settings
from isthmus.cli.main import app
from isthmus.configuration import variable_for
from isthmus.errors import IsthmusError

REFERENCE = Path(__file__).parent / "reference"
HELP_WIDTH = 80
MADE = "<!-- Made by `make docs`; change the code instead. -->\n\n"


def pages() -> dict[Path, str]:
    """Every generated page with its content."""
    return {
        REFERENCE / "cli.md": MADE + cli_page(),
        REFERENCE / "exit-codes.md": MADE + exit_codes_page(),
        REFERENCE / "settings.md": MADE + settings_page(),
    }


# ---------------------------------------------------------------- cli.md


def cli_page() -> str:
    """The help of every command."""
    parts = ["# The command line\n\nstdout carries data, stderr carries talk. Exit codes: [exit-codes.md](exit-codes.md).\n"]
    for path, text in _helps(cast("TyperGroup", get_command(app)), "isthmus", None):
        parts.append(f"\n## {path}\n\n```text\n{text}\n```\n")
    return "".join(parts)


def _helps(
    command: TyperCommand | TyperGroup, name: str, parent: typer.Context | None
) -> Iterator[tuple[str, str]]:
    context = typer.Context(command, info_name=name, parent=parent, terminal_width=HELP_WIDTH)
    yield context.command_path, "\n".join(line.rstrip() for line in context.get_help().splitlines())
    if isinstance(command, TyperGroup):
        for each in command.list_commands(context):
            child = command.get_command(context, each)
            yield from _helps(cast("TyperCommand | TyperGroup", child), each, context)


# ---------------------------------------------------------------- exit-codes.md


def exit_codes_page() -> str:
    """The error tree as a table, by exit code."""
    kinds = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, IsthmusError)]
    rows = [("0", "", "", "", "The command did what it was asked.")]
    for kind in sorted(kinds, key=lambda kind: kind.exit_code):
        meaning = inspect.getdoc(kind) or ""
        rows.append(
            (str(kind.exit_code), kind.__name__, f"`{kind.code}`", str(kind.http_status), meaning.splitlines()[0])
        )
    return (
        "# Exit codes\n\nA command that fails says why on stderr (`error: ...`), and what to type next where there "
        "is something (`hint: ...`).\nA server gives the same errors by their code and HTTP status.\n\n"
        + _table(("Exit code", "Error", "Code", "HTTP", "Meaning"), rows)
    )


# ---------------------------------------------------------------- settings.md


def settings_page() -> str:
    """Every setting: name, type, default, variable, meaning."""
