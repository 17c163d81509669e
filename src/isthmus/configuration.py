"""Finding and merging the settings: file by file, variable by variable, flag by flag, each with its source.

Order, later over earlier: built-in values; ``isthmus.toml`` in the user's configuration folder;
``isthmus.toml`` in the working folder; ``ISTHMUS_*`` variables; flags. The two hard switches
(``offline``, ``handoff.local_only``) only tighten: once true in any layer they stay true.
See docs/decisions/0002-settings-are-layered.md.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import platformdirs
from msgspec import Struct

from isthmus.errors import SettingsError
from isthmus.naming import closest
from isthmus.settings import LOOPBACK, ProviderSettings, Secret, Settings

FILE_NAME = "isthmus.toml"
PREFIX = "ISTHMUS_"
HARD_SWITCHES = ("offline", "handoff.local_only")

Path_ = tuple[str, ...]


class Source(Struct, frozen=True):
    """Where a value came from: a file and line, a variable, a flag, or nowhere (the built-in value)."""

    kind: str
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.kind == "file":
            return f"{self.name}:{self.line}" if self.line else self.name
        return {"default": "default", "variable": self.name, "flag": f"flag {self.name}"}[self.kind]


class Configuration(Struct, frozen=True):
    """The settings, where each of them came from, and the keys of the providers."""

    settings: Settings
    sources: dict[str, Source]
    files: tuple[Path, ...]
    keys: dict[str, Secret]


def user_file() -> Path:
    """The settings file in the user's configuration folder."""
    return Path(platformdirs.user_config_dir("isthmus", appauthor=False)) / FILE_NAME


def load(
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user: Path | None = None,
) -> Configuration:
    """Read all layers and check the result.

    Args:
        flags: Dotted names to values, from the command line; None values are passed over.
        environ: The environment; the process's own by default.
        folder: The working folder.
        user: The user's settings file.

    Raises:
        SettingsError: A file that isn't TOML (with its line), an unknown name, a value out of range, a
            provider that doesn't exist.
    """
    environ = os.environ if environ is None else environ
    files = [f for f in (user or user_file(), (folder or Path.cwd()) / FILE_NAME) if f.is_file()]
    layers = [_read_file(file) for file in files]
    layers.append(_read_environment(environ))
    layers.append(
        {name: (value, Source("flag", name)) for name, value in (flags or {}).items() if value is not None}
    )

    merged: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for layer in layers:
        for name, (value, source) in layer.items():
            if name in HARD_SWITCHES and _lookup(merged, name) is True:
                continue
            _assign(merged, name, value)
            sources[name] = source
    merged.setdefault("home", platformdirs.user_data_dir("isthmus", appauthor=False))
    merged["home"] = str(Path(str(merged["home"])).expanduser().absolute())

    settings = _convert(merged, sources)
    _check(settings, sources)
    keys = {
        name: Secret(environ[each.key_env].strip())
        for name, each in settings.providers.items()
        if each.key_env and environ.get(each.key_env, "").strip()
    }
    return Configuration(settings, sources, tuple(files), keys)


