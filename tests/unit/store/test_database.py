"""Transactions: whole or not at all, numbers that only grow, revisions that tell."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.unit import sample, worldstore
from twinbore.model import resources as r
from twinbore.model.options import LogOptions, TunnelOptions
from twinbore.store.database import Database, StoreError, connect, sqlite_url
from twinbore.store.schema import TABLES
from twinbore.store.secrets import SecretBox, SecretError

GATEWAY = r.VpnGateway("vgw-1", sample.ACCOUNT, "pending", "ipsec.1", 64512, 1, None, sample.NOW)


def revision(database: Database) -> int:
    with database.read() as tx:
        return tx.revision()


def test_every_row_of_the_sample_world_comes_back_as_it_went(tmp_path: Path) -> None:
    opened, world = worldstore.database(tmp_path), sample.world()
    worldstore.fill(opened, world)
    with opened.read() as tx:
        for rows in (world.vpcs, world.subnets, world.route_tables, world.associations, world.static_routes):
            assert tuple(tx.all(type(rows[0]))) == rows  # type: ignore[comparison-overlap]
        for rows in (world.network_interfaces, world.connections, world.tunnels, world.telemetry, world.gateway_routes):
            assert tuple(tx.all(type(rows[0]))) == rows  # type: ignore[comparison-overlap]
    opened.close()


def test_times_are_kept_to_the_millisecond_in_utc(database: Database) -> None:
    moment = datetime(2026, 11, 24, 9, 30, 1, 234_567, tzinfo=timezone(timedelta(hours=9)))
    with database.write() as tx:
        tx.insert(replace(GATEWAY, created_at=moment))
    with database.read() as tx:
        (row,) = tx.all(r.VpnGateway)
    assert row.created_at == datetime(2026, 11, 24, 0, 30, 1, 234_000, tzinfo=UTC)
    assert row.deleted_at is None


def test_tunnel_options_are_kept_whole(tmp_path: Path) -> None:
    opened = worldstore.database(tmp_path)
    worldstore.fill(opened)
    options = TunnelOptions(
        ike_versions=("ikev2",), dpd_timeout_seconds=30, log_options=LogOptions(log_enabled=True, log_group_arn="arn")
    )
    with opened.write() as tx:
        tx.update(sample.tunnel(1), options=options)
    with opened.read() as tx:
        tunnel = tx.get(r.VpnTunnel, sample.tunnel(1).id)
    assert tunnel is not None
    assert tunnel.options == options
    opened.close()


def test_look_ups(database: Database) -> None:
    rows = [
        replace(GATEWAY, id=f"vgw-{n}", number=n, created_at=sample.NOW - timedelta(seconds=n), availability_zone=zone)
        for n, zone in ((1, None), (2, "a"), (3, "b"))
    ]
    with database.write() as tx:
        tx.insert(*rows)
    with database.read() as tx:
        assert [g.id for g in tx.all(r.VpnGateway)] == ["vgw-3", "vgw-2", "vgw-1"]
        assert tx.all(r.VpnGateway, availability_zone=None) == [rows[0]]
        assert tx.all(r.VpnGateway, number=[1, 3]) == [rows[2], rows[0]]
        assert tx.all(r.VpnGateway, number={2}, availability_zone="a") == [rows[1]]
        assert tx.all(r.VpnGateway, id=()) == []
        assert tx.get(r.VpnGateway, "vgw-9") is None


def test_an_update_changes_one_row(database: Database) -> None:
    other = replace(GATEWAY, id="vgw-2", number=2)
    with database.write() as tx:
        tx.insert(GATEWAY, other)
        assert tx.update(GATEWAY, state="available") == replace(GATEWAY, state="available")
    with database.read() as tx:
        assert {g.id: g.state for g in tx.all(r.VpnGateway)} == {"vgw-1": "available", "vgw-2": "pending"}


def test_delete_passes_over_what_is_not_there(database: Database) -> None:
    with database.write() as tx:
        tx.insert(GATEWAY)
        tx.delete(r.VpnGateway, "vgw-0", "vgw-1")
        tx.delete(r.VpnGateway)
        assert tx.all(r.VpnGateway) == []


def test_an_exception_undoes_everything(database: Database) -> None:
    before = revision(database)
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.insert(GATEWAY)
        tx.put_secret("vgw-1", "key", "value")
        assert tx.next_number("number") == 1
        raise ZeroDivisionError
    with database.write(bump=False) as tx:
        assert tx.all(r.VpnGateway) == []
        assert tx.secret("vgw-1", "key") is None
        assert tx.next_number("number") == 1
    assert revision(database) == before


@pytest.mark.parametrize(
    "row",
    [
        replace(GATEWAY, account_id="000000000000"),
        r.Subnet("subnet-1", sample.ACCOUNT, "vpc-none", "10.0.0.0/24", "a", "pending", sample.NOW),
    ],
)
def test_a_reference_to_nothing_is_refused(database: Database, row: object) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"), database.write() as tx:
        tx.insert(row)


def test_a_number_that_is_taken_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match="UNIQUE"), database.write() as tx:
        tx.insert(GATEWAY, replace(GATEWAY, id="vgw-2"))
    with database.read() as tx:
        assert tx.all(r.VpnGateway) == []


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.read() as reader:
        assert reader.all(r.VpnGateway) == []
        with database.write() as writer:
            writer.insert(GATEWAY)
        assert reader.all(r.VpnGateway) == []
    with database.read() as reader:
        assert reader.all(r.VpnGateway) == [GATEWAY]
        reader.delete(r.VpnGateway, GATEWAY.id)
    with database.read() as reader:
        assert reader.all(r.VpnGateway) == [GATEWAY], "a reader's changes are thrown away"


def test_revisions_grow_with_changes_only(database: Database) -> None:
    told: list[int] = []
    database.on_revision(told.append)
    start = revision(database)
    with database.write() as tx:
        tx.insert(GATEWAY)
        assert told == []
    with database.write() as tx:
        tx.all(r.VpnGateway)
    with database.write(bump=False) as tx:
        tx.update(GATEWAY, state="available")
    with database.write() as tx:
        tx.delete(r.VpnGateway, "vgw-1")
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.insert(GATEWAY)
        raise ZeroDivisionError
    assert told == [start + 1, start + 2]
    assert revision(database) == start + 2


def test_numbers_are_never_given_twice_even_at_once(database: Database) -> None:
    numbers: list[int] = []

    def take() -> None:
        for _ in range(10):
            with database.write() as tx:
                numbers.append(tx.next_number("kernel_table", 1000))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1000, 1040))


def test_counters_do_not_share_their_numbers(database: Database) -> None:
    with database.write() as tx:
        assert [tx.next_number("a"), tx.next_number("b", 7), tx.next_number("a")] == [1, 7, 2]


def test_secrets(database: Database, tmp_path: Path) -> None:
    with database.write() as tx:
        tx.put_secret("vpn-1", "pre_shared_key", "first")
        tx.put_secret("vpn-1", "pre_shared_key", "second")
        tx.put_secret("vpn-2", "pre_shared_key", "third")
        tx.put_secret("vpn-2", "other", "fourth")
    with database.read() as tx:
        assert tx.secret("vpn-1", "pre_shared_key") == "second"
        assert tx.secrets(["vpn-1", "vpn-2", "vpn-3"], "pre_shared_key") == {"vpn-1": "second", "vpn-2": "third"}
    with database.write() as tx:
        tx.delete_secret("vpn-1", "pre_shared_key")
        assert tx.secret("vpn-1", "pre_shared_key") is None
    other = connect(sqlite_url(tmp_path / "twinbore.db"), SecretBox(b"x" * 32))
    with other.read() as tx, pytest.raises(SecretError, match="restore the file"):
        tx.secret("vpn-2", "pre_shared_key")
    other.close()


def test_commits_are_durable(database: Database) -> None:
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_what_was_committed_is_there_for_the_next_process(database: Database, tmp_path: Path) -> None:
    with database.write() as tx:
        tx.insert(GATEWAY)
    database.close()
    again = connect(sqlite_url(tmp_path / "twinbore.db"), SecretBox(b"k" * 32))
    with again.read() as tx:
        assert tx.all(r.VpnGateway) == [GATEWAY]
    again.close()


def test_every_resource_has_a_table_with_its_members() -> None:
    for kind, table in TABLES.items():
        assert set(table.c.keys()) == set(kind.__dataclass_fields__), kind
        assert [c.name for c in table.primary_key] == ["id"], kind
