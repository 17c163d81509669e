"""A process that reserves; its arguments are PATH ATTEMPTS AMOUNT DAY_CAP.

It says "ready", waits for a line, says how many reservations fit, and waits for its end.
"""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from isthmus.errors import BudgetExceeded
from isthmus.ledger import Caps, Ledger, ReservationRequest, open_database


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    path, attempts, amount, day_cap = sys.argv[1:]
    engine = open_database(Path(path))
    # One moment for all processes, or a test at midnight would see two days.
    ledger = Ledger(engine, now=lambda: datetime(2026, 3, 14, 12, tzinfo=UTC))
    caps = Caps(day_usd=Decimal(day_cap))
    say("ready")
    sys.stdin.readline()
    admitted = 0
    for _ in range(int(attempts)):
        try:
            ledger.reserve(
                ReservationRequest(
                    question_id="q", provider="p", amount_usd=Decimal(amount), caps=caps, lifetime_s=60
                )
            )
            admitted += 1
        except BudgetExceeded:
            pass
    say(str(admitted))
    sys.stdin.readline()
    engine.dispose()


if __name__ == "__main__":
    main()
