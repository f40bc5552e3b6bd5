"""Access keys have names, permissions, and can be disabled; those that are there stay administrators'."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each for itself: a batch would make the table anew.
    for column in (
        sa.Column("name", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("role", sa.String(length=64), nullable=False, server_default="administrator"),
        sa.Column("policy", sa.String(length=16384), nullable=False, server_default=""),
    ):
        op.add_column("access_keys", column)
