"""The ledger's database, open for the length of one command."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Engine

from isthmus import configuration
from isthmus.ledger import open_database


@contextmanager
def database() -> Generator[Engine]:
    """Open the database that the settings name; close it at the end."""
    engine = open_database(configuration.load().settings.ledger_path)
    try:
        yield engine
    finally:
        engine.dispose()
