"""States move when, and only when, the engines have made it true."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit import sample, worldstore
from twinbore.agent import lifecycle
from twinbore.model import resources as r
from twinbore.model.observed import Failure
from twinbore.model.snapshot import Snapshot
from twinbore.store.database import Database
from twinbore.store.snapshot import load_snapshot

LATER = sample.NOW + timedelta(hours=2)


def pending() -> Snapshot:
    world = sample.world()
    return replace(
        world,
        vpcs=(replace(world.vpcs[0], state="pending"),),
        vpn_gateways=(replace(world.vpn_gateways[0], state="pending"),),
        attachments=(replace(world.attachments[0], state="attaching"),),
        connections=(sample.connection(state="pending"),),
    )


def deleting() -> Snapshot:
    world = sample.world()
    return replace(
        world,
        vpn_gateways=(replace(world.vpn_gateways[0], state="deleting"),),
        attachments=(replace(world.attachments[0], state="detaching"),),
        connections=(sample.connection(state="deleting"),),
    )


def settled(database: Database, failures: tuple[Failure, ...] = ()) -> Snapshot:
    with database.read() as tx:
        applied = load_snapshot(tx)
    with database.write(bump=False) as tx:
        lifecycle.settle(tx, applied, failures, LATER)
    with database.read() as tx:
        return load_snapshot(tx)


def states(snapshot: Snapshot) -> dict[str, str]:
    rows = (*snapshot.vpcs, *snapshot.vpn_gateways, *snapshot.connections)
    found = {row.id[:3]: row.state for row in rows}
    for attachment in snapshot.attachments:
        found["att"] = attachment.state
    return found


def test_everything_applied_becomes_available(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, pending())
    expected = {"vpc": "available", "vgw": "available", "vpn": "available", "att": "attached"}
    assert states(settled(database)) == expected


def test_a_failure_holds_the_resource_that_it_names(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, pending())
    after = states(settled(database, (Failure(f"{sample.VPN}-1", "charon refused it"),)))
    assert after == {"vpc": "available", "vgw": "available", "vpn": "pending", "att": "attached"}


def test_a_failure_without_a_name_holds_everything(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, pending())
    after = states(settled(database, (Failure("charon", "does not start"),)))
    assert after == {"vpc": "pending", "vgw": "pending", "vpn": "pending", "att": "attaching"}


def test_deleted_connections_lose_their_keys_and_telemetry(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, deleting())
    after = settled(database)
    assert after.connections == ()
    assert after.vpn_gateways == ()
    with database.read() as tx:
        connection = tx.get(r.VpnConnection, sample.VPN)
        assert connection is not None
        assert (connection.state, connection.deleted_at) == ("deleted", LATER)
        assert tx.secret(f"{sample.VPN}-1", "pre_shared_key") is None
        assert tx.all(r.TunnelTelemetry) == []
        attachment = tx.get(r.VpnGatewayAttachment, sample.VGW)
        assert attachment is not None
        assert attachment.state == "detached"


@pytest.mark.parametrize(("visible", "left"), [(timedelta(hours=3), 1), (timedelta(seconds=1), 0)])
def test_deleted_resources_stay_visible_for_a_time(tmp_path: Path, visible: timedelta, left: int) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, deleting())
    settled(database)
    with database.write(bump=False) as tx:
        lifecycle.purge(tx, LATER + timedelta(hours=1), visible)
    with database.read() as tx:
        assert len(tx.all(r.VpnConnection)) == left
        assert len(tx.all(r.VpnGateway)) == left
        assert len(tx.all(r.VpnTunnel)) == 2 * left


def test_a_row_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, pending())
    with database.read() as tx:
        applied = load_snapshot(tx)
    with database.write() as tx:
        tx.update(applied.connections[0], state="deleting")
    with database.write(bump=False) as tx:
        lifecycle.settle(tx, applied, (), LATER)
        connection = tx.get(r.VpnConnection, sample.VPN)
    assert connection is not None
    assert connection.state == "deleting"


@pytest.mark.parametrize("failures", [(), (Failure(sample.VPN, "no group can be had"),), (Failure("charon", "gone"),)])
def test_a_change_ends_whether_or_not_it_could_be_made_true(tmp_path: Path, failures: tuple[Failure, ...]) -> None:
    """What could not be done is told by the tunnel; the connection can be changed again."""
    database = worldstore.database(tmp_path)
    worldstore.fill(database, replace(sample.world(), connections=(sample.connection(state="modifying"),)))
    assert [c.state for c in settled(database, failures).connections] == ["available"]
    database.close()


def with_block(state: str) -> Snapshot:
    block = r.VpcCidrBlock(
        "vpc-cidr-assoc-0123456789abcdef0", sample.ACCOUNT, sample.VPC, "100.64.0.0/16", state, sample.NOW
    )
    return replace(sample.world(), vpc_cidr_blocks=(block,))


def test_a_secondary_block_is_associated_when_the_data_plane_has_it(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, with_block("associating"))
    with database.read() as tx:
        assert lifecycle.needs_settling(load_snapshot(tx))
    failed = (Failure(f"route of {sample.VPC}", "no"),)
    assert [b.state for b in settled(database, failed).vpc_cidr_blocks] == ["associating"]
    assert [b.state for b in settled(database).vpc_cidr_blocks] == ["associated"]
    assert [b.state for b in settled(database).vpc_cidr_blocks] == ["associated"]
    database.close()


def test_a_secondary_block_goes_when_the_data_plane_has_it_no_more(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database, with_block("disassociating"))
    failed = (Failure(f"route of {sample.VPC}", "no"),)
    assert [b.state for b in settled(database, failed).vpc_cidr_blocks] == ["disassociating"]
    assert settled(database).vpc_cidr_blocks == ()
    database.close()
