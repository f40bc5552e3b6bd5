"""Alembic's entry point: runs the migrations over the engine that `migrate.config` was given."""

from alembic import context

from twinbore.store.schema import metadata

engine = context.config.attributes["engine"]
with engine.connect().execution_options(twinbore_write=True) as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
