"""Alembic's entry: runs on the connection and inside the transaction that node.store_engine opened."""

from __future__ import annotations

from alembic import context

from node.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite alters a table by copying it; batch mode does so.
    render_as_batch=True,
)
context.run_migrations()
