"""Writes docs/reference from the code: `make docs`. A test fails where a page is stale."""

import ast
import builtins
import inspect
import itertools
import types
import typing
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import msgspec
import typer
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from isthmus import errors
from isthmus.cli.groups import Command
from isthmus.cli.main import app
from isthmus.configuration import HARD_SWITCHES, variable_for
from isthmus.errors import IsthmusError
from isthmus.settings import Settings

REFERENCE = Path(__file__).parent / "reference"


def main() -> None:
    """Write every page."""
    for name in PAGES:
        (REFERENCE / name).write_text(render(name), encoding="utf-8")


def render(name: str) -> str:
    """A page as its file should be."""
    return f"<!-- Made by `make docs`: change the code instead. -->\n\n{PAGES[name]()}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


# ---------------------------------------------------------------- cli.md


def cli_page() -> str:
    """Every command with its arguments and options: what `--help` says, but for Typer's way of setting it."""
    introduction = (
        "# The command line\n\n"
        "Data goes to stdout, talk to stderr. The [exit codes](exit-codes.md) are part of the interface, "
        "and a flag wins over the [setting](settings.md) of the same name. "
        "`--help` works after every command.\n"
    )
    return introduction + "".join(_command_sections(cast("TyperGroup", get_command(app)), "isthmus", None))


def _command_sections(command: Command, name: str, parent: typer.Context | None) -> Iterator[str]:
    context = typer.Context(command, info_name=name, parent=parent)
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    options = [each for each in command.params if isinstance(each, TyperOption)]
    rows = [(f"`{_argument(each)}`", each.help or "") for each in arguments]
    rows += [(f"`{_option(each)}`", (each.help or "") + _default(each)) for each in options]
    words = ["[OPTIONS]"] * bool(options) + [_argument(each) for each in arguments]
    if isinstance(command, TyperGroup):
        words.append("COMMAND")
    yield f"\n## {context.command_path}\n\n```text\n{' '.join((context.command_path, *words))}\n```\n"
    yield f"\n{inspect.cleandoc(command.help or '')}\n"
    if rows:
        yield "\n" + table(("Argument or option", "Meaning"), rows)
    if isinstance(command, TyperGroup):
        for each in command.list_commands(context):
            yield from _command_sections(cast("Command", command.get_command(context, each)), each, context)


def _argument(argument: TyperArgument) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: TyperOption) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def _default(option: TyperOption) -> str:
    return "" if option.is_flag or option.default is None else f" Default: {option.default}."


# ---------------------------------------------------------------- exit-codes.md


def exit_codes_page() -> str:
    """The error tree, by exit code."""
    kinds = [
        each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, IsthmusError)
    ]
    kinds.sort(key=lambda kind: kind.exit_code)
    rows = [(str(kind.exit_code), f"`{kind.code}`", str(kind.http_status), _meaning(kind)) for kind in kinds]
    introduction = (
        "# Exit codes\n\n"
        "A command that fails says on stderr what went wrong (`error: ...`) and, where there is something, "
        "what to type next (`hint: ...`). 0 means that it did what it was asked. The server answers the "
        "same errors with their code and HTTP status.\n\n"
    )
    return introduction + table(("Exit code", "Code", "HTTP status", "Meaning"), rows)


def _meaning(kind: type[IsthmusError]) -> str:
    if kind is IsthmusError:
        return "Something unexpected went wrong inside Isthmus; `--debug` shows where."
    return (inspect.getdoc(kind) or "").partition("\n")[0]


# ---------------------------------------------------------------- settings.md


def settings_page() -> str:
    """Every setting: its name, type, default, variable and meaning."""
    switches = " and ".join(f"`{name}`" for name in HARD_SWITCHES)
    introduction = (
        "# Settings\n\n"
        "Later wins over earlier: the default, `isthmus.toml` in the user's configuration folder, "
        "`isthmus.toml` in the working folder, the variable, the flag. "
        f"But {switches} stay true once anything made them so. "
        "`isthmus config show` says what holds and where it came from.\n"
    )
    return introduction + "".join(_settings_section(*each) for each in _tables("", Settings))


def _settings_section(path: str, kind: type[Struct], fields: list[FieldInfo]) -> str:
    _, _, about = (inspect.getdoc(kind) or "").rpartition("]: ")
    meanings = _meanings(kind)
    rows = [_setting(path, field, meanings[field.name]) for field in fields]
    return f"\n## {f'[{path}]' if path else 'Top level'}\n\n{about[0].upper()}{about[1:]}\n\n" + table(
        ("Name", "Type", "Default", "Variable", "Meaning"), rows
    )


def _tables(path: str, kind: type[Struct]) -> Iterator[tuple[str, type[Struct], list[FieldInfo]]]:
    """Every table of the settings file: its name, its class, its own fields; in the file's order."""
    plain: list[FieldInfo] = []
    below: list[tuple[str, type[Struct]]] = []
    for field in msgspec.structs.fields(kind):
        name = f"{path}.{field.name}".lstrip(".")
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            below.append((name, field.type))
        elif get_origin(field.type) is dict and isinstance(each := get_args(field.type)[1], type(Struct)):
            below.append((f"{name}.NAME", each))
        else:
            plain.append(field)
    yield path, kind, plain
    for name, each in below:
        yield from _tables(name, each)


def _setting(path: str, field: FieldInfo, meaning: str) -> tuple[str, ...]:
    made = field.default_factory is not msgspec.NODEFAULT
    default = "" if field.required else _literal(field.default_factory() if made else field.default)
    several = path.startswith("providers") or get_origin(field.type) is dict
    variable = "" if several else f"`{variable_for(f'{path}.{field.name}'.lstrip('.'))}`"
    return f"`{field.name}`", _type(field.type), default, variable, meaning


def _literal(value: Any) -> str:
    return "unset" if value in (None, "") else f"`{msgspec.json.encode(value).decode()}`"


def _type(hint: Any) -> str:
    """A type as a person reads it: ``integer ≥ 1``, `` `off` or `ask` ``."""
    names = {bool: "true or false", int: "integer", float: "number", str: "text", Decimal: "dollars"}
    if hint in names:
        return names[hint]
    first, *rest = get_args(hint)
    match get_origin(hint):
        case typing.Annotated:
            return f"{_type(first)} {_bounds(rest[0])}"
        case typing.Literal:
            return " or ".join(f"`{value}`" for value in (first, *rest))
        case types.UnionType | typing.Union:
            return " or ".join(_type(each) for each in (first, *rest) if each is not type(None))
        case builtins.dict:
            return f"table of {_type(rest[0])}"
        case builtins.tuple:
            return f"list of {_type(first)}"
        case _:
            raise TypeError(f"no words for the type {hint}")


def _bounds(meta: Meta) -> str:
    signs = {">": meta.gt, "≥": meta.ge, "≤": meta.le}
    return ", ".join(f"{sign} {bound}" for sign, bound in signs.items() if bound is not None)


def _meanings(kind: type) -> dict[str, str]:
    """The docstrings that follow a class's attributes. Python forgets them, so the source is read.

    Raises:
        KeyError: Looking up an attribute that has none: every setting needs one.
    """
    (tree,) = ast.parse(inspect.getsource(kind)).body
    found: dict[str, str] = {}
    for statement, following in itertools.pairwise(cast("ast.ClassDef", tree).body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found


PAGES = {"cli.md": cli_page, "exit-codes.md": exit_codes_page, "settings.md": settings_page}

if __name__ == "__main__":
    main()
