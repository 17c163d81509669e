"""Finding and merging the settings: file by file, variable by variable, flag by flag, each with its source.

Order, later over earlier: built-in values; ``isthmus.toml`` in the user's configuration folder;
``isthmus.toml`` in the working folder; ``HF_ENDPOINT``, which all of Hugging Face's tools heed, and
OpenTelemetry's variables for where traces go; ``ISTHMUS_*`` variables; flags. The two hard switches
(``offline``, ``handoff.local_only``) only tighten: once true in any layer they stay true. So do the lists of
what stays home: those of all layers count together. What one file says of a publisher no later one changes.
See docs/decisions/0002-settings-are-layered.md.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
import platformdirs
from msgspec import Struct

from isthmus.errors import SettingsError
from isthmus.naming import closest
from isthmus.settings import (
    HomeOnlySettings,
    ProviderSettings,
    PublisherSettings,
    Secret,
    ServerSettings,
    Settings,
    is_loopback,
    without_credentials,
)

FILE_NAME = "isthmus.toml"
PREFIX = "ISTHMUS_"
HF_ENDPOINT, HF_TOKEN = "HF_ENDPOINT", "HF_TOKEN"
OTEL_DISABLED, OTEL_ENDPOINT = "OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_ENDPOINT"
OTEL_TRACES, OTEL_TRACES_ENDPOINT = "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_OTEL_VARIABLES = (OTEL_DISABLED, OTEL_ENDPOINT, OTEL_TRACES, OTEL_TRACES_ENDPOINT)
HARD_SWITCHES = ("offline", "handoff.local_only")
HOME_ONLY_LISTS = tuple(f"handoff.home_only.{name}" for name in ("paths", "tools", "words", "patterns"))

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
    """The settings, where each of them came from, the keys of the providers and the Hub's token.

    ``registry_logins`` is where ``docker login`` and its like write, where there is such a file.
    """

    settings: Settings
    sources: dict[str, Source]
    files: tuple[Path, ...]
    keys: dict[str, Secret]
    hf_token: Secret | None = None
    registry_logins: Path | None = None


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
        SettingsError: A file that isn't TOML (with its line), an unknown name, a value out of range (in
            any layer, overridden or not), a provider that doesn't exist.
    """
    environ = os.environ if environ is None else environ
    files = [f for f in (user or user_file(), (folder or Path.cwd()) / FILE_NAME) if f.is_file()]
    layers = [_read_file(file) for file in files]
    if endpoint := environ.get(HF_ENDPOINT, "").strip():
        layers.append({"hf_endpoint": (endpoint, Source("variable", HF_ENDPOINT))})
    layers.append(_traces(environ))
    layers.append(_read_environment(environ))
    layers.append(
        {name: (value, Source("flag", name)) for name, value in (flags or {}).items() if value is not None}
    )

    merged: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for layer in layers:
        pinned = {f"publishers.{name}." for name in merged.get("publishers", ())}
        for name, (value, source) in layer.items():
            checked = _checked(name, value, source)
            if name.startswith(tuple(pinned)):
                continue
            if name in HARD_SWITCHES and _lookup(merged, name) is True:
                continue
            if name in HOME_ONLY_LISTS:
                checked = (*(_lookup(merged, name) or ()), *checked)
            _assign(merged, name, checked)
            sources[name] = source
    merged["home"] = _absolute(
        merged.get("home") or platformdirs.user_data_dir("isthmus", appauthor=False), sources
    )
    settings = msgspec.convert(merged, Settings)
    _check(settings, sources)
    return Configuration(
        settings,
        sources,
        tuple(files),
        dict(_keys(settings, environ)),
        _secret(HF_TOKEN, environ),
        _registry_logins(environ),
    )


