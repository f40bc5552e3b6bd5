"""Security groups, network ACLs, prefix lists, secondary addresses.

VPCs that are there already get their default group and ACL. Their network interfaces wear the default group from now
on, as AWS's do that were made without naming one. Ids are made of the VPC's id, so that the same database gives the
same rows.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EVERYWHERE = "0.0.0.0/0"


def upgrade() -> None:
    make_tables()
    secondary = sa.Column("secondary_addresses", sa.Text(), nullable=False, server_default="[]")
    op.add_column("network_interfaces", secondary)
    fill_tables(op.get_bind())


def fill_tables(connection: sa.Connection) -> None:
    """The defaults of every VPC, and the default group for every network interface."""
    tables = sa.MetaData()
    tables.reflect(connection)
    interfaces = tables.tables["network_interfaces"]
    for vpc in connection.execute(sa.select(tables.tables["vpcs"])).all():
        for name, row in defaults_of(vpc.id, vpc.account_id, vpc.created_at):
            connection.execute(sa.insert(tables.tables[name]), row)
        group_id = made_id("sg", vpc.id)
        for eni in connection.execute(sa.select(interfaces).where(interfaces.c.vpc_id == vpc.id)).all():
            row = {"id": f"{eni.id}/{group_id}", "account_id": eni.account_id}
            row |= {"network_interface_id": eni.id, "group_id": group_id}
            connection.execute(sa.insert(tables.tables["network_interface_groups"]), row)


def defaults_of(vpc_id: str, account_id: str, created_at: int) -> list[tuple[str, dict[str, object]]]:
    """Table and values of each row that a VPC has from the start."""
    group_id, acl_id = made_id("sg", vpc_id), made_id("acl", vpc_id)
    made: dict[str, object] = {"account_id": account_id, "created_at": created_at}
    group = {"id": group_id, "vpc_id": vpc_id, "name": "default", "description": "default VPC security group"}
    inbound = {"id": made_id("sgr", vpc_id + "/in"), "group_id": group_id, "egress": False, "protocol": "-1"}
    outbound = {"id": made_id("sgr", vpc_id + "/out"), "group_id": group_id, "egress": True, "protocol": "-1"}
    acl = {"id": acl_id, "vpc_id": vpc_id, "is_default": True}
    rows: list[tuple[str, dict[str, object]]] = [
        ("security_groups", group | made),
        ("security_group_rules", inbound | made | {"referenced_group_id": group_id}),
        ("security_group_rules", outbound | made | {"cidr_ipv4": EVERYWHERE}),
        ("network_acls", acl | made),
    ]
    for egress, way in ((False, "in"), (True, "out")):
        entry = {"id": f"{acl_id}/{way}/100", "account_id": account_id, "network_acl_id": acl_id, "egress": egress}
        entry |= {"rule_number": 100, "protocol": "-1", "rule_action": "allow", "cidr_block": EVERYWHERE}
        rows.append(("network_acl_entries", entry))
    return rows


def made_id(prefix: str, text: str) -> str:
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:17]}"


def make_tables() -> None:
    op.create_table(
        "prefix_lists",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("address_family", sa.String(length=64), nullable=False),
        sa.Column("max_entries", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("prefix_lists", schema=None) as batch_op:
        batch_op.create_index("ix_prefix_lists_account_id", ["account_id"], unique=False)

    op.create_table(
        "network_acls",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("network_acls", schema=None) as batch_op:
        batch_op.create_index("ix_network_acls_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_network_acls_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "prefix_list_entries",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("prefix_list_id", sa.String(length=64), nullable=False),
        sa.Column("cidr", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("first_version", sa.BigInteger(), nullable=False),
        sa.Column("last_version", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["prefix_list_id"], ["prefix_lists.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("prefix_list_entries", schema=None) as batch_op:
        batch_op.create_index("ix_prefix_list_entries_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_prefix_list_entries_prefix_list_id", ["prefix_list_id"], unique=False)

    op.create_table(
        "security_groups",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("vpc_id", "name"),
    )
    with op.batch_alter_table("security_groups", schema=None) as batch_op:
        batch_op.create_index("ix_security_groups_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_security_groups_vpc_id", ["vpc_id"], unique=False)

    op.create_table(
        "network_acl_associations",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("network_acl_id", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["network_acl_id"], ["network_acls.id"]),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subnet_id"),
    )
    with op.batch_alter_table("network_acl_associations", schema=None) as batch_op:
        batch_op.create_index("ix_network_acl_associations_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_network_acl_associations_network_acl_id", ["network_acl_id"], unique=False)

    op.create_table(
        "network_acl_entries",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("network_acl_id", sa.String(length=64), nullable=False),
        sa.Column("egress", sa.Boolean(), nullable=False),
        sa.Column("rule_number", sa.BigInteger(), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("rule_action", sa.String(length=64), nullable=False),
        sa.Column("cidr_block", sa.String(length=64), nullable=True),
        sa.Column("ipv6_cidr_block", sa.String(length=64), nullable=True),
        sa.Column("icmp_type", sa.BigInteger(), nullable=True),
        sa.Column("icmp_code", sa.BigInteger(), nullable=True),
        sa.Column("from_port", sa.BigInteger(), nullable=True),
        sa.Column("to_port", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["network_acl_id"], ["network_acls.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("network_acl_entries", schema=None) as batch_op:
        batch_op.create_index("ix_network_acl_entries_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_network_acl_entries_network_acl_id", ["network_acl_id"], unique=False)

    op.create_table(
        "security_group_rules",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("egress", sa.Boolean(), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("from_port", sa.BigInteger(), nullable=True),
        sa.Column("to_port", sa.BigInteger(), nullable=True),
        sa.Column("cidr_ipv4", sa.String(length=64), nullable=True),
        sa.Column("cidr_ipv6", sa.String(length=64), nullable=True),
        sa.Column("prefix_list_id", sa.String(length=64), nullable=True),
        sa.Column("referenced_group_id", sa.String(length=64), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["group_id"], ["security_groups.id"]),
        sa.ForeignKeyConstraint(["prefix_list_id"], ["prefix_lists.id"]),
        sa.ForeignKeyConstraint(["referenced_group_id"], ["security_groups.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.create_index("ix_security_group_rules_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_security_group_rules_group_id", ["group_id"], unique=False)
        batch_op.create_index("ix_security_group_rules_prefix_list_id", ["prefix_list_id"], unique=False)
        batch_op.create_index("ix_security_group_rules_referenced_group_id", ["referenced_group_id"], unique=False)

    op.create_table(
        "network_interface_groups",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("network_interface_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["group_id"], ["security_groups.id"]),
        sa.ForeignKeyConstraint(["network_interface_id"], ["network_interfaces.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("network_interface_groups", schema=None) as batch_op:
        batch_op.create_index("ix_network_interface_groups_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_network_interface_groups_group_id", ["group_id"], unique=False)
        batch_op.create_index(
            "ix_network_interface_groups_network_interface_id", ["network_interface_id"], unique=False
        )
