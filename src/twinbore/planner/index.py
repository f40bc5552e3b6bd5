"""Look-ups over a snapshot, in a fixed order: so that the plan does not depend on the order of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import Any, TypeVar

from twinbore.model import resources as r
from twinbore.model.snapshot import Snapshot
from twinbore.model.states import ASSOCIATED, ASSOCIATING, ATTACHED, ATTACHING, AVAILABLE, LIVING, PENDING

Row = TypeVar("Row")


class Index:
    """A snapshot by ids and by owners. Every list is sorted by id."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._subnets = _by_id(snapshot.subnets)
        self._interfaces = _by_id(snapshot.network_interfaces)
        self._customer_gateways = _by_id(snapshot.customer_gateways)
        self._gateways = {g.id: g for g in snapshot.vpn_gateways if g.state in (PENDING, AVAILABLE)}
        self._telemetry = _by_id(snapshot.telemetry)
        self._ports = _by_id(snapshot.ports)
        self._tables_by_id = _by_id(snapshot.route_tables)
        self._blocks_by_vpc = _grouped(
            [b for b in snapshot.vpc_cidr_blocks if b.state in (ASSOCIATING, ASSOCIATED)], "vpc_id"
        )
        self._subnets_by_vpc = _grouped(snapshot.subnets, "vpc_id")
        self._tables_by_vpc = _grouped(snapshot.route_tables, "vpc_id")
        self._interfaces_by_vpc = _grouped(snapshot.network_interfaces, "vpc_id")
        self._static_by_table = _grouped(snapshot.static_routes, "route_table_id")
        self._tunnels_by_connection = _grouped(snapshot.tunnels, "connection_id")
        self._routes_by_gateway = _grouped(snapshot.gateway_routes, "gateway_id")
        self._vpn_static_by_connection = _grouped(snapshot.vpn_static_routes, "connection_id")
        self._propagations = {(p.route_table_id, p.gateway_id) for p in snapshot.propagations}
        self._table_of_subnet = {a.subnet_id: a.route_table_id for a in snapshot.associations if a.subnet_id}
        self._main_table = {a.vpc_id: a.route_table_id for a in snapshot.associations if a.main}
        self._connections_by_gateway = _grouped(
            [c for c in snapshot.connections if c.state in LIVING and c.vpn_gateway_id], "vpn_gateway_id"
        )
        live = [a for a in snapshot.attachments if a.state in (ATTACHING, ATTACHED) and a.id in self._gateways]
        self._vpc_of_gateway = {a.id: a.vpc_id for a in live}
        self._gateway_of_vpc = {a.vpc_id: a.id for a in live}
        self._vpcs = _by_id(snapshot.vpcs)

    def vpcs(self) -> list[r.Vpc]:
        return sorted(self._vpcs.values(), key=attrgetter("id"))

    def blocks(self, vpc: r.Vpc) -> tuple[str, ...]:
        """The VPC's blocks, the primary one first."""
        return (vpc.cidr_block, *(b.cidr_block for b in self._blocks_by_vpc[vpc.id]))

    def gateways(self) -> list[r.VpnGateway]:
        """Virtual private gateways that are pending or available."""
        return sorted(self._gateways.values(), key=attrgetter("id"))

    def subnets(self, vpc_id: str) -> list[r.Subnet]:
        return self._subnets_by_vpc[vpc_id]

    def subnet(self, subnet_id: str) -> r.Subnet:
        return self._subnets[subnet_id]

    def route_tables(self, vpc_id: str) -> list[r.RouteTable]:
        return self._tables_by_vpc[vpc_id]

    def route_table_of_subnet(self, subnet_id: str) -> r.RouteTable:
        """The associated route table, or the VPC's main one."""
        explicit = self._table_of_subnet.get(subnet_id)
        return self._tables_by_id[explicit or self._main_table[self._subnets[subnet_id].vpc_id]]

    def static_routes(self, route_table_id: str) -> list[r.StaticRoute]:
        return self._static_by_table[route_table_id]

    def network_interface(self, eni_id: str) -> r.NetworkInterface:
        return self._interfaces[eni_id]

    def is_plugged(self, eni_id: str) -> bool:
        return eni_id in self._ports and eni_id in self._interfaces

    def plugged(self, vpc_id: str) -> list[tuple[r.NetworkInterface, r.Port]]:
        """The VPC's network interfaces that are plugged into something, with what it is."""
        return [(i, self._ports[i.id]) for i in self._interfaces_by_vpc[vpc_id] if i.id in self._ports]

    def gateway_of_vpc(self, vpc_id: str) -> r.VpnGateway | None:
        """The virtual private gateway that is attached, or being attached, to the VPC."""
        gateway_id = self._gateway_of_vpc.get(vpc_id)
        return self._gateways[gateway_id] if gateway_id else None

    def vpc_of_gateway(self, gateway_id: str) -> r.Vpc | None:
        vpc_id = self._vpc_of_gateway.get(gateway_id)
        return self._vpcs[vpc_id] if vpc_id else None

    def propagates(self, route_table_id: str, gateway_id: str) -> bool:
        return (route_table_id, gateway_id) in self._propagations

    def gateway_prefixes(self, gateway_id: str) -> list[str]:
        return [route.prefix for route in self._routes_by_gateway[gateway_id]]

    def connections(self, gateway_id: str) -> list[r.VpnConnection]:
        """Connections of a gateway that have tunnels."""
        return self._connections_by_gateway[gateway_id]

    def tunnels(self, connection_id: str) -> list[r.VpnTunnel]:
        return self._tunnels_by_connection[connection_id]

    def tunnels_of_gateway(self, gateway_id: str) -> list[r.VpnTunnel]:
        return [t for c in self.connections(gateway_id) for t in self.tunnels(c.id)]

    def vpn_static_routes(self, connection_id: str) -> list[r.VpnStaticRoute]:
        return [s for s in self._vpn_static_by_connection[connection_id] if s.state in (PENDING, AVAILABLE)]

    def customer_gateway(self, customer_gateway_id: str) -> r.CustomerGateway:
        return self._customer_gateways[customer_gateway_id]

    def telemetry(self, tunnel_id: str) -> r.TunnelTelemetry | None:
        return self._telemetry.get(tunnel_id)


def _by_id(rows: Iterable[Row]) -> dict[str, Row]:
    key: Any = attrgetter("id")
    return {key(row): row for row in rows}


def _grouped(rows: Iterable[Row], owner: str) -> defaultdict[str, list[Row]]:
    key: Any = attrgetter("id")
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=key):
        groups[getattr(row, owner)].append(row)
    return groups