def leaves(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting's dotted name with its value, in the order of the classes."""
    yield from _leaves(settings, ())


def variable_for(name: str) -> str:
    """The environment variable that sets a dotted name."""
    return PREFIX + name.replace(".", "_").upper()


def variables_set(names: Iterable[str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Which of these environment variables hold something. What they hold is not told."""
    environ = os.environ if environ is None else environ
    return [name for name in names if environ.get(name, "").strip()]


def first_secret(names: Iterable[str], environ: Mapping[str, str] | None = None) -> tuple[str, Secret] | None:
    """The first of these environment variables that holds something, and what that is.

    Raises:
        SettingsError: It can't be a key.
    """
    environ = os.environ if environ is None else environ
    found = ((name, secret) for name in names if (secret := _secret(name, environ)))
    return next(found, None)


def ollama_models(environ: Mapping[str, str] | None = None) -> Path | None:
    """The folder that Ollama itself is told to keep its models in; None where it chooses."""
    folder = (os.environ if environ is None else environ).get("OLLAMA_MODELS", "").strip()
    return Path(folder) if folder else None


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
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{file} can't be read: {error}") from error
    layer: _Layer = {}
    lines = _lines(text)
    for path, value in _flatten(tree, ()):
        source = Source("file", str(file), lines.get(path))
        if not all(re.fullmatch(r"[\w-]+", part) for part in path):
            raise SettingsError(
                f"{source}: names of settings and providers hold letters, digits, _ and - only"
            )
        layer[".".join(path)] = (value, source)
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
    names = {variable_for(name): name for name, _ in leaves(Settings())}
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


def _traces(environ: Mapping[str, str]) -> _Layer:
    """Where OpenTelemetry's own variables send traces, as its specification of the OTLP exporter has it."""
    said = {name: environ.get(name, "").strip() for name in _OTEL_VARIABLES}
    if said[OTEL_DISABLED].lower() == "true" or said[OTEL_TRACES].lower() == "none":
        return {}
    if endpoint := said[OTEL_TRACES_ENDPOINT]:
        return {"server.traces_endpoint": (endpoint, Source("variable", OTEL_TRACES_ENDPOINT))}
    if endpoint := said[OTEL_ENDPOINT]:
        address = endpoint.rstrip("/") + "/v1/traces"
        return {"server.traces_endpoint": (address, Source("variable", OTEL_ENDPOINT))}
    return {}


def _from_text(name: str, value: str) -> Any:
    """A variable's text as the TOML value it stands for; lists are separated by commas."""
    if get_origin(_kind(name)) is tuple:
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


# ---------------------------------------------------------------- checking


def _checked(name: str, value: Any, source: Source) -> Any:
    """A value as the type that its name calls for."""
    kind = _kind(name)
    if kind is None:
        near = _nearest(name)
        raise SettingsError(
            f"{source}: {name} is not a setting",
            hint=f"did you mean {near}?" if near else "isthmus config show",
        )
    if _is_table(kind):
        if value != {}:
            raise SettingsError(
                f"{source}: {name} is a table, so it has no value of its own", hint=f"[{name}]"
            )
        return value
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        place = name + where.rstrip("`")
        if choices := _choices(kind):
            raise SettingsError(f"{source}: {place}: {value!r} is not one of {', '.join(choices)}") from error
        raise SettingsError(f"{source}: {place}: {_lower(message).replace(' | null', '')}") from error


def _kind(name: str) -> Any:
    """The type that a dotted name calls for; None where nothing goes by that name."""
    kind: Any = Settings
    for part in name.split("."):
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif _is_table(kind):
            kind = {field.name: field.type for field in msgspec.structs.fields(kind)}.get(part)
        else:
            return None
    return kind


def _is_table(kind: Any) -> bool:
    return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, Struct))


def _choices(kind: Any) -> tuple[str, ...]:
    """The words of a closed set."""
    if kind is bool:
        return ("true", "false")
    return next((get_args(arm) for arm in (kind, *get_args(kind)) if get_origin(arm) is Literal), ())


def _nearest(misspelt: str) -> str | None:
    """The setting that may have been meant: the same name in its table, or the most similar one."""
    names = [name for name, _ in leaves(Settings())]
    above, _, last = misspelt.rpartition(".")
    for table, kind in (("providers.", ProviderSettings), ("publishers.", PublisherSettings)):
        if above.startswith(table):
            names += [f"{above}.{field}" for field in kind.__struct_fields__]
    return next((name for name in names if name.endswith("." + last)), None) or closest(misspelt, names)


def _absolute(home: str, sources: dict[str, Source]) -> str:
    try:
        return str(Path(home).expanduser().absolute())
    except RuntimeError as error:
        raise SettingsError(f"{sources['home']}: home: {_lower(str(error)).rstrip('.')}") from error


def _keys(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, Secret]]:
    for name, provider in settings.providers.items():
        if provider.key_env and (key := _secret(provider.key_env, environ)):
            yield name, key


