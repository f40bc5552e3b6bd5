"""Schema migrations: alembic, one linear history, run at start.

The migrations are part of the package; no alembic.ini is needed. `upgrade` is idempotent and works within one
transaction for each migration, so that an interrupted start leaves an old schema or a new one.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"


def config(engine: Engine) -> Config:
    """An alembic configuration that uses `engine`."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["engine"] = engine
    return settings


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision."""
    command.upgrade(config(engine), "head")
