"""A ledger as the settings want it: with sealed copies or without, and with what it lets go of."""

from sqlalchemy import Engine

from isthmus.errors import SettingsError
from isthmus.ledger.ledger import Ledger
from isthmus.ledger.retention import Retention
from isthmus.ledger.sealing import Sealer
from isthmus.settings import Settings


def ledger_of(engine: Engine, settings: Settings) -> Ledger:
    """The ledger of a database, as the person set it up.

    Raises:
        SettingsError: Copies are to be sealed, and there is no key that they could be sealed for.
    """
    return Ledger(engine, sealer=_sealer(settings), retention=retention_of(settings))


def retention_of(settings: Settings) -> Retention:
    """How long the person wants rows and copies to be kept."""
    return Retention(settings.ledger.retention_days, settings.ledger.sealed_days)


def _sealer(settings: Settings) -> Sealer | None:
    if settings.handoff.keep_sent == "off":
        return None
    if settings.handoff.sealing_key is None:
        raise SettingsError(
            'handoff.keep_sent is "sealed", and handoff.sealing_key names no key to seal for',
            hint="isthmus handoff keygen",
        )
    return Sealer(settings.handoff.sealing_key)
