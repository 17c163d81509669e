"""The manifests of a store: one small file for each name, read whole, checked, written in one step."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from isthmus.errors import ModelError, UnknownModel, UsageError
from isthmus.naming import parse_model
from isthmus.store.disk import storage_errors, write_atomically
from isthmus.store.manifest import Manifest

_LATEST = "latest"


class Manifests:
    """The files under ``HOME/models``. Whoever writes holds the store's lock; reading needs none."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "models"

    def path(self, name: str) -> Path:
        """Where the manifest of that name lies, if there is one.

        Raises:
            UsageError: ``name`` can't be a model's name.
        """
        family, _, tag = checked_name(name).partition(":")
        return self.folder / family / f"{tag or _LATEST}.json"

    def read(self, name: str) -> Manifest | None:
        """The manifest of that name; None where there is none.

        Raises:
            UsageError: ``name`` can't be a model's name.
            ModelError: It is damaged.
        """
        return _read(self.path(name))

    def scan(self) -> tuple[list[Manifest], dict[str, ModelError]]:
        """All manifests, by name, and for each name whose manifest is damaged what is wrong with it."""
        manifests: list[Manifest] = []
        errors: dict[str, ModelError] = {}
        for path in self._files():
            if path.suffix != ".json" or path.name.startswith("."):
                continue
            try:
                manifest = _read(path)
            except ModelError as error:
                errors[_name_of(path)] = error
            else:
                manifests += [manifest] if manifest else []
        return manifests, errors

    def write(self, manifest: Manifest) -> None:
        """Put a manifest under its name, in place of the one that was there.

        Raises:
            StorageError: The folder can't be written.
        """
        plain = Manifest(**{field: getattr(manifest, field) for field in Manifest.__struct_fields__})
        content = msgspec.json.format(msgspec.json.encode(plain), indent=2)
        write_atomically(self.path(manifest.name), content)

    def delete(self, name: str) -> bool:
        """Forget a name; False where there is no such name.

        Raises:
            UsageError: ``name`` can't be a model's name.
            StorageError: The folder can't be written.
        """
        path = self.path(name)
        with storage_errors(path):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        return True

    def unfinished(self) -> Iterator[Path]:
        """What writers left that were killed; under the store's lock, all that isn't a manifest yet."""
        return (path for path in self._files() if path.name.startswith(".") and ".json." in path.name)

    def _files(self) -> Iterator[Path]:
        """All files, by name. `Path.glob` would fail where a folder goes meanwhile."""
        for family in _entries(self.folder):
            yield from _entries(family)


def checked_name(name: str) -> str:
    """A name of the store as it is written; "mine:latest" is "mine".

    Raises:
        UsageError: It can't be a model's name.
    """
    try:
        ref = parse_model(name)
    except UnknownModel as error:
        raise UsageError(str(error), hint="use letters, digits, . _ and -: --name my-model:7b") from error
    if ref.kind != "name":
        raise UsageError(
            f"{name!r} says where a model is, so it can't be its name", hint="--name my-model:7b"
        )
    return ref.value.removesuffix(f":{_LATEST}")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _name_of(path: Path) -> str:
    return f"{path.parent.name}:{path.stem}".removesuffix(f":{_LATEST}")


def _read(path: Path) -> Manifest | None:
    name = _name_of(path)
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(name, path, str(error)) from error
    if manifest.name != name:
        raise _damaged(name, path, f"it is of {manifest.name}")
    return manifest


def _damaged(name: str, path: Path, what: str) -> ModelError:
    return ModelError(f"the store's entry for {name} is damaged ({path}: {what})", hint=f"isthmus rm {name}")
