"""Runners that are on this machine already, and the models that they have.

Only loopback is asked, for a moment, side by side; only names are read of their stores.
"""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

from msgspec import Struct

TIMEOUT_S = 1.0
_MOST_BYTES = 4 << 20
_MOST_MODELS = 200

Kind = Literal["ollama", "lmstudio", "llama-server"]


class Neighbour(Struct, frozen=True):
    """A runner: ``running`` if it answers at ``base_url``.

    ``models`` are those that it serves, or where it doesn't run, those in ``store``.
    """

    kind: Kind
    title: str
    base_url: str
    running: bool
    models: tuple[str, ...]
    store: Path | None = None


class _Place(Struct, frozen=True):
    """Where a runner would be: its port, what it lists its models under, its stores below a home folder."""

    kind: Kind
    title: str
    port: int
    path: str
    stores: tuple[str, ...] = ()


_PLACES = (
    _Place("ollama", "Ollama", 11434, "/api/tags", (".ollama/models", "/usr/share/ollama/.ollama/models")),
    _Place("lmstudio", "LM Studio", 1234, "/v1/models", (".lmstudio/models", ".cache/lm-studio/models")),
    _Place("llama-server", "llama-server", 8080, "/v1/models"),
)


def find_neighbours(user: Path, ports: dict[Kind, int] | None = None) -> list[Neighbour]:
    """The runners that answer, or have a store with models.

    Args:
        user: The person's home folder.
        ports: Other ports than the usual ones; for tests.
    """
    asked = [(ports or {}).get(place.kind, place.port) for place in _PLACES]
    with ThreadPoolExecutor(len(_PLACES)) as pool:
        found = list(pool.map(_look, _PLACES, [user] * len(_PLACES), asked))
    return [each for each in found if each is not None]


def _look(place: _Place, user: Path, port: int) -> Neighbour | None:
    served = _served(place, port)
    store = next((folder for name in place.stores if (folder := user / name).is_dir()), None)
    models = served if served is not None else tuple(_stored(place.kind, store)) if store else ()
    if served is None and not models:
        return None
    return Neighbour(
        place.kind, place.title, f"http://127.0.0.1:{port}/v1", served is not None, models, store
    )


# ---------------------------------------------------------------- what they serve


def _served(place: _Place, port: int) -> tuple[str, ...] | None:
    """The models that a runner lists; None where nobody answers, or somebody else."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", place.path)
        answer: Any = json.loads(connection.getresponse().read(_MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    entries = _entries(answer, "models" if place.kind == "ollama" else "data")
    if entries is None:
        return None
    # 8080 is everybody's port: what answers there must say that it is llama.cpp.
    if place.kind == "llama-server" and not any(entry.get("owned_by") == "llamacpp" for entry in entries):
        return None
    names = (entry.get("name" if place.kind == "ollama" else "id") for entry in entries)
    return tuple(str(name) for name in names if name)[:_MOST_MODELS]


def _entries(answer: Any, key: str) -> list[dict[str, Any]] | None:
    listed = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        return None
    return [cast("dict[str, Any]", entry) for entry in cast("list[Any]", listed) if isinstance(entry, dict)]


# ---------------------------------------------------------------- what they keep


def _stored(kind: Kind, store: Path) -> Iterator[str]:
    names = _ollama_names(store) if kind == "ollama" else _gguf_names(store)
    return islice(names, _MOST_MODELS)


def _ollama_names(store: Path) -> Iterator[str]:
    """Ollama's manifests lie in HOST/NAMESPACE/NAME/TAG; its own host and "library" go without saying."""
    manifests = store / "manifests"
    for path in sorted(manifests.glob("*/*/*/*")):
        *above, tag = path.relative_to(manifests).parts
        name = "/".join(above).removeprefix("registry.ollama.ai/").removeprefix("library/")
        yield f"{name}:{tag}"


def _gguf_names(store: Path) -> Iterator[str]:
    """LM Studio keeps files in PUBLISHER/REPOSITORY; projectors are parts of other models."""
    files = sorted(store.glob("*/*/*.gguf"))
    return (str(file.relative_to(store)) for file in files if not file.name.startswith("mmproj"))
