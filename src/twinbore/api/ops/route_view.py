"""The routes of a route table as Describe shows them, from one transaction.

Order: the local route, static routes, propagated routes. A static route is `blackhole` while its target is detached,
unplugged or gone.

Reference: EC2 API reference, `Route` (State, Origin).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from twinbore.api.operation import Call
from twinbore.model import resources as r
from twinbore.model.states import ATTACHED, ATTACHING


class RouteView:
    """Everything of the caller's account that the routes of its tables are made of, read once."""

    def __init__(self, call: Call) -> None:
        account = call.account_id
        self._vpcs = {v.id: v for v in call.tx.all(r.Vpc, account_id=account)}
        self._interfaces = {i.id: i for i in call.tx.all(r.NetworkInterface, account_id=account)}
        self._internet_gateways = {g.id: g.vpc_id for g in call.tx.all(r.InternetGateway, account_id=account)}
        attachments = call.tx.all(r.VpnGatewayAttachment, account_id=account, state=[ATTACHED, ATTACHING])
        self._vpn_gateways = {a.id: a.vpc_id for a in attachments}
        self._static = _grouped(call.tx.all(r.StaticRoute, account_id=account), "route_table_id")
        self._propagations = _grouped(call.tx.all(r.Propagation, account_id=account), "route_table_id")
        self._associations = _grouped(call.tx.all(r.RouteTableAssociation, account_id=account), "route_table_id")
        self._learned = _grouped(call.tx.all(r.GatewayRoute), "gateway_id")

    def associations(self, table_id: str) -> list[r.RouteTableAssociation]:
        found: list[r.RouteTableAssociation] = self._associations[table_id]
        return found

    def propagating(self, table_id: str) -> list[str]:
        """Gateways whose propagation into the table is on."""
        return [p.gateway_id for p in self._propagations[table_id]]

    def member(self, name: str) -> Callable[[r.RouteTable], list[Any]]:
        """A filter function: one member of every route of a table."""
        return lambda table: [route.get(name) for route in self.routes(table)]

    def routes(self, table: r.RouteTable) -> list[dict[str, Any]]:
        shown = [_route(self._vpcs[table.vpc_id].cidr_block, "CreateRouteTable", "active", GatewayId="local")]
        shown += [self._static_route(table, route) for route in self._static[table.id]]
        for gateway in self.propagating(table.id):
            if self._vpn_gateways.get(gateway) == table.vpc_id:
                shown += [
                    _route(learned.prefix, "EnableVgwRoutePropagation", "active", GatewayId=gateway)
                    for learned in self._learned[gateway]
                ]
        return shown

    def _static_route(self, table: r.RouteTable, route: r.StaticRoute) -> dict[str, Any]:
        prefix = route.destination_cidr_block
        if route.network_interface_id is not None:
            state = "active" if route.network_interface_id in self._interfaces else "blackhole"
            return _route(prefix, "CreateRoute", state, NetworkInterfaceId=route.network_interface_id)
        gateway = route.gateway_id or ""
        here = self._vpn_gateways.get(gateway) or self._internet_gateways.get(gateway)
        state = "active" if here == table.vpc_id else "blackhole"
        return _route(prefix, "CreateRoute", state, GatewayId=gateway)


def _route(prefix: str, origin: str, state: str, **target: str) -> dict[str, Any]:
    return {"DestinationCidrBlock": prefix, **target, "Origin": origin, "State": state}


def _grouped(rows: list[Any], owner: str) -> defaultdict[str, list[Any]]:
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, owner)].append(row)
    return groups
