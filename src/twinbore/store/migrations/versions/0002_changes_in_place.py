"""Changes of a connection in place: replacements of a tunnel, maintenance that is pending, what could not be done."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("vpn_tunnels") as table:
        table.add_column(sa.Column("replacements", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("tunnel_telemetry") as table:
        table.add_column(sa.Column("failure", sa.String(length=1000), nullable=False, server_default=""))
        table.add_column(sa.Column("maintenance_pending", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("maintenance_due_at", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("maintenance_applied_at", sa.BigInteger(), nullable=True))
