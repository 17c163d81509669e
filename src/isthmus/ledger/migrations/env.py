"""Run by Alembic: migrate over the connection that `isthmus.ledger.migrate` hands in, in its transaction."""

from alembic import context

from isthmus.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # True of SQLite once BEGIN is ours to say, which `isthmus.ledger.database` sees to.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
