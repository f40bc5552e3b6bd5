"""First schema: VPCs, gateways, VPN connections, secrets, observations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "counters",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "secrets",
        sa.Column("resource_id", sa.String(length=160), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "field"),
    )
    op.create_table(
        "access_keys",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("access_keys", schema=None) as batch_op:
        batch_op.create_index("ix_access_keys_account_id", ["account_id"], unique=False)

    op.create_table(
        "customer_gateways",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("bgp_asn", sa.BigInteger(), nullable=False),
        sa.Column("ip_address", sa.String(length=64), nullable=True),
        sa.Column("certificate_arn", sa.String(length=255), nullable=True),
        sa.Column("device_name", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("customer_gateways", schema=None) as batch_op:
        batch_op.create_index("ix_customer_gateways_account_id", ["account_id"], unique=False)

    op.create_table(
        "tags",
        sa.Column("id", sa.String(length=320), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=64), nullable=False),
        sa.Column("resource_type", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("tags", schema=None) as batch_op:
        batch_op.create_index("ix_tags_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_tags_resource_id", ["resource_id"], unique=False)

    op.create_table(
        "vpcs",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("cidr_block", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("instance_tenancy", sa.String(length=64), nullable=False),
        sa.Column("enable_dns_support", sa.Boolean(), nullable=False),
        sa.Column("enable_dns_hostnames", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        batch_op.create_index("ix_vpcs_account_id", ["account_id"], unique=False)

    op.create_table(
        "vpn_gateways",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("amazon_side_asn", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("availability_zone", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    with op.batch_alter_table("vpn_gateways", schema=None) as batch_op:
        batch_op.create_index("ix_vpn_gateways_account_id", ["account_id"], unique=False)

    op.create_table(
        "gateway_routes",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("gateway_id", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["gateway_id"],
            ["vpn_gateways.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("gateway_routes", schema=None) as batch_op:
        batch_op.create_index("ix_gateway_routes_gateway_id", ["gateway_id"], unique=False)

    op.create_table(
        "internet_gateways",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vpc_id"],
            ["vpcs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("internet_gateways", schema=None) as batch_op:
        batch_op.create_index("ix_internet_gateways_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_internet_gateways_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "route_tables",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("kernel_table", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vpc_id"],
            ["vpcs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("vpc_id", "kernel_table"),
    )
    with op.batch_alter_table("route_tables", schema=None) as batch_op:
        batch_op.create_index("ix_route_tables_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_route_tables_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "subnets",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("cidr_block", sa.String(length=64), nullable=False),
        sa.Column("availability_zone", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("map_public_ip_on_launch", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vpc_id"],
            ["vpcs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("subnets", schema=None) as batch_op:
        batch_op.create_index("ix_subnets_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_subnets_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "vpn_connections",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("customer_gateway_id", sa.String(length=64), nullable=False),
        sa.Column("vpn_gateway_id", sa.String(length=64), nullable=True),
        sa.Column("static_routes_only", sa.Boolean(), nullable=False),
        sa.Column("local_ipv4_network_cidr", sa.String(length=64), nullable=False),
        sa.Column("remote_ipv4_network_cidr", sa.String(length=64), nullable=False),
        sa.Column("outside_ip_address_type", sa.String(length=64), nullable=False),
        sa.Column("tunnel_inside_ip_version", sa.String(length=64), nullable=False),
        sa.Column("tunnel_bandwidth", sa.String(length=64), nullable=False),
        sa.Column("pre_shared_key_storage", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["customer_gateway_id"],
            ["customer_gateways.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vpn_gateway_id"],
            ["vpn_gateways.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("vpn_connections", schema=None) as batch_op:
        batch_op.create_index("ix_vpn_connections_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_vpn_connections_customer_gateway_id", ["customer_gateway_id"], unique=False)
        batch_op.create_index("ix_vpn_connections_vpn_gateway_id", ["vpn_gateway_id"], unique=False)

    op.create_table(
        "vpn_gateway_attachments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["id"],
            ["vpn_gateways.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vpc_id"],
            ["vpcs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("vpn_gateway_attachments", schema=None) as batch_op:
        batch_op.create_index("ix_vpn_gateway_attachments_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_vpn_gateway_attachments_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "network_interfaces",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=False),
        sa.Column("availability_zone", sa.String(length=64), nullable=False),
        sa.Column("private_ip_address", sa.String(length=64), nullable=False),
        sa.Column("mac_address", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("source_dest_check", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["subnet_id"],
            ["subnets.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vpc_id"],
            ["vpcs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("vpc_id", "private_ip_address"),
    )
    with op.batch_alter_table("network_interfaces", schema=None) as batch_op:
        batch_op.create_index("ix_network_interfaces_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_network_interfaces_subnet_id", ["subnet_id"], unique=False)
        batch_op.create_index("ix_network_interfaces_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "propagations",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("route_table_id", sa.String(length=64), nullable=False),
        sa.Column("gateway_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["gateway_id"],
            ["vpn_gateways.id"],
        ),
        sa.ForeignKeyConstraint(
            ["route_table_id"],
            ["route_tables.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("route_table_id", "gateway_id"),
    )
    with op.batch_alter_table("propagations", schema=None) as batch_op:
        batch_op.create_index("ix_propagations_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_propagations_gateway_id", ["gateway_id"], unique=False)
        batch_op.create_index("ix_propagations_route_table_id", ["route_table_id"], unique=False)

    op.create_table(
        "route_table_associations",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("route_table_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=True),
        sa.Column("main", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["route_table_id"],
            ["route_tables.id"],
        ),
        sa.ForeignKeyConstraint(
            ["subnet_id"],
            ["subnets.id"],
        ),
        sa.ForeignKeyConstraint(
            ["vpc_id"],
            ["vpcs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("route_table_associations", schema=None) as batch_op:
        batch_op.create_index("ix_route_table_associations_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_route_table_associations_route_table_id", ["route_table_id"], unique=False)
        batch_op.create_index("ix_route_table_associations_subnet_id", ["subnet_id"], unique=False)
        batch_op.create_index("ix_route_table_associations_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "static_routes",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("route_table_id", sa.String(length=64), nullable=False),
        sa.Column("destination_cidr_block", sa.String(length=64), nullable=False),
        sa.Column("gateway_id", sa.String(length=64), nullable=True),
        sa.Column("network_interface_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["route_table_id"],
            ["route_tables.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("route_table_id", "destination_cidr_block"),
    )
    with op.batch_alter_table("static_routes", schema=None) as batch_op:
        batch_op.create_index("ix_static_routes_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_static_routes_route_table_id", ["route_table_id"], unique=False)

    op.create_table(
        "vpn_static_routes",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("connection_id", sa.String(length=64), nullable=False),
        sa.Column("destination_cidr_block", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vpn_connections.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "destination_cidr_block"),
    )
    with op.batch_alter_table("vpn_static_routes", schema=None) as batch_op:
        batch_op.create_index("ix_vpn_static_routes_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_vpn_static_routes_connection_id", ["connection_id"], unique=False)

    op.create_table(
        "vpn_tunnels",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("connection_id", sa.String(length=64), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("if_id", sa.Integer(), nullable=False),
        sa.Column("outside_address", sa.String(length=64), nullable=False),
        sa.Column("outside_local", sa.String(length=64), nullable=False),
        sa.Column("inside_cidr", sa.String(length=64), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vpn_connections.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "index"),
        sa.UniqueConstraint("if_id"),
    )
    with op.batch_alter_table("vpn_tunnels", schema=None) as batch_op:
        batch_op.create_index("ix_vpn_tunnels_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_vpn_tunnels_connection_id", ["connection_id"], unique=False)

    op.create_table(
        "ports",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("target_device", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["id"],
            ["network_interfaces.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.create_index("ix_ports_account_id", ["account_id"], unique=False)

    op.create_table(
        "tunnel_telemetry",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("status_message", sa.String(length=255), nullable=False),
        sa.Column("last_status_change", sa.BigInteger(), nullable=False),
        sa.Column("accepted_route_count", sa.BigInteger(), nullable=False),
        sa.Column("carrying", sa.Boolean(), nullable=False),
        sa.Column("ike_version", sa.String(length=64), nullable=True),
        sa.Column("phase1_encryption", sa.String(length=64), nullable=True),
        sa.Column("phase1_integrity", sa.String(length=64), nullable=True),
        sa.Column("phase1_dh_group", sa.BigInteger(), nullable=True),
        sa.Column("phase2_encryption", sa.String(length=64), nullable=True),
        sa.Column("phase2_integrity", sa.String(length=64), nullable=True),
        sa.Column("phase2_dh_group", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["vpn_tunnels.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
