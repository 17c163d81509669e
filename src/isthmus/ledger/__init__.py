"""The ledger: what ran, what it cost, what left; the caps that hold; the keys of the server.

Open the database once (`open_database`), then share `Ledger` and `Keys` between threads; close it with the
engine's ``dispose``.
"""

from isthmus.ledger.database import open_database
from isthmus.ledger.keys import KeyInfo, Keys, Scope
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

__all__ = [
    "Caps",
    "KeyInfo",
    "Keys",
    "Ledger",
    "Outcome",
    "Period",
    "QuestionRecord",
    "Reservation",
    "ReservationRequest",
    "Scope",
    "Source",
    "Summary",
    "open_database",
    "show_usd",
]
