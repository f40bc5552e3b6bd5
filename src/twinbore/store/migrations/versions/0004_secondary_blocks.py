"""Secondary blocks of VPCs, DHCP options, default VPCs and subnets."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each for itself: a batch would make the table anew, and others refer to it.
    op.add_column("vpcs", sa.Column("dhcp_options_id", sa.String(length=64), nullable=False, server_default="default"))
    op.add_column("vpcs", sa.Column("is_default", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("subnets", sa.Column("default_for_az", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "vpc_cidr_blocks",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("cidr_block", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
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
    with op.batch_alter_table("vpc_cidr_blocks", schema=None) as batch_op:
        batch_op.create_index("ix_vpc_cidr_blocks_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_vpc_cidr_blocks_vpc_id", ["vpc_id"], unique=False)
