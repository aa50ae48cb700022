"""Alembic's entry: runs the migrations on the engine that the site hands over."""

from alembic import context

from netboot.store.records import Row

engine = context.config.attributes["engine"]

with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=Row.metadata, render_as_batch=True)
    context.run_migrations()
