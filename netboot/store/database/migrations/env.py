"""Alembic's entry: runs the migrations in the transaction that the site hands over."""

from alembic import context

import netboot.store.database.account_records  # its rows belong to the schema
import netboot.store.database.change_counters  # likewise
import netboot.store.database.version_listings  # noqa: F401  # likewise
from netboot.store.database.records import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
