"""Profiles on disk: one JSON file each, data only, under the home's ``profiles`` folder."""

import re
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from isthmus.errors import SettingsError, StorageError
from isthmus.handoff.estimator.head import Head
from isthmus.handoff.estimator.profile import FORMAT, Profile, ProfileData

BUILTIN = "builtin"
"""The name of the profile that comes with Isthmus."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_decoder = msgspec.json.Decoder(ProfileData)


@cache
def builtin() -> Profile:
    """The profile that comes with Isthmus: learnt on public data, calibrated to nobody's models."""
    return Profile(_decoder.decode(files("isthmus.handoff.estimator").joinpath("builtin.json").read_bytes()))


def load_profile(home_path: Path, name: str) -> Profile:
    """The profile of that name.

    Raises:
        SettingsError: There is none, its name can't be one, or its file is not a profile.
    """
    if name == BUILTIN:
        return builtin()
    path = profile_path(home_path, name)
    try:
        data = _decoder.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no profile {name!r} in {path.parent}",
            hint=f"isthmus handoff calibrate --data rows.jsonl --profile {name}",
        ) from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise _unreadable(path, str(error)) from error
    if problem := _problem(data):
        raise _unreadable(path, problem)
    try:
        return Profile(data)
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def save_profile(home_path: Path, profile: Profile) -> Path:
    """Write a profile, whole or not at all, and say where it is.

    Raises:
        SettingsError: Its name can't be one.
        StorageError: The folder can't be written.
    """
    path = profile_path(home_path, profile.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            file.write(msgspec.json.encode(profile.data))
        Path(file.name).replace(path)
    except OSError as error:
        raise StorageError(f"the profile can't be written: {error}", hint=f"ls -ld {path.parent}") from error
    return path


def profile_path(home_path: Path, name: str) -> Path:
    """Where a profile of that name lives.

    Raises:
        SettingsError: No profile can have that name.
    """
    if name == BUILTIN or not _NAME.fullmatch(name):
        why = "it comes with isthmus" if name == BUILTIN else "a name has a-z, 0-9, '.', '_' and '-'"
        raise SettingsError(f"no profile can be called {name!r}: {why}", hint="--profile mine")
    return home_path / "profiles" / f"{name}.json"


def _problem(data: ProfileData) -> str | None:
    """What is wrong with a profile's data, if something is."""
    if data.format != FORMAT:
        return f"it is of the format {data.format!r}, and this isthmus reads {FORMAT!r}"
    stages = [stage for stage in (data.before, data.watch, data.after, data.voted) if stage is not None]
    heads: list[Head] = [head for stage in stages for head in (stage.wrong, stage.right)]
    if any(feature.spread <= 0 for head in heads for feature in head.features.values()):
        return "a feature has no spread"
    words = {len(head.words) for head in heads if head.words}
    return "its words have no weight each" if words - {len(data.idf)} or len(data.idf) % 4 else None


def _unreadable(path: Path, why: str) -> SettingsError:
    hint = f"isthmus handoff calibrate --data rows.jsonl --profile {path.stem}"
    return SettingsError(f"{path} is no profile: {why}", hint=hint)
