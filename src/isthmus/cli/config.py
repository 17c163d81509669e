"""``isthmus config``: the settings as they are, and where each of them came from."""

from decimal import Decimal
from typing import Any

import msgspec

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.groups import new_group
from isthmus.cli.options import Json
from isthmus.configuration import Configuration, Source, leaves
from isthmus.settings import without_credentials

app = new_group()


@app.callback()
def config() -> None:
    """See the settings, and where each of them came from."""


@app.command()
def show(as_json: Json = False) -> None:
    """Show every setting's value and where it came from.

    A provider's key is never shown, only whether its variable is set.
    """
    found = configuration.load()
    if as_json:
        console.write_json(_as_tree(found))
        return
    rows = [(name, _literal(value) + _remark(name, found), source) for name, value, source in _lines(found)]
    console.write_table(("SETTING", "VALUE", "FROM"), rows)
    if not found.files:
        console.say(f"No isthmus.toml was found in this folder or at {configuration.user_file()}.")


def _lines(found: Configuration) -> list[tuple[str, Any, str]]:
    default = Source("default")
    return [
        (name, _shown(value), str(found.sources.get(name, default))) for name, value in leaves(found.settings)
    ]


def _as_tree(found: Configuration) -> dict[str, Any]:
    return {
        "files": found.files,
        "settings": {name: {"value": value, "from": source} for name, value, source in _lines(found)},
        "keys": {
            name: {"variable": provider.key_env, "set": name in found.keys}
            for name, provider in found.settings.providers.items()
            if provider.key_env
        },
    }


def _literal(value: Any) -> str:
    """A value as it stands in TOML; the absence of one as a word."""
    if value is None:
        return "unset"
    return str(value) if isinstance(value, Decimal) else msgspec.json.encode(value).decode()


def _remark(name: str, found: Configuration) -> str:
    """Whether the variable that a provider's ``key_env`` names is set."""
    above, _, last = name.rpartition(".")
    provider = above.removeprefix("providers.")
    if last != "key_env" or found.settings.providers[provider].key_env is None:
        return ""
    return " (set)" if provider in found.keys else " (not set)"


def _shown(value: Any) -> Any:
    return without_credentials(value) if isinstance(value, str) else value
