"""Moves resources from `pending` to `available`, from `deleting` to `deleted`, when the engines have made it true.

A step is taken only for a row that the applied plan saw in that very state, and only when no engine reported a failure
that names the resource (or names none that is known, which then concerns the whole host). So `available` means that
the data plane has it, and `deleted` that nothing of it is left.

`modifying` alone ends in `available` after a failure, too: the connection is there, what could not be done is told by
its tunnels (`TunnelTelemetry.failure`), and a change that put it right must not be refused for the sake of its state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from twinbore.model import bgp_password
from twinbore.model import resources as r
from twinbore.model.observed import Failure
from twinbore.model.snapshot import Snapshot
from twinbore.model.states import (
    ASSOCIATED,
    ASSOCIATING,
    ATTACHED,
    ATTACHING,
    ATTACHMENT,
    AVAILABLE,
    CIDR_BLOCK,
    CONNECTION,
    DELETED,
    DELETING,
    DETACHED,
    DETACHING,
    DISASSOCIATING,
    MODIFYING,
    PENDING,
    RESOURCE,
    Transitions,
    advance,
)
from twinbore.store.database import Transaction

_TABLES: Final[Mapping[type, Transitions]] = {
    r.VpnGatewayAttachment: ATTACHMENT,
    r.VpnConnection: CONNECTION,
    r.VpcCidrBlock: CIDR_BLOCK,
}
"""State machines of the resources that do not have the usual one."""


def settle(tx: Transaction, applied: Snapshot, failures: Collection[Failure], now: datetime) -> list[str]:
    """Take every step that `applied` allows; returns a sentence for each."""
    held = _held(applied, failures)
    steps: list[str] = []
    creatable: Iterable[Any] = (*applied.vpcs, *applied.subnets, *applied.vpn_gateways, *applied.connections)
    for row in creatable:
        if row.state == PENDING and row.id not in held:
            steps += _advance(tx, row, AVAILABLE)
    for block in applied.vpc_cidr_blocks:
        if block.vpc_id in held:
            continue
        if block.state == ASSOCIATING:
            steps += _advance(tx, block, ASSOCIATED)
        elif block.state == DISASSOCIATING:
            tx.delete(r.VpcCidrBlock, block.id)
            steps.append(f"{block.cidr_block} is no block of {block.vpc_id} any more")
    for attachment in applied.attachments:
        if held.isdisjoint({attachment.id, attachment.vpc_id}):
            target = {ATTACHING: ATTACHED, DETACHING: DETACHED}.get(attachment.state)
            if target:
                steps += _advance(tx, attachment, target)
    for connection in applied.connections:
        if connection.state == MODIFYING:
            steps += _advance(tx, connection, AVAILABLE)
        if connection.state == DELETING and connection.id not in held:
            steps += _finish_connection(tx, connection, applied, now)
    for gateway in applied.vpn_gateways:
        if gateway.state == DELETING and gateway.id not in held:
            tx.delete(r.Propagation, *(p.id for p in tx.all(r.Propagation, gateway_id=gateway.id)))
            tx.delete(r.GatewayRoute, *(route.id for route in tx.all(r.GatewayRoute, gateway_id=gateway.id)))
            steps += _advance(tx, gateway, DELETED, deleted_at=now)
    for route in applied.vpn_static_routes:
        if route.connection_id in held:
            continue
        if route.state == PENDING:
            steps += _advance(tx, route, AVAILABLE)
        elif route.state == DELETING:
            tx.delete(r.VpnStaticRoute, route.id)
            steps.append(f"{route.id} is removed")
    return steps


def needs_settling(snapshot: Snapshot) -> bool:
    """Whether any row of `snapshot` waits for a step."""
    waiting = {PENDING, MODIFYING, DELETING, ATTACHING, DETACHING, ASSOCIATING, DISASSOCIATING}
    rows: Iterable[Any] = (
        *snapshot.vpcs,
        *snapshot.vpc_cidr_blocks,
        *snapshot.subnets,
        *snapshot.vpn_gateways,
        *snapshot.connections,
        *snapshot.attachments,
        *snapshot.vpn_static_routes,
    )
    return any(row.state in waiting for row in rows)


def purge(tx: Transaction, now: datetime, visible: timedelta) -> list[str]:
    """Remove gateways and connections that have been deleted for longer than `visible`."""
    removed: list[str] = []
    for connection in tx.all(r.VpnConnection, state=DELETED):
        if _expired(connection.deleted_at, now, visible):
            tx.delete(r.VpnTunnel, *(t.id for t in tx.all(r.VpnTunnel, connection_id=connection.id)))
            removed.append(_remove(tx, r.VpnConnection, connection.id))
    used = {c.customer_gateway_id for c in tx.all(r.VpnConnection)}
    for customer in tx.all(r.CustomerGateway, state=DELETED):
        if _expired(customer.deleted_at, now, visible) and customer.id not in used:
            removed.append(_remove(tx, r.CustomerGateway, customer.id))
    used = {c.vpn_gateway_id or "" for c in tx.all(r.VpnConnection)}
    for gateway in tx.all(r.VpnGateway, state=DELETED):
        if _expired(gateway.deleted_at, now, visible) and gateway.id not in used:
            tx.delete(r.VpnGatewayAttachment, gateway.id)
            removed.append(_remove(tx, r.VpnGateway, gateway.id))
    return removed


def _remove(tx: Transaction, kind: type, key: str) -> str:
    tx.delete(r.Tag, *(t.id for t in tx.all(r.Tag, resource_id=key)))
    tx.delete(kind, key)
    return key


def _expired(deleted_at: datetime | None, now: datetime, visible: timedelta) -> bool:
    return deleted_at is not None and now - deleted_at > visible


def _held(applied: Snapshot, failures: Collection[Failure]) -> set[str]:
    """Ids of resources that a failure concerns: those that its subject names, or all when it names none."""
    owners: dict[str, set[str]] = {v.id: {v.id} for v in applied.vpcs}
    owners |= {g.id: {g.id} for g in applied.vpn_gateways}
    owners |= {c.id: {c.id} for c in applied.connections}
    owners |= {f"t{t.if_id}": {t.connection_id} for t in applied.tunnels}
    owners |= {s.id: {s.id} for s in applied.subnets}
    owners |= {i.id: set() for i in applied.network_interfaces}
    held: set[str] = set()
    for failure in failures:
        named = [key for key in owners if key in failure.subject or key.replace("-", "_") in failure.subject]
        for key in named or owners:
            held |= owners[key]
    return held


def _advance(tx: Transaction, seen: Any, target: str, **changes: Any) -> list[str]:
    current = tx.get(type(seen), seen.id)
    if current is None or current.state != seen.state:
        return []
    table = _TABLES.get(type(seen), RESOURCE)
    tx.update(current, state=advance(table, current.state, target), **changes)
    return [f"{seen.id} is {target}"]


def _finish_connection(tx: Transaction, connection: r.VpnConnection, applied: Snapshot, now: datetime) -> list[str]:
    tunnels = [t.id for t in applied.tunnels if t.connection_id == connection.id]
    tx.delete(r.TunnelTelemetry, *tunnels)
    for tunnel in tunnels:
        tx.delete_secret(tunnel, "pre_shared_key")
        tx.delete_secret(tunnel, bgp_password.FIELD)
    tx.delete(r.VpnStaticRoute, *(s.id for s in tx.all(r.VpnStaticRoute, connection_id=connection.id)))
    return _advance(tx, connection, DELETED, deleted_at=now)
