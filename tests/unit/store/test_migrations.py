"""Migrations and the tables of the code describe one schema."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from tests.unit import worldstore
from twinbore.store import migrate
from twinbore.store.schema import metadata


def test_the_newest_migration_gives_the_schema_of_the_code(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_a_second_upgrade_changes_nothing(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database)
    migrate.upgrade(database.engine)
    with database.read() as tx:
        assert tx.revision() == 1
    database.close()


def test_history_is_one_line() -> None:
    script = ScriptDirectory.from_config(migrate.config(create_engine("sqlite://")))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    assert all(not r.is_branch_point and not r.is_merge_point for r in script.walk_revisions())


def test_postgresql_would_take_the_tables() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))
