"""How a route table is shown: its associations, and its routes with where they come from and whether they carry.

A table's routes are, in this order:
* the local route of each of the VPC's blocks, or what ReplaceRoute has put in its place;
* static routes; one whose target is gone or detached, or whose network interface is plugged into nothing, is a
  `blackhole` (the planner makes it one in the kernel too);
* routes propagated from the attached virtual private gateway, when the table takes them, up to the quota. One with the
  CIDR of a static route is shown beside it; the static one wins.

References: EC2 API reference, `Route`, `RouteTableAssociation`, `PropagatingVgw`; Amazon VPC User Guide, "Route
priority".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from twinbore.api.operation import Call
from twinbore.model import resources as r
from twinbore.model.propagation import propagated
from twinbore.model.states import ASSOCIATED, ASSOCIATING, ATTACHED, ATTACHING

LOCAL: Final = "local"
ACTIVE: Final = "active"
BLACKHOLE: Final = "blackhole"


class RouteTableView:
    """What an account's route tables are shown with, read once."""

    def __init__(self, call: Call) -> None:
        tx, account = call.tx, call.account_id
        self._blocks = {v.id: [v.cidr_block] for v in tx.all(r.Vpc, account_id=account)}
        for block in tx.all(r.VpcCidrBlock, account_id=account, state=[ASSOCIATING, ASSOCIATED]):
            self._blocks[block.vpc_id].append(block.cidr_block)
        self._internet_gateways = {g.id: g.vpc_id for g in tx.all(r.InternetGateway, account_id=account)}
        attachments = tx.all(r.VpnGatewayAttachment, account_id=account, state=[ATTACHING, ATTACHED])
        self._vpn_gateways = {a.id: a.vpc_id for a in attachments}
        self._plugged = {p.id for p in tx.all(r.Port, account_id=account)}
        self._associations: defaultdict[str, list[r.RouteTableAssociation]] = defaultdict(list)
        for association in tx.all(r.RouteTableAssociation, account_id=account):
            self._associations[association.route_table_id].append(association)
        self._static: defaultdict[str, list[r.StaticRoute]] = defaultdict(list)
        for route in tx.all(r.StaticRoute, account_id=account):
            self._static[route.route_table_id].append(route)
        self._propagating: defaultdict[str, list[str]] = defaultdict(list)
        for propagation in tx.all(r.Propagation, account_id=account):
            self._propagating[propagation.route_table_id].append(propagation.gateway_id)
        self._learned: defaultdict[str, list[str]] = defaultdict(list)
        for learned in tx.all(r.GatewayRoute, gateway_id=list(self._vpn_gateways)):
            self._learned[learned.gateway_id].append(learned.prefix)
        self._limit = call.settings.quotas.propagated_routes_per_route_table

    def shape(self, table: r.RouteTable, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
        return {
            "RouteTableId": table.id,
            "VpcId": table.vpc_id,
            "OwnerId": table.account_id,
            "Associations": self.associations(table),
            "PropagatingVgws": [{"GatewayId": gateway_id} for gateway_id in self._propagating_gateways(table)],
            "Routes": self.routes(table),
            "Tags": tags[table.id],
        }

    def associations(self, table: r.RouteTable) -> list[dict[str, Any]]:
        """`RouteTableAssociation`s; the main one has no subnet."""
        return [
            {
                "RouteTableAssociationId": association.id,
                "RouteTableId": table.id,
                "Main": association.main,
                **({"SubnetId": association.subnet_id} if association.subnet_id else {}),
                "AssociationState": {"State": "associated"},
            }
            for association in self._associations[table.id]
        ]

    def routes(self, table: r.RouteTable) -> list[dict[str, str]]:
        """`Route`s, as in the module's description."""
        static = {s.destination_cidr_block: s for s in self._static[table.id]}
        shapes = []
        for block in self._blocks[table.vpc_id]:
            replaced = static.pop(block, None)
            if replaced is None:
                shapes.append(_route(block, "GatewayId", LOCAL, "CreateRouteTable", ACTIVE))
            else:
                shapes.append(self._static_route(table, replaced, "CreateRouteTable"))
        shapes += [self._static_route(table, route, "CreateRoute") for route in static.values()]
        for gateway_id in self._propagating_gateways(table):
            for prefix in propagated(self._learned[gateway_id], self._limit):
                shapes.append(_route(prefix, "GatewayId", gateway_id, "EnableVgwRoutePropagation", ACTIVE))
        return shapes

    def destinations(self, table: r.RouteTable) -> list[str]:
        """Destinations of the table's static and propagated routes; not those of the local ones."""
        local = self._blocks[table.vpc_id]
        return [d for route in self.routes(table) if (d := route["DestinationCidrBlock"]) not in local]

    def propagated_from(self, table: r.RouteTable, destination: str) -> str | None:
        """The gateway that propagates a route with this destination to the table, or None."""
        return next((g for g in self._propagating_gateways(table) if destination in self._learned[g]), None)

    def _static_route(self, table: r.RouteTable, route: r.StaticRoute, origin: str) -> dict[str, str]:
        member = "GatewayId" if route.gateway_id else "NetworkInterfaceId"
        target = route.gateway_id or route.network_interface_id or ""
        state = ACTIVE if self._reaches(table, route) else BLACKHOLE
        return _route(route.destination_cidr_block, member, target, origin, state)

    def _propagating_gateways(self, table: r.RouteTable) -> list[str]:
        return [g for g in self._propagating[table.id] if self._vpn_gateways.get(g) == table.vpc_id]

    def _reaches(self, table: r.RouteTable, route: r.StaticRoute) -> bool:
        if route.network_interface_id is not None:
            return route.network_interface_id in self._plugged
        gateways = self._internet_gateways | self._vpn_gateways
        return gateways.get(route.gateway_id or "") == table.vpc_id


def _route(destination: str, member: str, target: str, origin: str, state: str) -> dict[str, str]:
    return {"DestinationCidrBlock": destination, member: target, "Origin": origin, "State": state}
