"""Changes of a connection in place: replacements of a tunnel, maintenance that is pending, what could not be done."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each for itself: a batch would make the table anew, and others refer to it.
    op.add_column("vpn_tunnels", sa.Column("replacements", sa.BigInteger(), nullable=False, server_default="0"))
    for column in (
        sa.Column("failure", sa.String(length=1000), nullable=False, server_default=""),
        sa.Column("maintenance_pending", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("maintenance_due_at", sa.BigInteger(), nullable=True),
        sa.Column("maintenance_applied_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("tunnel_telemetry", column)
