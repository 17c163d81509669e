"""What waits for consent: kept for a while, decided once, its text gone afterwards."""

import threading
from collections import Counter
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from isthmus.errors import AlreadyDecided, NotFound
from isthmus.ledger import PendingHandoffs, Waiting
from isthmus.ledger.database import reading
from isthmus.ledger.pending import _LARGEST_BYTES
from isthmus.ledger.schema import pending as table
from isthmus.messages import (
    Decision,
    Evidence,
    GenerationRequest,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
)

from .samples import SetClock

SECRET = "the recipe of grandmother's soup"


@pytest.fixture
def kept(engine: Engine, clock: SetClock) -> PendingHandoffs:
    return PendingHandoffs(engine, hours=24, most=3, now=clock)


def waiting(text: str = SECRET, key: str | None = "k", **changes) -> Waiting:
    plain = {
        "question_id": "q1",
        "source": "api",
        "key": key,
        "request": GenerationRequest((Message("user", text),), max_tokens=9),
        "decision": Decision("hosted", "looks_hard", "estimate", Evidence(0.75, threshold=0.5)),
        "local_model": "small",
        "provider": "big",
        "model": "big-1",
        "worst_usd": Decimal("0.0123"),
    }
    return Waiting(**{**plain, **changes})


def texts(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(select(table.c.request).order_by(table.c.created)))


def test_what_waits_is_found_as_it_was_asked(kept: PendingHandoffs, clock: SetClock):
    asked = waiting()
    id_ = kept.keep(asked)
    found = kept.get(id_)
    assert {name: getattr(found, name) for name in Waiting.__struct_fields__} == msgspec.structs.asdict(asked)
    assert (found.status, found.created, found.decided) == ("pending", clock(), None)
    assert kept.waiting() == [found]
    assert kept.waiting("k") == [found]
    assert kept.waiting("other") == []
    assert len(id_) == 32


parts = st.one_of(st.builds(TextPart, st.text()), st.builds(ImagePart, st.text()))
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.one_of(st.text(), st.lists(parts, max_size=3).map(tuple)),
    tool_calls=st.lists(st.builds(ToolCall, st.text(), st.text(), st.text()), max_size=2).map(tuple),
)
requests = st.builds(
    GenerationRequest,
    st.lists(messages, min_size=1, max_size=4).map(tuple),
    stop=st.lists(st.text(), max_size=2).map(tuple),
    tools=st.lists(st.builds(Tool, st.text(), parameters=st.just({"type": "object"})), max_size=2).map(tuple),
    temperature=st.none() | st.floats(0, 2),
)


@given(request=requests)
def test_any_request_comes_back_as_it_went_in(request):
    encoded = msgspec.json.encode(request)
    assert msgspec.json.decode(encoded, type=GenerationRequest) == request


def test_it_is_approved_once(kept: PendingHandoffs):
    id_ = kept.keep(waiting())
    taken = kept.approve(id_)
    assert (taken.status, taken.request.messages[0].text) == ("approved", SECRET)
    for again in (kept.approve, kept.decline):
        with pytest.raises(AlreadyDecided, match="was approved before"):
            again(id_)
    assert kept.waiting() == []


def test_of_many_that_approve_at_once_one_sends(kept: PendingHandoffs):
    id_ = kept.keep(waiting())
    came: Counter[str] = Counter()
    start = threading.Barrier(16)

    def approve():
        start.wait()
        try:
            kept.approve(id_)
        except AlreadyDecided:
            came["late"] += 1
        else:
            came["sent"] += 1

    threads = [threading.Thread(target=approve) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert came == {"sent": 1, "late": 15}


def test_once_it_was_sent_its_text_is_gone_and_its_cost_is_known(kept: PendingHandoffs, engine: Engine):
    id_ = kept.keep(waiting())
    kept.approve(id_)
    assert SECRET in texts(engine)[0]
    kept.sent(id_, Decimal("0.002"))
    assert texts(engine) == [""]
    found = kept.get(id_)
    assert (found.status, found.cost_usd, found.request.messages) == ("approved", Decimal("0.002"), ())


def test_where_nothing_left_after_all_it_waits_again(kept: PendingHandoffs):
    id_ = kept.keep(waiting())
    kept.approve(id_)
    kept.unsent(id_)
    assert kept.get(id_).status == "pending"
    kept.approve(id_)
    kept.sent(id_, Decimal(0))
    kept.unsent(id_)  # too late: it left
    assert kept.get(id_).status == "approved"


def test_what_is_declined_is_gone(kept: PendingHandoffs, engine: Engine):
    id_ = kept.keep(waiting())
    kept.decline(id_)
    assert texts(engine) == [""]
    assert kept.get(id_).status == "declined"
    with pytest.raises(AlreadyDecided, match="was declined before"):
        kept.approve(id_)


def test_what_waits_too_long_is_never_sent_and_its_text_goes(
    kept: PendingHandoffs, clock: SetClock, engine: Engine
):
    id_, crashed = kept.keep(waiting()), kept.keep(waiting())
    kept.approve(crashed)  # and nobody says what came of it
    clock.advance(hours=24, seconds=1)
    assert kept.waiting() == []
    assert kept.get(id_).status == "expired"
    with pytest.raises(AlreadyDecided, match="waited too long"):
        kept.approve(id_)
    kept.clean()
    assert texts(engine) == ["", ""]
    assert (kept.get(id_).status, kept.get(crashed).status) == ("expired", "approved")
    clock.advance(days=31)
    kept.clean()
    with pytest.raises(NotFound):
        kept.get(id_)


def test_each_key_has_so_many_and_the_oldest_gives_way(kept: PendingHandoffs, clock: SetClock):
    other = kept.keep(waiting(key=None))
    ids = []
    for _ in range(5):
        clock.advance(seconds=1)
        ids.append(kept.keep(waiting()))
    assert [each.id for each in kept.waiting()] == [other, *ids[2:]]
    assert kept.get(ids[0]).status == "expired"


def test_nothing_waits_where_the_person_wants_none_or_it_is_too_large(engine: Engine, clock: SetClock):
    assert PendingHandoffs(engine, hours=0, now=clock).keep(waiting()) is None
    assert PendingHandoffs(engine, now=clock).keep(waiting("x" * _LARGEST_BYTES)) is None
    assert texts(engine) == []


def test_what_was_decided_is_overwritten_on_the_disk(kept: PendingHandoffs, engine: Engine, path):
    id_ = kept.keep(waiting())
    kept.decline(id_)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("id_", ["", "nobody", "x" * 10_000])
def test_what_is_unknown_is_said_to_be(kept: PendingHandoffs, id_):
    for what in (kept.get, kept.approve, kept.decline):
        with pytest.raises(NotFound):
            what(id_)
