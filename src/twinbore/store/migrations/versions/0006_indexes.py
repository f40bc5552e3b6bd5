"""Indexes for what creating a gateway or a connection asks: how many are not deleted, and who has an address."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_customer_gateways_account_id_state": ("customer_gateways", ["account_id", "state"]),
    "ix_customer_gateways_ip_address_account_id": ("customer_gateways", ["ip_address", "account_id"]),
    "ix_vpn_connections_account_id_state": ("vpn_connections", ["account_id", "state"]),
    "ix_vpn_connections_vpn_gateway_id_state": ("vpn_connections", ["vpn_gateway_id", "state"]),
    "ix_vpn_connections_state": ("vpn_connections", ["state"]),
    "ix_vpn_tunnels_inside_cidr": ("vpn_tunnels", ["inside_cidr"]),
    "ix_vpn_tunnels_outside_local": ("vpn_tunnels", ["outside_local"]),
}


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
