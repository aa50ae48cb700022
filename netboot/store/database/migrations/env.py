"""Alembic's entry: runs the migrations in the transaction that the site hands over."""

from alembic import context

import netboot.store.database.version_listings  # noqa: F401  # its rows belong to the schema
from netboot.store.database.records import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
