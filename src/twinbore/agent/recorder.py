"""From what the engines observe to the rows that Describe shows: telemetry of tunnels, routes that gateways carry.

Rows are written only when a fact changed, so that a quiet host writes nothing. `Recorded.plan_changed` says whether a
fact that the plan depends on is among them (an interface that must go up or down, a prefix that came or went).

Maintenance is pending on a tunnel while its SAs run with times that were changed since; it is applied when they no
longer do.

Reference: EC2 API reference, `VgwTelemetry` (LastStatusChange: the time of the last change in status).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twinbore.model import resources as r
from twinbore.model.naming import session_name, tunnel_interface
from twinbore.model.observed import BgpObservation, EspStatus, Failure, IkeStatus
from twinbore.model.snapshot import Snapshot
from twinbore.model.states import DELETING, TUNNEL, advance
from twinbore.model.telemetry import Verdict, judge
from twinbore.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Observations:
    """Everything that the engines saw in one round."""

    esp: tuple[EspStatus, ...]
    ike: tuple[IkeStatus, ...]
    bgp: BgpObservation


@dataclass(frozen=True, slots=True)
class Recorded:
    """The rows to write, and whether the plan depends on one of them."""

    telemetry: tuple[r.TunnelTelemetry, ...]
    new_routes: tuple[r.GatewayRoute, ...]
    gone_routes: tuple[str, ...]
    plan_changed: bool
    sentences: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.telemetry or self.new_routes or self.gone_routes)


def compare(snapshot: Snapshot, seen: Observations, now: datetime, failures: Collection[Failure] = ()) -> Recorded:
    """What `seen` and the round's failures change in the rows of `snapshot`. Pure."""
    esp = {status.if_id: status for status in seen.esp}
    ike = {status.name: status for status in seen.ike}
    bgp = {status.session: status for status in seen.bgp.sessions}
    before = {row.id: row for row in snapshot.telemetry}
    connections = {c.id: c for c in snapshot.connections}
    telemetry: list[r.TunnelTelemetry] = []
    sentences: list[str] = []
    plan_changed = False
    for tunnel in snapshot.tunnels:
        connection = connections[tunnel.connection_id]
        old = before.get(tunnel.id)
        if connection.state == DELETING or old is None:
            continue
        static = None
        if connection.static_routes_only:
            static = sum(1 for s in snapshot.vpn_static_routes if s.connection_id == connection.id)
        status = esp.get(tunnel.if_id)
        verdict = judge(
            static_routes=static,
            esp=status,
            ike=ike.get(tunnel.id),
            bgp=bgp.get(session_name(tunnel.id)),
            password=tunnel.id in snapshot.bgp_passwords,
            paused=connection.paused,
        )
        new = _row(old, verdict, status, ike.get(tunnel.id), now)
        new = _maintenance(replace(new, failure=_failure(tunnel, failures)), ike.get(tunnel.id), now)
        if new != old:
            telemetry.append(new)
            plan_changed |= new.carrying != old.carrying or new.phase2_encryption != old.phase2_encryption
            if (new.status, new.status_message, new.detail) != (old.status, old.status_message, old.detail):
                sentences.append(f"tunnel {tunnel.id} is {new.status}: {new.detail or new.status_message}")
    new_routes, gone_routes = _routes(snapshot, seen.bgp)
    sentences += [f"{route.gateway_id} learned {route.prefix}" for route in new_routes]
    sentences += [f"{gone} is gone" for gone in gone_routes]
    return Recorded(
        tuple(telemetry),
        new_routes,
        gone_routes,
        plan_changed or bool(new_routes or gone_routes),
        tuple(sentences),
    )


def write(tx: Transaction, recorded: Recorded) -> None:
    """Store what `compare` found; a row whose tunnel or gateway has gone meanwhile is passed over."""
    for row in recorded.telemetry:
        if tx.get(r.TunnelTelemetry, row.id) is not None:
            tx.update(row)
    tx.delete(r.GatewayRoute, *recorded.gone_routes)
    for route in recorded.new_routes:
        if tx.get(r.VpnGateway, route.gateway_id) is not None and tx.get(r.GatewayRoute, route.id) is None:
            tx.insert(route)


def _row(
    old: r.TunnelTelemetry, verdict: Verdict, esp: EspStatus | None, ike: IkeStatus | None, now: datetime
) -> r.TunnelTelemetry:
    carrying = esp is not None and (esp.carrying or esp.resuming)
    changed = verdict.status != old.status
    new = replace(
        old,
        status=advance(TUNNEL, old.status, verdict.status) if changed else old.status,
        status_message=verdict.message,
        last_status_change=now if changed else old.last_status_change,
        accepted_route_count=verdict.accepted_routes,
        carrying=carrying,
        detail=verdict.detail[:1000],
    )
    if ike is not None and ike.child_installed:
        return replace(
            new,
            ike_version=ike.ike_version,
            phase1_encryption=ike.phase1_encryption,
            phase1_integrity=ike.phase1_integrity,
            phase1_dh_group=ike.phase1_dh_group,
            phase2_encryption=ike.phase2_encryption,
            phase2_integrity=ike.phase2_integrity,
            phase2_dh_group=ike.phase2_dh_group,
        )
    if carrying:
        # The SAs outlived charon, or are being made anew: what was negotiated still holds.
        return new
    return replace(
        new,
        ike_version=None,
        phase1_encryption=None,
        phase1_integrity=None,
        phase1_dh_group=None,
        phase2_encryption=None,
        phase2_integrity=None,
        phase2_dh_group=None,
    )


def _failure(tunnel: r.VpnTunnel, failures: Collection[Failure]) -> str:
    """What an engine could not do for this very tunnel."""
    names = (tunnel.id, session_name(tunnel.id), tunnel_interface(tunnel.if_id))
    return "; ".join(f.message for f in failures if f.subject.removesuffix(".v1") in names)[:1000]


def _maintenance(row: r.TunnelTelemetry, ike: IkeStatus | None, now: datetime) -> r.TunnelTelemetry:
    pending = ike is not None and ike.outdated
    if pending == row.maintenance_pending:
        return row
    if not pending:
        return replace(row, maintenance_pending=False, maintenance_due_at=None, maintenance_applied_at=now)
    seconds = ike.renewal_seconds if ike is not None else None
    due = None if seconds is None else now + timedelta(seconds=seconds)
    return replace(row, maintenance_pending=True, maintenance_due_at=due)


def _routes(snapshot: Snapshot, bgp: BgpObservation) -> tuple[tuple[r.GatewayRoute, ...], tuple[str, ...]]:
    gateways = {g.id for g in snapshot.vpn_gateways}
    seen = {
        f"{route.domain}/{route.prefix}": r.GatewayRoute(f"{route.domain}/{route.prefix}", route.domain, route.prefix)
        for route in bgp.routes
        if route.domain in gateways
    }
    known = {route.id for route in snapshot.gateway_routes}
    new = tuple(seen[key] for key in sorted(seen.keys() - known))
    return new, tuple(sorted(known - seen.keys()))
