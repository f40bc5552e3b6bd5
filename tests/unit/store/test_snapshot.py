"""The planner's input as it is read from the store."""

from __future__ import annotations

from pathlib import Path

from tests.unit import sample, worldstore
from twinbore.model import resources as r
from twinbore.store.snapshot import load_snapshot


def test_a_snapshot_is_what_was_stored(tmp_path: Path) -> None:
    database, world = worldstore.database(tmp_path), sample.world()
    worldstore.fill(database, world)
    with database.read() as tx:
        loaded = load_snapshot(tx)
        assert loaded.revision == tx.revision() == 1
    for name in world.__dataclass_fields__:
        if name != "revision":
            assert getattr(loaded, name) == getattr(world, name), name
    database.close()


def test_what_is_deleted_is_left_out(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database)
    with database.write() as tx:
        tx.update(sample.connection(), state="deleted", deleted_at=sample.NOW)
        (gateway,) = tx.all(r.VpnGateway)
        tx.update(gateway, state="deleted", deleted_at=sample.NOW)
    with database.read() as tx:
        loaded = load_snapshot(tx)
    assert (loaded.connections, loaded.tunnels, loaded.vpn_gateways) == ((), (), ())
    assert loaded.pre_shared_keys == {}
    database.close()


def test_only_tags_with_the_prefix_are_options(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    worldstore.fill(database)
    with database.write() as tx:
        for key in ("twinbore:bfd", "Name"):
            tx.insert(r.Tag(f"{sample.VPN}/{key}", sample.ACCOUNT, sample.VPN, "vpn-connection", key, "on"))
    with database.read() as tx:
        assert load_snapshot(tx).extensions == {sample.VPN: {"twinbore:bfd": "on"}}
    database.close()
