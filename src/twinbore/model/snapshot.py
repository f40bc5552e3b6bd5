"""The planner's input: every resource that shapes a host, at one revision.

Collections are tuples in any order: the planner's result does not depend on it. `pre_shared_keys` maps tunnel ids to
keys, `bgp_passwords` those that have one to the password of their BGP session; `extensions` maps resource ids to their
`twinbore:` tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from twinbore.model import resources as r


@dataclass(frozen=True, slots=True)
class Snapshot:
    revision: int = 0
    vpcs: tuple[r.Vpc, ...] = ()
    vpc_cidr_blocks: tuple[r.VpcCidrBlock, ...] = ()
    subnets: tuple[r.Subnet, ...] = ()
    route_tables: tuple[r.RouteTable, ...] = ()
    associations: tuple[r.RouteTableAssociation, ...] = ()
    static_routes: tuple[r.StaticRoute, ...] = ()
    propagations: tuple[r.Propagation, ...] = ()
    network_interfaces: tuple[r.NetworkInterface, ...] = ()
    ports: tuple[r.Port, ...] = ()
    customer_gateways: tuple[r.CustomerGateway, ...] = ()
    vpn_gateways: tuple[r.VpnGateway, ...] = ()
    attachments: tuple[r.VpnGatewayAttachment, ...] = ()
    connections: tuple[r.VpnConnection, ...] = ()
    tunnels: tuple[r.VpnTunnel, ...] = ()
    vpn_static_routes: tuple[r.VpnStaticRoute, ...] = ()
    telemetry: tuple[r.TunnelTelemetry, ...] = ()
    gateway_routes: tuple[r.GatewayRoute, ...] = ()
    pre_shared_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    bgp_passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    extensions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
