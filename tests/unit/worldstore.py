"""The sample world in a database of its own."""

from __future__ import annotations

from pathlib import Path

from tests.unit import sample
from twinbore.model import resources as r
from twinbore.model.snapshot import Snapshot
from twinbore.store import migrate
from twinbore.store.database import Database, connect, sqlite_url
from twinbore.store.secrets import SecretBox

FILE = "twinbore.db"


def connect_to(directory: Path) -> Database:
    """The database that is there."""
    return connect(sqlite_url(directory / FILE), SecretBox(b"k" * 32))


def database(directory: Path) -> Database:
    """An empty database with its schema."""
    opened = connect_to(directory)
    migrate.upgrade(opened.engine)
    return opened


def fill(opened: Database, world: Snapshot | None = None) -> None:
    """Store every row of a snapshot, owners first."""
    world = world or sample.world()
    with opened.write() as tx:
        tx.insert(r.Account(sample.ACCOUNT, sample.NOW), *world.vpcs, *world.subnets, *world.route_tables)
        tx.insert(*world.vpc_cidr_blocks)
        tx.insert(*world.associations, *world.static_routes, *world.vpn_gateways, *world.propagations)
        tx.insert(*world.network_interfaces, *world.ports, *world.customer_gateways, *world.attachments)
        tx.insert(*world.connections, *world.tunnels, *world.vpn_static_routes, *world.telemetry, *world.gateway_routes)
        for tunnel_id, key in world.pre_shared_keys.items():
            tx.put_secret(tunnel_id, "pre_shared_key", key)
