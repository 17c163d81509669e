"""Questions between their nouns and their rows: what is stored, what the chain covers, what is read back."""

from typing import Any

import msgspec
from sqlalchemy import RowMapping

from isthmus.errors import LedgerError
from isthmus.ledger.chain import Facts
from isthmus.ledger.database import to_json
from isthmus.ledger.money import to_nanos
from isthmus.ledger.records import ChainedQuestion, HostedAttempt, QuestionRecord
from isthmus.ledger.schema import questions

JSON_COLUMNS = ("evidence", "redacted", "attempts")
FIELDS = tuple(questions.c[name].label(name) for name in QuestionRecord.__struct_fields__)
"""The columns of a record, to select."""
CHAINED_FIELDS = (*FIELDS, questions.c.link, questions.c.previous_hash, questions.c.hash)
"""The columns of a chained question, to select."""


def facts_of(values: dict[str, Any]) -> Facts:
    """What the chain covers of a question that is about to be written.

    Args:
        values: The record's fields by name.

    Raises:
        LedgerError: JSON can't hold its evidence.
    """
    facts = {**values, "cost_nanousd": to_nanos(values["cost_usd"])}
    try:
        facts.update((name, to_json(values[name])) for name in JSON_COLUMNS)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise LedgerError(f"question {values['id']} can't be recorded: {error}") from error
    return facts


def record_of(row: RowMapping) -> QuestionRecord:
    """A row's record."""
    values = {name: row[name] for name in QuestionRecord.__struct_fields__}
    # Rows from before these columns were there hold NULL.
    values["redacted"] = values["redacted"] or {}
    values["attempts"] = msgspec.convert(values["attempts"] or (), tuple[HostedAttempt, ...])
    return QuestionRecord(**values)


def chained_of(row: RowMapping) -> ChainedQuestion:
    """A row's record with its place in the chain."""
    return ChainedQuestion(record_of(row), row["link"], row["previous_hash"], row["hash"])
