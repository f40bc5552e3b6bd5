"""Migrations and the tables of the code describe one schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from tests.unit import worldstore
from twinbore.model import security as s
from twinbore.model.ids import is_id
from twinbore.model.resources import Vpc
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


def test_rows_of_the_first_schema_are_kept_and_get_what_is_new(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / worldstore.FILE}")
    command.upgrade(migrate.config(engine), "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO accounts VALUES ('123456789012', 0)"))
        connection.execute(
            text(
                "INSERT INTO vpcs (id, account_id, cidr_block, state, instance_tenancy, enable_dns_support, "
                "enable_dns_hostnames, created_at) "
                "VALUES ('vpc-1', '123456789012', '10.0.0.0/16', 'available', 'default', 1, 0, 0)"
            )
        )
    engine.dispose()
    database = worldstore.database(tmp_path)
    with database.read() as tx:
        (vpc,) = tx.all(Vpc)
    assert (vpc.cidr_block, vpc.dhcp_options_id, vpc.is_default) == ("10.0.0.0/16", "default", False)
    database.close()


def test_history_is_one_line() -> None:
    script = ScriptDirectory.from_config(migrate.config(create_engine("sqlite://")))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    assert all(not r.is_branch_point and not r.is_merge_point for r in script.walk_revisions())


def test_postgresql_would_take_the_tables() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def insert(connection: sa.Connection, table: sa.Table, **values: Any) -> None:
    """A row with these values and something empty for every other column that needs a value."""
    for column in table.columns:
        if not column.nullable and column.name not in values:
            values[column.name] = column.type.python_type()
    connection.execute(sa.insert(table), values)


def test_a_full_database_of_the_first_schema_is_upgraded(tmp_path: Path) -> None:
    """A row in every table, each referred to by those that can: no migration may make a table anew."""
    database = worldstore.connect_to(tmp_path)
    command.upgrade(migrate.config(database.engine), "0001")
    tables = sa.MetaData()
    tables.reflect(database.engine)
    with database.engine.connect().execution_options(twinbore_write=True) as connection, connection.begin():
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                insert(connection, table)
    migrate.upgrade(database.engine)
    with database.engine.connect() as connection:
        for table in tables.sorted_tables:
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() >= 1, table.name
    database.close()


def test_vpcs_that_were_there_before_get_their_defaults(tmp_path: Path) -> None:
    database = worldstore.connect_to(tmp_path)
    config = migrate.config(database.engine)
    before = ScriptDirectory.from_config(config).get_revision("0003")
    assert isinstance(before.down_revision, str)
    command.upgrade(config, before.down_revision)
    tables = sa.MetaData()
    tables.reflect(database.engine)
    with database.engine.connect().execution_options(twinbore_write=True) as connection, connection.begin():
        insert(connection, tables.tables["accounts"], id="1")
        for vpc, block in (("vpc-a", "10.0.0.0/16"), ("vpc-b", "10.1.0.0/16")):
            insert(connection, tables.tables["vpcs"], id=vpc, account_id="1", cidr_block=block, created_at=7)
        insert(connection, tables.tables["subnets"], id="subnet-a", account_id="1", vpc_id="vpc-a")
        eni = {"id": "eni-a", "account_id": "1", "vpc_id": "vpc-a", "subnet_id": "subnet-a"}
        insert(connection, tables.tables["network_interfaces"], **eni)
    migrate.upgrade(database.engine)
    with database.read() as tx:
        groups = {group.vpc_id: group for group in tx.all(s.SecurityGroup)}
        assert {(g.name, g.description) for g in groups.values()} == {("default", "default VPC security group")}
        assert groups.keys() == {"vpc-a", "vpc-b"}
        for group in groups.values():
            rules = {rule.egress: rule for rule in tx.all(s.SecurityGroupRule, group_id=group.id)}
            assert (rules[False].protocol, rules[False].referenced_group_id) == ("-1", group.id)
            assert (rules[True].protocol, rules[True].cidr_ipv4) == ("-1", "0.0.0.0/0")
        (worn,) = tx.all(s.NetworkInterfaceGroup)
        assert (worn.network_interface_id, worn.group_id) == ("eni-a", groups["vpc-a"].id)
        acls = tx.all(s.NetworkAcl, is_default=True)
        assert {acl.vpc_id for acl in acls} == {"vpc-a", "vpc-b"}
        assert all(is_id("security-group", g.id) for g in groups.values())
        assert all(is_id("security-group-rule", rule.id) for rule in tx.all(s.SecurityGroupRule))
        assert all(is_id("network-acl", acl.id) for acl in acls)
        entries = tx.all(s.NetworkAclEntry)
        assert {(e.network_acl_id, e.egress) for e in entries} == {(a.id, way) for a in acls for way in (True, False)}
        assert {(e.rule_number, e.rule_action, e.cidr_block) for e in entries} == {(100, "allow", "0.0.0.0/0")}
    database.close()
