"""The ledger: what ran, what it cost, what left; the caps that hold; the keys of the server.

Open the database once (`open_database`), then share `Ledger` and `Keys` between threads; close it with the
engine's ``dispose``. A `KeyRing` is a server's own.
"""

from isthmus.ledger.database import open_database
from isthmus.ledger.key_ring import KeyRing
from isthmus.ledger.keys import KeyInfo, KeyLimits, Keys, Scope
from isthmus.ledger.ledger import Ledger
from isthmus.ledger.marks import MarkTable
from isthmus.ledger.money import show_usd
from isthmus.ledger.opening import ledger_of, retention_of
from isthmus.ledger.pending import Pending, PendingHandoffs, PendingStatus, Waiting
from isthmus.ledger.records import (
    Call,
    Caps,
    ChainedQuestion,
    HostedAttempt,
    Outcome,
    Period,
    QuestionRecord,
    Reservation,
    ReservationRequest,
    Source,
    Summary,
)
from isthmus.ledger.responses import KeptResponse, Responses
from isthmus.ledger.retention import Retention
from isthmus.ledger.selection import Selection

__all__ = [
    "Call",
    "Caps",
    "ChainedQuestion",
    "HostedAttempt",
    "KeptResponse",
    "KeyInfo",
    "KeyLimits",
    "KeyRing",
    "Keys",
    "Ledger",
    "MarkTable",
    "Outcome",
    "Pending",
    "PendingHandoffs",
    "PendingStatus",
    "Period",
    "QuestionRecord",
    "Reservation",
    "ReservationRequest",
    "Responses",
    "Retention",
    "Scope",
    "Selection",
    "Source",
    "Summary",
    "Waiting",
    "ledger_of",
    "open_database",
    "retention_of",
    "show_usd",
]
