"""Looking for models in the catalogue by words."""

from collections.abc import Iterable, Sequence

from isthmus.naming import closest
from isthmus.store.catalogue import CATALOGUE, CatalogueEntry


def search(words: Iterable[str], entries: Sequence[CatalogueEntry] = CATALOGUE) -> list[CatalogueEntry]:
    """The models in which every one of the words is found: those whose name has them before the others."""
    wanted = [word.casefold() for word in words]
    found = [entry for entry in entries if all(word in _text(entry) for word in wanted)]
    return sorted(found, key=lambda entry: not all(word in _names(entry) for word in wanted))


def nearest(words: Iterable[str], entries: Sequence[CatalogueEntry] = CATALOGUE) -> str | None:
    """The model's name, or family's, that a misspelt word may mean."""
    known = {name for entry in entries for name in (entry.name, *entry.aliases, entry.family.lower())}
    near = (closest(word.lower(), known) for word in words)
    return next((name for name in near if name), None)


def _names(entry: CatalogueEntry) -> str:
    return " ".join((entry.name, *entry.aliases, entry.family)).casefold()


def _text(entry: CatalogueEntry) -> str:
    about = (_names(entry), entry.description, entry.licence, entry.quantization, *entry.capabilities)
    return " ".join(about).casefold()
