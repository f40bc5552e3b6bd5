"""Reads the planner's input in one transaction, so that a plan never mixes two revisions."""

from __future__ import annotations

from twinbore.model import bgp_password, extensions
from twinbore.model import resources as r
from twinbore.model.snapshot import Snapshot
from twinbore.model.states import DELETED
from twinbore.store.database import Transaction


def load_snapshot(tx: Transaction) -> Snapshot:
    """Everything that shapes a host; gateways and connections that are deleted are left out."""
    connections = tuple(c for c in tx.all(r.VpnConnection) if c.state != DELETED)
    living = {c.id for c in connections}
    tunnels = tuple(t for t in tx.all(r.VpnTunnel) if t.connection_id in living)
    tunnel_ids = [t.id for t in tunnels]
    keys = tx.secrets(tunnel_ids, "pre_shared_key")
    options: dict[str, dict[str, str]] = {}
    for tag in tx.all(r.Tag):
        if tag.key.startswith(extensions.PREFIX):
            options.setdefault(tag.resource_id, {})[tag.key] = tag.value
    return Snapshot(
        revision=tx.revision(),
        vpcs=tuple(tx.all(r.Vpc)),
        vpc_cidr_blocks=tuple(tx.all(r.VpcCidrBlock)),
        subnets=tuple(tx.all(r.Subnet)),
        route_tables=tuple(tx.all(r.RouteTable)),
        associations=tuple(tx.all(r.RouteTableAssociation)),
        static_routes=tuple(tx.all(r.StaticRoute)),
        propagations=tuple(tx.all(r.Propagation)),
        network_interfaces=tuple(tx.all(r.NetworkInterface)),
        ports=tuple(tx.all(r.Port)),
        customer_gateways=tuple(tx.all(r.CustomerGateway)),
        vpn_gateways=tuple(g for g in tx.all(r.VpnGateway) if g.state != DELETED),
        attachments=tuple(tx.all(r.VpnGatewayAttachment)),
        connections=connections,
        tunnels=tunnels,
        vpn_static_routes=tuple(tx.all(r.VpnStaticRoute)),
        telemetry=tuple(tx.all(r.TunnelTelemetry)),
        gateway_routes=tuple(tx.all(r.GatewayRoute)),
        pre_shared_keys={t.id: keys.get(t.id, "") for t in tunnels},
        bgp_passwords=tx.secrets(tunnel_ids, bgp_password.FIELD),
        extensions=options,
    )
