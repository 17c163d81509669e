from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from isthmus.errors import NotFound
from isthmus.ledger import KeptResponse, Responses
from isthmus.ledger.database import reading
from isthmus.ledger.schema import response_items, responses

from .samples import SetClock


@pytest.fixture
def kept(engine: Engine, clock: SetClock) -> Responses:
    return Responses(engine, days=30, now=clock)


def response(id_: str, previous: str | None = None, key: str | None = "k", **changes) -> KeptResponse:
    plain = {
        "id": id_,
        "key": key,
        "previous_id": previous,
        "body": b'{"id":"%s"}' % id_.encode(),
        "input": [{"id": f"in_{id_}", "text": f"ask {id_}"}],
        "output": [{"id": f"out_{id_}", "text": f"answer {id_}"}],
    }
    return KeptResponse(**{**plain, **changes})


def ids(items) -> list[str]:
    return [item["id"] for item in items]


def test_a_response_is_found_by_whoever_asked(kept: Responses):
    kept.keep(response("a"))
    kept.keep(response("b", key=None))
    assert kept.body("a", "k") == b'{"id":"a"}'
    assert kept.body("b", None) == b'{"id":"b"}'
    for id_, key in (("a", "other"), ("a", None), ("b", "k"), ("c", "k")):
        for find in (kept.body, kept.conversation, kept.input, kept.forget):
            with pytest.raises(NotFound):
                find(id_, key)
    assert kept.body("a", "k")


def test_a_conversation_is_all_that_came_before(kept: Responses):
    kept.keep(response("a"))
    kept.keep(response("b", "a"))
    kept.keep(response("c", "b"))
    kept.keep(response("d", "a"))
    assert ids(kept.conversation("c", "k")) == ["in_a", "out_a", "in_b", "out_b", "in_c", "out_c"]
    assert ids(kept.conversation("d", "k")) == ["in_a", "out_a", "in_d", "out_d"]
    assert ids(kept.input("c", "k")) == ["in_a", "out_a", "in_b", "out_b", "in_c"]


def test_a_conversation_can_not_go_on_past_what_was_deleted(kept: Responses):
    kept.keep(response("a"))
    kept.keep(response("b", "a"))
    kept.forget("a", "k")
    with pytest.raises(NotFound, match="'a'") as raised:
        kept.conversation("b", "k")
    assert raised.value.param == "previous_response_id"
    assert ids(kept.input("b", "k")) == ["in_b"]


def test_an_item_is_found_in_any_response(kept: Responses):
    kept.keep(response("a"))
    assert kept.item("out_a", "k")["text"] == "answer a"
    assert kept.item("in_a", "k")["text"] == "ask a"
    for id_, key in (("out_a", None), ("out_b", "k")):
        with pytest.raises(NotFound):
            kept.item(id_, key)


def test_keeping_again_replaces_what_was_kept(kept: Responses, clock: SetClock):
    kept.keep(response("a", output=[]))
    clock.advance(days=20)
    kept.keep(response("a", body=b'{"whole":true}'))
    assert kept.body("a", "k") == b'{"whole":true}'
    assert kept.item("out_a", "k")["text"] == "answer a"
    clock.advance(days=11)
    with pytest.raises(NotFound):
        kept.body("a", "k")


def test_a_response_is_kept_for_so_many_days(kept: Responses, clock: SetClock, engine: Engine):
    kept.keep(response("a"))
    clock.advance(days=29)
    kept.keep(response("b"))
    assert kept.body("a", "k")
    clock.advance(days=2)
    with pytest.raises(NotFound):
        kept.body("a", "k")
    with pytest.raises(NotFound):
        kept.item("out_a", "k")
    kept.keep(response("c"))
    with reading(engine) as connection:
        assert connection.scalars(select(responses.c.id).order_by(responses.c.id)).all() == ["b", "c"]
        assert connection.scalar(select(func.count()).select_from(response_items)) == 4


def test_where_nothing_is_to_be_kept_what_was_kept_goes(kept: Responses, engine: Engine, clock: SetClock):
    kept.keep(response("a"))
    clock.advance(seconds=1)
    nothing = Responses(engine, days=0, now=clock)
    with pytest.raises(NotFound):
        nothing.body("a", "k")
    nothing.clean()
    with pytest.raises(NotFound):
        kept.body("a", "k")


def test_what_is_deleted_is_not_left_on_the_disk(kept: Responses, engine: Engine, path: Path):
    kept.keep(response("a", input=[{"id": "in_a", "text": "the secret of the two towers"}]))
    kept.forget("a", "k")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"two towers" not in left


def test_the_items_of_a_response_go_with_it(kept: Responses, engine: Engine):
    kept.keep(response("a"))
    kept.forget("a", "k")
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(response_items)) == 0
