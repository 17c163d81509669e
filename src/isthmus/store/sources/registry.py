"""Finding the source of a scheme among the entry points of the group ``isthmus.sources``."""

from importlib.metadata import entry_points
from typing import cast

from isthmus.errors import UnknownModel, UsageError
from isthmus.store.sources.base import Source

GROUP = "isthmus.sources"


def open_source(scheme: str) -> Source:
    """The source that is registered for a scheme; its module is imported now.

    Raises:
        UnknownModel: None is.
        UsageError: It is, but what it needs isn't installed.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if scheme not in found:
        raise UnknownModel(
            f"nothing here fetches {scheme}: models; known are {', '.join(sorted(found))}",
            hint="isthmus list",
        )
    try:
        return cast("Source", found[scheme].load()())
    except ImportError as error:
        reason = str(error)[:1].lower() + str(error)[1:]
        raise UsageError(f"{scheme}: models can't be fetched: {reason}") from error
