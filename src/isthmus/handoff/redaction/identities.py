"""When two spellings are of the same thing: the same number, grouped otherwise; the same name in capitals."""

import re
from ipaddress import ip_address

from isthmus.handoff.redaction.contact import same_number

_UNSPACED = frozenset(
    {"CARD", "IBAN", "NATIONAL_ID", "TAX_ID", "HEALTH_ID", "ACCOUNT", "PLATE", "MAC_ADDRESS"}
)
_AS_WRITTEN = frozenset({"PASSWORD", "SECRET", "API_KEY", "AUTH_TOKEN", "PRIVATE_KEY", "LOGIN", "WALLET"})


def identity(value: str, kind: str, regions: tuple[str, ...] = ()) -> str:
    """What two spellings of the same thing have in common; ``regions`` are for telephone numbers."""
    if kind in _AS_WRITTEN:
        return value
    if kind == "PHONE":
        return same_number(value, regions)
    if kind in _UNSPACED:
        return re.sub(r"[\s.:/\-\u00a0]", "", value).upper()
    if kind == "IP_ADDRESS":
        try:
            return str(ip_address(value))
        except ValueError:
            return value
    return " ".join(value.casefold().split())