def _secret(variable: str, environ: Mapping[str, str]) -> Secret | None:
    """What a variable holds; None where that is nothing."""
    value = environ.get(variable, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise SettingsError(f"{variable} holds characters that no key holds")
    return Secret(value) if value else None


def _registry_logins(environ: Mapping[str, str]) -> Path | None:
    """The file that ``docker login`` or ``podman login`` wrote, by their rules; None where neither did."""
    docker = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME", "~")).expanduser() / ".docker")
    run = environ.get("XDG_RUNTIME_DIR")
    places = (
        environ.get("REGISTRY_AUTH_FILE"),
        str(Path(docker) / "config.json"),
        str(Path(run) / "containers" / "auth.json") if run else None,
    )
    return next((Path(place) for place in places if place and Path(place).is_file()), None)


def _check(settings: Settings, sources: dict[str, Source]) -> None:
    for each in dict.fromkeys((*settings.handoff.order, *filter(None, [settings.handoff.provider]))):
        _check_order(each, settings, sources)
    for name, value in leaves(settings):
        if isinstance(value, Decimal) and not (value.is_finite() and value >= 0):
            raise SettingsError(f"{sources[name]}: {name} is an amount of dollars, so it can't be {value}")
    _check_server(settings.server, sources)
    _check_home_only(settings.handoff.home_only, sources)
    for name, provider in settings.providers.items():
        if source := sources.get(f"providers.{name}.base_url"):
            _check_provider(f"{source}: providers.{name}", provider, settings.local_hosts)
        elif provider.local:
            raise SettingsError(
                f"providers.{name} is declared local and has no base_url",
                hint=f'add base_url = "http://127.0.0.1:..." to [providers.{name}]',
            )


def _check_order(name: str, settings: Settings, sources: dict[str, Source]) -> None:
    """A provider that questions are to be handed to must be there, and not be declared local."""
    several = name in settings.handoff.providers
    source = sources["handoff.providers" if several else "handoff.provider"]
    if name not in settings.providers:
        raise SettingsError(
            f"{source}: there is no provider named {name!r}",
            hint=f"isthmus handoff setup --provider {name}, or add [providers.{name}]",
        )
    if settings.providers[name].local:
        raise SettingsError(
            f"{source}: provider {name!r} is declared local, so nothing can be handed off to it",
            hint=f'model = "{name}" makes it the local model',
        )


def _check_home_only(marked: HomeOnlySettings, sources: dict[str, Source]) -> None:
    for name in HOME_ONLY_LISTS:
        nothing = " */\\." if name == "handoff.home_only.paths" else " "
        for each in getattr(marked, name.rpartition(".")[2]):
            if not each.strip(nothing):
                raise SettingsError(
                    f"{sources[name]}: {name}: {each!r} names nothing",
                    hint="handoff.local_only = true keeps everything home",
                )
    for each in marked.patterns:
        try:
            re.compile(each)
        except re.error as error:
            raise SettingsError(
                f"{sources['handoff.home_only.patterns']}: handoff.home_only.patterns: {each!r} is not a "
                f"regular expression: {_lower(str(error))}"
            ) from error


def _check_server(server: ServerSettings, sources: dict[str, Source]) -> None:
    for origin in server.cors_origins:
        if origin != "*" and not _is_origin(origin):
            raise SettingsError(
                f"{sources['server.cors_origins']}: {origin!r} is not an origin",
                hint='an origin is a scheme and a host, and no path: "https://app.example.org"',
            )


def _is_origin(origin: str) -> bool:
    return _is_address(origin) and origin.count("/") == 2 and not set(origin) & set("?#@")


def _check_provider(where: str, provider: ProviderSettings, local_hosts: tuple[str, ...]) -> None:
    if not _is_address(provider.base_url):
        shown = without_credentials(provider.base_url)
        raise SettingsError(f"{where}.base_url {shown!r} is not an http or https address")
    loopback = is_loopback(provider.host)
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


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return url.startswith(("http://", "https://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


# ---------------------------------------------------------------- trees and lines


def _flatten(tree: Mapping[str, Any], above: Path_) -> Iterator[tuple[Path_, Any]]:
    """The leaves of a tree; an empty table is one."""
    for key, value in tree.items():
        if value and isinstance(value, dict):
            yield from _flatten(cast("dict[str, Any]", value), (*above, key))
        else:
            yield (*above, key), value


def _leaves(node: Struct, above: Path_) -> Iterator[tuple[str, Any]]:
    for name in node.__struct_fields__:
        value = getattr(node, name)
        if isinstance(value, Struct):
            yield from _leaves(value, (*above, name))
        elif isinstance(value, dict):  # [providers.NAME], or names with a value each
            for key, each in cast("dict[str, Any]", value).items():
                if isinstance(each, Struct):
                    yield from _leaves(each, (*above, name, key))
                else:
                    yield ".".join((*above, name, key)), each
        else:
            yield ".".join((*above, name)), value


def _lookup(tree: Mapping[str, Any], name: str) -> Any:
    node: Any = tree
    for part in name.split("."):
        node = cast("dict[str, Any]", node).get(part) if isinstance(node, dict) else None
    return node


def _assign(tree: dict[str, Any], name: str, value: Any) -> None:
    *above, last = name.split(".")
    for part in above:
        tree = tree.setdefault(part, {})
    if value == {}:
        tree.setdefault(last, {})  # an empty table takes nothing from the layers below
    else:
        tree[last] = value


def _lines(text: str) -> dict[Path_, int]:
    """The line on which each value of a TOML text begins.

    tomllib doesn't tell, so each statement is parsed once more, by itself: one that isn't whole goes on in
    the next line.
    """
    found: dict[Path_, int] = {}
    table: Path_ = ()
    statement, begun = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        try:
            tree = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = next(_flatten(tree, ()))[0]
            found.setdefault(table, begun)
        else:
            for path, _ in _flatten(tree, table):
                found.setdefault(path, begun)
        statement, begun = "", number + 1
    return found


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
