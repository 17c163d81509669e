"""The vendors that can be set up, and which of them the person has a key for. No key is looked at."""

from collections.abc import Mapping

from msgspec import Struct

from isthmus.configuration import variables_set
from isthmus.providers.registry import vendors


class KnownVendor(Struct, frozen=True):
    """A vendor as a person may choose it; ``key_variable`` is that of its variables that holds something."""

    name: str
    title: str
    model: str | None
    key_variables: tuple[str, ...]
    keys_page: str
    needs_address: bool
    key_variable: str | None


def known_vendors(environ: Mapping[str, str] | None = None) -> list[KnownVendor]:
    """All of them, by name."""
    return [
        KnownVendor(
            name=each.name,
            title=each.title,
            model=each.model,
            key_variables=each.key_variables,
            keys_page=each.keys_page,
            needs_address=not each.base_url,
            key_variable=next(iter(variables_set(each.key_variables, environ)), None),
        )
        for each in vendors().values()
    ]
