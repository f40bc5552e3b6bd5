"""Connections can be paused; customer gateways can be known by a DNS name."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each for itself: a batch would make the table anew, and others refer to it.
    op.add_column("vpn_connections", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("customer_gateways", sa.Column("resolved_address", sa.String(length=64), nullable=True))
    op.create_index("ix_customer_gateways_resolved_address", "customer_gateways", ["resolved_address"])
