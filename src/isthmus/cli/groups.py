"""Groups of commands: loaded when called, helpful when misspelt.

Importing a command's module costs what the command needs (an HTTP client, a database). So the top
group knows its commands from a table, prints its help from that table, and imports a module only to
run, describe or complete its own command.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from isthmus.cli.extras import Extra
from isthmus.errors import UsageError

Command = TyperCommand | TyperGroup


class Entry(NamedTuple):
    """A line of the table: ``module:attribute`` of a function or `typer.Typer`, and its one-line summary."""

    target: str
    summary: str


def load(name: str, entry: Entry) -> Command:
    """Import a command's module and build the command."""
    module, _, attribute = entry.target.partition(":")
    target = getattr(import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(target)
        target = app
    return cast("Command", get_command(target))


class Group(TyperGroup):
    """A group that shows its help where no command is given, and names the nearest where it is unknown."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the help where nothing was typed."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first word names.

        Raises:
            UsageError: There is none.
        """
        names = self.list_commands(ctx)
        if args[0] not in names and not ctx.resilient_parsing:
            raise _unknown(args[0], names, ctx.command_path)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group whose commands are named by a table and imported one by one, when called for.

    ``needs`` is the extra without which none of them can be imported.
    """

    entries: ClassVar[Mapping[str, Entry]] = {}
    needs: ClassVar[Extra | None] = None

    def list_commands(self, ctx: object) -> list[str]:
        """The names, in the table's order."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Command | None:
        """The command of that name, imported now.

        Raises:
            UsageError: What it needs isn't installed; a shell that completes a line is told nothing.
        """
        entry = self.entries.get(cmd_name)
        if entry and self.needs and not self.needs.installed:
            if ctx.resilient_parsing:
                return None
            self.needs.require()
        return load(cmd_name, entry) if entry else None

    def format_commands(self, ctx: object, formatter: Any) -> None:
        """Write the help's list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])


def new_group(kind: type[Group] = Group, *, completion: bool = False) -> typer.Typer:
    """A Typer application in the manner of this command line; its help is its callback's docstring."""
    return typer.Typer(
        cls=kind,
        add_completion=completion,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,  # plain help: Rich would double the time that it takes
        pretty_exceptions_enable=False,
    )


def _unknown(word: str, names: list[str], path: str) -> UsageError:
    from isthmus.naming import closest  # needs msgspec, which a correct command line may do without

    near = closest(word, names)
    return UsageError(
        f"{path} has no command {word!r}",
        hint=f"did you mean {path} {near}?" if near else f"{path} --help",
    )
