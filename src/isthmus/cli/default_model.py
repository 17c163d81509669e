"""Writing down which model answers from now on: one line of the person's own settings file."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from isthmus import configuration
from isthmus.cli import console
from isthmus.configuration import Source, user_file
from isthmus.errors import SettingsError
from isthmus.store.disk import storage_errors, write_atomically

_SETTING = re.compile(r"^model[ \t]*=.*$", re.MULTILINE)
_FIRST_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)


def make_default(name: str) -> None:
    """Make a model the default, and say so; and what stands in the way, if something does."""
    file = set_default_model(name)
    found = configuration.load()
    console.say(f"{name} answers from now on ({file}).")
    if found.settings.model != name:
        source = found.sources.get("model", Source("default"))
        console.note(f"in this folder {found.settings.model} answers all the same: {source} says so")


def set_default_model(name: str, file: Path | None = None) -> Path:
    """Make ``model = "NAME"`` a line of a settings file, and leave all others as they are.

    Args:
        name: The model's name.
        file: The settings file; by default the one in the user's configuration folder.

    Returns:
        The file that was written.

    Raises:
        SettingsError: The file isn't TOML, or is written in a way that a line can't be put into.
        StorageError: It can't be written.
    """
    file = (file or user_file()).resolve()  # a link to where dotfiles are kept stays one
    before = _read(file)
    after = _with_model(before, name)
    if not _says(after, {**tomllib.loads(before), "model": name}):
        raise SettingsError(
            f"{file} is written in a way that can't be changed without a person's hand",
            hint=f'write model = "{name}" into it',
        )
    write_atomically(file, after.encode())
    return file


def _read(file: Path) -> str:
    if not file.exists():
        return ""
    with storage_errors(file):
        text = file.read_text(encoding="utf-8")
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", hint=f"edit {file}") from error
    return text


def _says(text: str, settings: dict[str, Any]) -> bool:
    """Whether a TOML text means these settings."""
    try:
        return tomllib.loads(text) == settings
    except tomllib.TOMLDecodeError:
        return False


def _with_model(text: str, name: str) -> str:
    """The text with the setting in place of the one before, or above everything else."""
    line = f"model = {msgspec.json.encode(name).decode()}"
    table = _FIRST_TABLE.search(text)
    top = text[: table.start()] if table else text
    if _SETTING.search(top):
        return _SETTING.sub(lambda _: line, top, count=1) + text[len(top) :]
    return f"{line}\n{text}"
