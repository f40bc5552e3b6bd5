"""Static routes of a route table: to an internet gateway, a virtual private gateway or a network interface.

* A destination is an IPv4 block without host bits (AWS would silently clear them); it identifies the route.
* The target must be of the table's VPC when the route is made. When it goes later the route stays and is a blackhole.
* The local route cannot be replaced or removed, and inside the VPC's block there is no other route: what goes there is
  delivered by the VPC's router itself.
* A static route may have the destination of a propagated one, and wins then.

References: EC2 API reference, CreateRoute, ReplaceRoute, DeleteRoute; Amazon VPC User Guide, "Route priority".
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import cidr, lookup, refuse_others
from twinbore.api.ops.route_table_view import LOCAL, RouteTableView
from twinbore.model import resources as r
from twinbore.model.ids import is_id
from twinbore.model.states import ATTACHED, ATTACHING

TARGETS: Final = ("GatewayId", "NetworkInterfaceId")
GATEWAY_FORMS: Final = "igw-... or vgw-..."


@dataclass(frozen=True, slots=True)
class Target:
    """Where a route leads: exactly one of the two."""

    gateway_id: str | None = None
    network_interface_id: str | None = None


@operation("CreateRoute")
def create_route(call: Call, request: Request) -> Response:
    table, destination = _subject(call, request, *TARGETS)
    block = IPv4Network(_vpc(call, table).cidr_block)
    if destination == block:
        raise _already_exists(destination)
    if destination.subnet_of(block):
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks "
            f"({block}): the local route cannot be overridden.",
        )
    target = _target(call, request, table)
    routes = call.tx.all(r.StaticRoute, route_table_id=table.id)
    if any(route.destination_cidr_block == str(destination) for route in routes):
        raise _already_exists(destination)
    limit = call.settings.quotas.routes_per_route_table
    if len(routes) >= limit:
        raise errors.limit_exceeded("RouteLimitExceeded", f"routes of {table.id}", limit)
    call.tx.insert(
        r.StaticRoute(
            id=_key(table, destination),
            account_id=call.account_id,
            route_table_id=table.id,
            destination_cidr_block=str(destination),
            gateway_id=target.gateway_id,
            network_interface_id=target.network_interface_id,
            created_at=call.now,
        )
    )
    return {"Return": True}


@operation("ReplaceRoute")
def replace_route(call: Call, request: Request) -> Response:
    table, destination = _subject(call, request, *TARGETS)
    route = _existing(call, table, destination, "replaced")
    target = _target(call, request, table)
    call.tx.update(route, gateway_id=target.gateway_id, network_interface_id=target.network_interface_id)
    return {}


@operation("DeleteRoute")
def delete_route(call: Call, request: Request) -> Response:
    table, destination = _subject(call, request)
    route = _existing(call, table, destination, "removed")
    call.tx.delete(r.StaticRoute, route.id)
    return {}


def _subject(call: Call, request: Request, *members: str) -> tuple[r.RouteTable, IPv4Network]:
    refuse_others(request, "RouteTableId", "DestinationCidrBlock", *members)
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    if request.get("DestinationCidrBlock") is None:
        raise errors.missing_parameter("DestinationCidrBlock")
    return table, cidr("DestinationCidrBlock", request["DestinationCidrBlock"])


def _key(table: r.RouteTable, destination: IPv4Network) -> str:
    return f"{table.id}/{destination}"


def _vpc(call: Call, table: r.RouteTable) -> r.Vpc:
    return lookup(call, r.Vpc, "vpc", table.vpc_id)


def _already_exists(destination: IPv4Network) -> ApiError:
    return ApiError("RouteAlreadyExists", f"The route identified by {destination} already exists.")


def _existing(call: Call, table: r.RouteTable, destination: IPv4Network, done: str) -> r.StaticRoute:
    route = call.tx.get(r.StaticRoute, _key(table, destination))
    if route is not None:
        return route
    if str(destination) == _vpc(call, table).cidr_block:
        raise ApiError(
            "InvalidParameterValue", f"The local route {destination} of route table {table.id} cannot be {done}."
        )
    gateway_id = RouteTableView(call).propagated_from(table, str(destination))
    hint = (
        f"; the one there is propagated from {gateway_id}: DisableVgwRoutePropagation ends that" if gateway_id else ""
    )
    raise ApiError(
        "InvalidRoute.NotFound", f"no route with destination-cidr-block {destination} in route table {table.id}{hint}"
    )


def _target(call: Call, request: Request, table: r.RouteTable) -> Target:
    given = [name for name in TARGETS if request.get(name) is not None]
    if not given:
        raise errors.missing_parameter(" or ".join(TARGETS))
    if len(given) > 1:
        raise errors.combination(f"Exactly one of {' and '.join(TARGETS)} may be given.")
    if given == ["NetworkInterfaceId"]:
        interface = lookup(call, r.NetworkInterface, "network-interface", request["NetworkInterfaceId"])
        if interface.vpc_id != table.vpc_id:
            raise _different_networks(table, f"interface {interface.id}")
        return Target(network_interface_id=interface.id)
    gateway_id: str = request["GatewayId"]
    if _network_of(call, gateway_id) != table.vpc_id:
        raise _different_networks(table, f"network gateway {gateway_id}")
    return Target(gateway_id=gateway_id)


def _network_of(call: Call, gateway_id: str) -> str | None:
    """The VPC that the gateway is attached to, or None."""
    if gateway_id == LOCAL:
        raise errors.invalid_value("GatewayId", gateway_id, f"{GATEWAY_FORMS}; the local route is always there")
    gateway: r.InternetGateway | r.VpnGatewayAttachment | None
    if is_id("internet-gateway", gateway_id):
        gateway = call.tx.get(r.InternetGateway, gateway_id)
        there = gateway is not None and gateway.account_id == call.account_id
        network = gateway.vpc_id if gateway else None
    elif is_id("vpn-gateway", gateway_id):
        owner = call.tx.get(r.VpnGateway, gateway_id)
        there = owner is not None and owner.account_id == call.account_id
        gateway = call.tx.get(r.VpnGatewayAttachment, gateway_id)
        network = gateway.vpc_id if gateway and gateway.state in (ATTACHING, ATTACHED) else None
    else:
        raise ApiError("InvalidGatewayID.Malformed", f'Invalid id: "{gateway_id}" (expecting "{GATEWAY_FORMS}")')
    if not there:
        raise ApiError("InvalidGatewayID.NotFound", f"The gateway ID '{gateway_id}' does not exist")
    return network


def _different_networks(table: r.RouteTable, what: str) -> ApiError:
    return ApiError(
        "InvalidParameterValue",
        f"route table {table.id} and {what} belong to different networks: attach the target to {table.vpc_id}, or "
        "choose another",
    )
