"""What somebody says of answers: right or wrong. An opinion, which may change: no part of the chain."""

from collections.abc import Mapping

from sqlalchemy import Engine, delete, insert, select

from isthmus.errors import NotFound
from isthmus.ledger.clock import Clock, utc_now
from isthmus.ledger.database import reading, writing
from isthmus.ledger.schema import labels, questions

_MANY = 500


def label(engine: Engine, said: Mapping[str, bool], *, now: Clock = utc_now) -> None:
    """Call the answers to some questions right (True) or wrong; what was said of them before goes.

    Args:
        engine: The database.
        said: By the questions' ids.
        now: The clock.

    Raises:
        NotFound: There is no such question; none is labelled then.
    """
    names = list(said)
    with writing(engine) as connection:
        for start in range(0, len(names), _MANY):
            some = names[start : start + _MANY]
            known = set(connection.scalars(select(questions.c.id).where(questions.c.id.in_(some))))
            if unknown := [name for name in some if name not in known]:
                raise NotFound(f"no question is named {unknown[0]}", hint="isthmus handoff ledger")
            connection.execute(delete(labels).where(labels.c.question_id.in_(some)))
            rows = [{"question_id": name, "correct": said[name], "at": now()} for name in some]
            connection.execute(insert(labels), rows)


def label_of(engine: Engine, question_id: str) -> bool | None:
    """What was said of the answer to a question; None: nothing."""
    with reading(engine) as connection:
        mine = labels.c.question_id == question_id
        return connection.scalar(select(labels.c.correct).where(mine))
