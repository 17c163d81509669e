"""Changing a few settings of the person's own file, and leaving the rest, comments too, as it is."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from isthmus.configuration import user_file
from isthmus.errors import SettingsError
from isthmus.store.disk import storage_errors, write_atomically


def with_settings(text: str, changes: Mapping[str, Any]) -> str:
    """A TOML text that says something else for some dotted names, and is otherwise the same.

    Raises:
        SettingsError: The text isn't TOML, or one of the names is no table's where it must be.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        for name, value in changes.items():
            *above, last = name.split(".")
            table: Any = document
            for part in above:
                if part not in table:
                    table[part] = tomlkit.table(is_super_table=part != above[-1])
                table = table[part]
            if last not in table or not _same(table[last], value):
                table[last] = tomlkit.value(str(value)) if isinstance(value, Decimal) else value
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, AttributeError) as error:
        raise SettingsError(f"the settings can't be changed: {error}") from error


def change_settings(changes: Mapping[str, Any], file: Path | None = None) -> tuple[Path, bool]:
    """Write some settings down, by their dotted names.

    Args:
        changes: What they are to be.
        file: The settings file; by default the one in the user's configuration folder.

    Returns:
        The file, and whether anything in it had to change.

    Raises:
        SettingsError: The file isn't TOML, or is written in a way that can't be changed so.
        StorageError: It can't be written.
    """
    file = (file or user_file()).resolve()  # a link to where dotfiles are kept stays one
    before = ""
    if file.exists():
        with storage_errors(file):
            before = file.read_text(encoding="utf-8")
    after = with_settings(before, changes)
    _require(after, changes, file)
    if after == before:
        return file, False
    write_atomically(file, after.encode())
    return file, True


def _require(text: str, changes: Mapping[str, Any], file: Path) -> None:
    """What was written must read as it was meant."""
    try:
        tree: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", hint=f"edit {file}") from error
    for name, value in changes.items():
        if not _same(_value(tree, name), value):
            raise SettingsError(
                f"{file} is written in a way that can't be changed without a person's hand",
                hint=f"write {name} into it",
            )


def _value(tree: dict[str, Any], name: str) -> Any:
    """What a dotted name says in a tree; None where it says nothing."""
    *above, last = name.split(".")
    for part in above:
        tree = tree.get(part, {})
    return tree.get(last)


def _same(there: Any, value: Any) -> bool:
    """Whether a value of a file is the one that was meant; amounts of dollars are numbers there."""
    if isinstance(value, Decimal) and there is not None:
        return Decimal(str(there)) == value
    return there == value
