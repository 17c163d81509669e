"""From settings to the hosted side: which providers in which order, with whose habits, with which keys."""

from isthmus.configuration import Configuration, first_secret
from isthmus.errors import SettingsError
from isthmus.handoff.away.attempt import Side
from isthmus.handoff.away.breaker import Breaker
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.redaction import Redactor
from isthmus.ledger import Ledger
from isthmus.providers.hosted import HostedProvider
from isthmus.providers.registry import complete, vendor_of
from isthmus.providers.vendor import Vendor
from isthmus.settings import HandoffSettings, ProviderSettings, Secret


def open_hosted(configuration: Configuration, ledger: Ledger) -> HostedModel | None:
    """The hosted models that the settings name, if they do and nothing forbids it.

    Raises:
        SettingsError: One of them has no address, no model, or a vendor that nobody knows.
    """
    settings = configuration.settings
    handoff = settings.handoff
    if not handoff.order or handoff.mode == "off" or handoff.local_only or settings.offline:
        return None
    return open_line(configuration, ledger, redactor_of(handoff))


def open_line(configuration: Configuration, ledger: Ledger, redactor: Redactor | None) -> HostedModel:
    """The hosted models in their order, whatever the mode; there is at least one.

    Raises:
        SettingsError: As `open_hosted`.
    """
    handoff = configuration.settings.handoff
    sides = [open_provider(configuration, name) for name in handoff.order]
    return HostedModel(sides, handoff, ledger, redactor=redactor)


def redactor_of(settings: HandoffSettings) -> Redactor | None:
    """What takes out of a question what may not leave; None where the person wants nothing taken out.

    Raises:
        SettingsError: What is to be looked for can't be.
    """
    return Redactor(settings.redaction) if settings.redact else None


def open_provider(configuration: Configuration, name: str) -> Side:
    """One provider, by its name in the settings.

    Raises:
        SettingsError: It has no address, no model, or a vendor that nobody knows.
    """
    settings = configuration.settings
    if name not in settings.providers:
        raise SettingsError(
            f"there is no provider named {name!r}", hint=f"isthmus handoff setup --provider {name}"
        )
    vendor = vendor_of(name, settings.providers[name])
    provider = complete(name, settings.providers[name], vendor)
    breaker = Breaker(settings.handoff.breaker_failures, settings.handoff.breaker_rest_s)
    key = configuration.keys.get(name) if provider.key_env else _vendors_key(provider, vendor)
    return Side(HostedProvider(name, provider, key, vendor), provider, breaker)


def _vendors_key(provider: ProviderSettings, vendor: Vendor) -> Secret | None:
    """The key in one of the vendor's own variables, which is for the vendor's own hosts and no others."""
    found = first_secret(vendor.key_variables) if vendor.at(provider.host) else None
    return found[1] if found else None
