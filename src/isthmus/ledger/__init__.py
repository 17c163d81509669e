"""The ledger: what ran, what it cost, what left; the caps that hold; the keys of the server.

Open the database once (`open_database`), then share `Ledger` and `Keys` between threads; close it with the
engine's ``dispose``. A `KeyRing` is a server's own.
"""

from isthmus.ledger.database import open_database
from isthmus.ledger.key_ring import KeyRing
from isthmus.ledger.keys import KeyInfo, KeyLimits, Keys, Scope
from isthmus.ledger.ledger import Ledger
from isthmus.ledger.money import show_usd
from isthmus.ledger.records import (
    Caps,
    Outcome,
    Period,
    QuestionRecord,
    Reservation,
    ReservationRequest,
    Source,
    Summary,
)
from isthmus.ledger.responses import KeptResponse, Responses

__all__ = [
    "Caps",
    "KeptResponse",
    "KeyInfo",
    "KeyLimits",
    "KeyRing",
    "Keys",
    "Ledger",
    "Outcome",
    "Period",
    "QuestionRecord",
    "Reservation",
    "ReservationRequest",
    "Responses",
    "Scope",
    "Source",
    "Summary",
    "open_database",
    "show_usd",
]
