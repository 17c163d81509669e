"""What all pulls share: which models are here already, and whom to tell how the work goes."""

from collections.abc import Callable
from typing import TypeAlias

from isthmus.errors import ModelError
from isthmus.messages import Notice, Progress
from isthmus.naming import ModelRef
from isthmus.store.catalogue import CatalogueEntry
from isthmus.store.manifest import StoredModel
from isthmus.store.store import Store

OnProgress: TypeAlias = Callable[[Progress], None]
OnNotice: TypeAlias = Callable[[Notice], None]

_MORE_EXACT = {"hf": ":/", "oci": ":@", "wheel": "#"}
"""What follows a reference, by scheme, where a source has written down what it chose."""


def named(name: str, store: Store) -> StoredModel | None:
    """The model of that name; None where its manifest is damaged, as it will be written anew."""
    try:
        return store.resolve(ModelRef("name", name))
    except ModelError:
        return None


def present(entry: CatalogueEntry, store: Store) -> StoredModel | None:
    """The model under the entry's name; where the entry has a hash, with that hash."""
    model = named(entry.name, store)
    return model if model and entry.digest in (None, model.digest) else None


def pulled(reference: str, store: Store) -> StoredModel | None:
    """The model that an earlier pull of a reference brought, the latest of several."""
    scheme = reference.partition(":")[0]
    separators = _MORE_EXACT.get(scheme, "")
    wanted = reference.lower() if separators else reference

    def is_it(model: StoredModel) -> bool:
        source = model.source.lower() if separators else model.source
        return source == wanted or source.startswith(tuple(wanted + each for each in separators))

    return max(filter(is_it, store.models()), key=lambda model: model.added, default=None)


class Waiting:
    """Tells, once, that another process is at the same work.

    Args:
        what: What is fetched.
        on_notice: Who is told.
    """

    def __init__(self, what: str, on_notice: OnNotice) -> None:
        self._what = what
        self._on_notice = on_notice
        self._told = False

    def __call__(self) -> None:
        """Tell, unless it was told."""
        if not self._told:
            self._told = True
            text = f"another process is fetching {self._what}; waiting for it"
            self._on_notice(Notice("pull_waiting", text))
