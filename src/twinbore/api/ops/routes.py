"""Static routes of a route table: to an internet gateway, a virtual private gateway or a network interface.

References: EC2 API reference, CreateRoute, ReplaceRoute, DeleteRoute; Amazon VPC User Guide, "Route priority".
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import cidr, lookup
from twinbore.model import resources as r
from twinbore.model.ids import is_id

SUPPORTED_TARGETS: Final = ("GatewayId", "NetworkInterfaceId")
FRAME_MEMBERS: Final = ("RouteTableId", "DestinationCidrBlock")


@operation("CreateRoute")
def create_route(call: Call, request: Request) -> Response:
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    prefix = _destination(request)
    gateway, interface = _target(call, request, table)
    _refuse_local(call, table, prefix)
    present = _find(call, table, prefix)
    if present is not None:
        if (present.gateway_id, present.network_interface_id) == (gateway, interface):
            return {"Return": True}
        raise ApiError("RouteAlreadyExists", f"The route identified by {prefix} already exists.")
    limit = call.settings.quotas.routes_per_route_table
    if len(call.tx.all(r.StaticRoute, route_table_id=table.id)) >= limit:
        raise errors.limit_exceeded("RouteLimitExceeded", f"routes in {table.id}", limit)
    call.tx.insert(
        r.StaticRoute(f"{table.id}/{prefix}", call.account_id, table.id, prefix, gateway, interface, call.now)
    )
    return {"Return": True}


@operation("ReplaceRoute")
def replace_route(call: Call, request: Request) -> Response:
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    prefix = _destination(request)
    gateway, interface = _target(call, request, table)
    call.tx.update(_existing(call, table, prefix), gateway_id=gateway, network_interface_id=interface)
    return {}


@operation("DeleteRoute")
def delete_route(call: Call, request: Request) -> Response:
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    prefix = _destination(request)
    _refuse_local(call, table, prefix)
    call.tx.delete(r.StaticRoute, _existing(call, table, prefix).id)
    return {}


def _destination(request: Request) -> str:
    for name in ("DestinationIpv6CidrBlock", "DestinationPrefixListId"):
        if request.get(name) is not None:
            raise errors.unsupported(f"{name}: routes have an IPv4 destination here, given as DestinationCidrBlock.")
    if request.get("DestinationCidrBlock") is None:
        raise errors.missing_parameter("destinationCidrBlock")
    return str(cidr("destinationCidrBlock", request["DestinationCidrBlock"]))


def _target(call: Call, request: Request, table: r.RouteTable) -> tuple[str | None, str | None]:
    """(gateway id, network interface id) of the request, one of them None."""
    given = [n for n in request if n not in FRAME_MEMBERS and not n.startswith("Destination")]
    others = [n for n in given if n not in SUPPORTED_TARGETS]
    if others:
        raise errors.unsupported(f"{others[0]}: a route's target is {' or '.join(SUPPORTED_TARGETS)} here.")
    if len(given) != 1:
        raise errors.combination(f"The request must contain exactly one of {', '.join(SUPPORTED_TARGETS)}")
    if given == ["NetworkInterfaceId"]:
        interface = lookup(call, r.NetworkInterface, "network-interface", request["NetworkInterfaceId"])
        if interface.vpc_id != table.vpc_id:
            raise ApiError(
                "InvalidParameterValue",
                f"route table {table.id} and interface {interface.id} belong to different networks",
            )
        return None, interface.id
    return _gateway(call, str(request["GatewayId"]), table), None


def _gateway(call: Call, value: str, table: r.RouteTable) -> str:
    if is_id("internet-gateway", value):
        vpc_id = lookup(call, r.InternetGateway, "internet-gateway", value).vpc_id
    elif is_id("vpn-gateway", value):
        lookup(call, r.VpnGateway, "vpn-gateway", value)
        attachment = call.tx.get(r.VpnGatewayAttachment, value)
        vpc_id = attachment.vpc_id if attachment and attachment.state in ("attaching", "attached") else None
    else:
        raise errors.invalid_value(
            "gatewayId", value, "an internet gateway (igw-...) or virtual private gateway (vgw-...)"
        )
    if vpc_id != table.vpc_id:
        raise ApiError(
            "InvalidParameterValue",
            f"route table {table.id} and network gateway {value} belong to different networks: attach it to "
            f"{table.vpc_id} first",
        )
    return value


def _refuse_local(call: Call, table: r.RouteTable, prefix: str) -> None:
    vpc = lookup(call, r.Vpc, "vpc", table.vpc_id)
    if IPv4Network(prefix).subnet_of(IPv4Network(vpc.cidr_block)):
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {prefix} is equal to or more specific than one of this VPC's CIDR blocks "
            f"({vpc.cidr_block}), which the local route serves.",
        )


def _find(call: Call, table: r.RouteTable, prefix: str) -> r.StaticRoute | None:
    return call.tx.get(r.StaticRoute, f"{table.id}/{prefix}")


def _existing(call: Call, table: r.RouteTable, prefix: str) -> r.StaticRoute:
    route = _find(call, table, prefix)
    if route is None:
        raise ApiError(
            "InvalidRoute.NotFound", f"no route with destination-cidr-block {prefix} in route table {table.id}"
        )
    return route
