from datetime import UTC, datetime, timedelta

import pytest

from isthmus.errors import LedgerError
from isthmus.ledger.clock import checked_time, utc_now


def test_the_clock_is_aware():
    assert utc_now().utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(LedgerError, match="the start needs a time zone, and 2026-03-14T12:00:00 has none"):
        checked_time(datetime(2026, 3, 14, 12), "the start")
    moment = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert checked_time(moment, "the start") is moment