def leaves(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting's dotted name with its value, in the order of the classes."""
    yield from _leaves(settings, ())


def variable_for(name: str) -> str:
    """The environment variable that sets a dotted name."""
    return PREFIX + name.replace(".", "_").upper()


# ---------------------------------------------------------------- layers

_Layer = dict[str, tuple[Any, Source]]


def _read_file(file: Path) -> _Layer:
    text = ""
    try:
        text = file.read_text(encoding="utf-8")
        _refuse_strangers_file(file)
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = f"(at line {len(text.splitlines())}, the last)"
        message = _lower(str(error)).replace("(at end of document)", where)
        raise SettingsError(f"{file} is not valid TOML: {message}", hint=f"edit {file}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} can't be read: {error}") from error
    layer: _Layer = {}
    for path, value in _flatten(tree, ()):
        if any("." in part for part in path):
            raise SettingsError(
                f"{file}:{_line_of(text, path)}: names of settings and providers hold no dots"
            )
        layer[".".join(path)] = (value, Source("file", str(file), _line_of(text, path)))
    return layer


def _refuse_strangers_file(file: Path) -> None:
    """A settings file decides what leaves the machine, so it must be the person's own."""
    if not hasattr(os, "getuid"):
        return
    status = file.stat()
    if status.st_uid not in (os.getuid(), 0) or status.st_mode & 0o002:
        raise SettingsError(
            f"{file} belongs to someone else or can be written by anyone, so it isn't trusted",
            hint=f"chown $USER {file} && chmod o-w {file}",
        )


def _read_environment(environ: Mapping[str, str]) -> _Layer:
    names = {variable_for(name): name for name, _ in leaves(Settings()) if not name.startswith("providers")}
    layer: _Layer = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in names:
            near = closest(variable, names)
            raise SettingsError(
                f"{variable} is not a setting",
                hint=f"did you mean {near}?" if near else "isthmus config show",
            )
        layer[names[variable]] = (_from_text(names[variable], value), Source("variable", variable))
    return layer


def _from_text(name: str, value: str) -> Any:
    """A variable's text as the TOML value it stands for; lists are separated by commas."""
    if name == "local_hosts":
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


# ---------------------------------------------------------------- checking


def _convert(merged: dict[str, Any], sources: dict[str, Source]) -> Settings:
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").lstrip(".").replace("[...]", "")
        unknown = re.search(r"unknown field `(.*)`", message)
        if unknown:
            path = f"{path}.{unknown[1]}" if path else unknown[1]
        source = next((s for name, s in sources.items() if name == path or name.startswith(path + ".")), None)
        at = f"{source}: " if source else ""
        if unknown:
            near = closest(path, [name for name, _ in leaves(Settings())])
            raise SettingsError(
                f"{at}{path} is not a setting",
                hint=f"did you mean {near}?" if near else "isthmus config show",
            ) from error
        raise SettingsError(f"{at}{path}: {_lower(message)}") from error


def _check(settings: Settings, sources: dict[str, Source]) -> None:
    handoff = settings.handoff
    if handoff.provider and handoff.provider not in settings.providers:
        raise SettingsError(
            f"{sources['handoff.provider']}: there is no provider named {handoff.provider!r}",
            hint=f"add [providers.{handoff.provider}] with base_url and model",
        )
    if handoff.provider and settings.providers[handoff.provider].local:
        raise SettingsError(
            f"provider {handoff.provider!r} is declared local, so nothing can be handed off to it",
            hint=f'model = "{handoff.provider}" makes it the local model',
        )
    for name, value in leaves(settings):
        if isinstance(value, Decimal) and not (value.is_finite() and value >= 0):
            raise SettingsError(f"{sources[name]}: {name} is an amount of dollars, so it can't be {value}")
    for name, provider in settings.providers.items():
        _check_provider(name, provider, settings.local_hosts)


def _check_provider(name: str, provider: ProviderSettings, local_hosts: tuple[str, ...]) -> None:
    where = f"providers.{name}"
    if not re.match(r"https?://[^/]+", provider.base_url) or not provider.host:
        raise SettingsError(f"{where}.base_url {provider.base_url!r} is not an http or https address")
    loopback = provider.host in LOOPBACK or provider.host.startswith("127.")
    if provider.local and not loopback and provider.host not in local_hosts:
        raise SettingsError(
            f"{where} is declared local, but {provider.host} is another machine",
            hint=f'local_hosts = ["{provider.host}"] trusts it',
        )
    if provider.local and provider.model and provider.model.endswith(("-cloud", ":cloud")):
        raise SettingsError(
            f"{where}.model {provider.model!r} runs in Ollama's cloud, so it isn't local",
            hint="remove local = true, or name a model that runs here",
        )
    if not provider.local and not loopback and provider.base_url.startswith("http://"):
        raise SettingsError(
            f"{where}.base_url would send questions to {provider.host} unencrypted", hint="use https://"
        )


# ---------------------------------------------------------------- trees and lines


def _flatten(tree: Mapping[str, Any], above: Path_) -> Iterator[tuple[Path_, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(cast("dict[str, Any]", value), (*above, key))
        else:
            yield (*above, key), value


def _leaves(node: Struct, above: Path_) -> Iterator[tuple[str, Any]]:
    for name in node.__struct_fields__:
        value = getattr(node, name)
        if isinstance(value, Struct):
            yield from _leaves(value, (*above, name))
        elif name == "providers":
            for key, provider in value.items():
                yield from _leaves(provider, (*above, name, key))
        else:
            yield ".".join((*above, name)), value


def _lookup(tree: Mapping[str, Any], name: str) -> Any:
    node: Any = tree
    for part in name.split("."):
        node = cast("dict[str, Any]", node).get(part) if isinstance(node, dict) else None
    return str(node).lower() in ("true", "1") if isinstance(node, str) else node


def _assign(tree: dict[str, Any], name: str, value: Any) -> None:
    *above, last = name.split(".")
    for part in above:
        if not isinstance(tree.get(part), dict):
            tree[part] = {}
        tree = tree[part]
    tree[last] = value


def _line_of(text: str, path: Path_) -> int | None:
    """The line on which a file sets ``path``: its key under the nearest table header."""
    table: Path_ = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?([^\]]+)\]", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            full = (*table, *(part.strip("\"'") for part in key[1].split(".")))
            if path[: len(full)] == full:
                return number
    return None


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
