"""Finding whose habits a provider has, among the entry points of the group ``isthmus.vendors``."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import cast

from msgspec.structs import replace

from isthmus.errors import SettingsError
from isthmus.naming import closest
from isthmus.providers.vendor import ANY, Vendor
from isthmus.settings import ProviderSettings

GROUP = "isthmus.vendors"


@cache
def vendors() -> Mapping[str, Vendor]:
    """All that are registered, by name, in the order of their names."""
    found = {entry.name: cast("Vendor", entry.load()) for entry in entry_points(group=GROUP)}
    return dict(sorted(found.items()))


def vendor_of(name: str, provider: ProviderSettings) -> Vendor:
    """Whose habits the provider of a name has: as it says, else by its host, else by its name.

    Raises:
        SettingsError: It names a vendor that nobody knows.
    """
    known = vendors()
    if provider.vendor is not None:
        if provider.vendor not in known:
            near = closest(provider.vendor, known)
            raise SettingsError(
                f"providers.{name}.vendor: {provider.vendor!r} is not one of {', '.join(known)}",
                hint=f'vendor = "{near}"' if near else None,
            )
        return known[provider.vendor]
    if provider.base_url:
        return next((vendor for vendor in known.values() if vendor.at(provider.host)), ANY)
    return known.get(name, ANY)


def complete(name: str, provider: ProviderSettings, vendor: Vendor) -> ProviderSettings:
    """The provider with its vendor's address, where it names none of its own.

    Raises:
        SettingsError: There is no address, or no model.
    """
    address = provider.base_url or vendor.base_url
    if not address:
        hint = {
            "azure": f'add base_url = "https://RESOURCE.openai.azure.com/openai/v1" to [providers.{name}]',
            "any": f'add base_url = "https://..." to [providers.{name}], or vendor = one of '
            + ", ".join(vendors()),
        }.get(vendor.name, f'add base_url = "https://..." to [providers.{name}]')
        raise SettingsError(f"providers.{name} has no base_url", hint=hint)
    if provider.model is None and vendor is not ANY:
        example = vendor.model or "DEPLOYMENT"
        raise SettingsError(
            f"providers.{name} doesn't say which of {vendor.title}'s models to ask",
            hint=f'add model = "{example}" to [providers.{name}]',
        )
    return replace(provider, base_url=address)
