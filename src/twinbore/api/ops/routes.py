"""Static routes of a route table: to an internet gateway, a virtual private gateway or a network interface.

* A destination is an IPv4 block, its host bits are cleared; it identifies the route.
* The target must be of the table's VPC when the route is made. When it goes later the route stays and is a blackhole.
* Inside the VPC's blocks the local routes rule, with AWS's two exceptions for a middlebox: a route for exactly one
  subnet's block may lead to a network interface, and ReplaceRoute may put a network interface in the place of a local
  route, and the local route back. A local route cannot be removed.
* A static route may have the destination of a propagated one, and wins then.
* CreateRoute with the target that the route has already succeeds and changes nothing.

References: EC2 API reference, CreateRoute, ReplaceRoute, DeleteRoute; Amazon VPC User Guide, "Route priority",
"Middlebox routing", "Replace or restore the target for a local route".
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import canonical_cidr, lookup, refuse_others
from twinbore.api.ops.route_table_view import RouteTableView
from twinbore.api.ops.vpc_cidrs import blocks_of
from twinbore.model import resources as r
from twinbore.model.ids import is_id
from twinbore.model.states import ATTACHED, ATTACHING
from twinbore.model.vpc_blocks import block_of

TARGETS: Final = ("GatewayId", "NetworkInterfaceId")
OTHER_TARGETS: Final = (
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NatGatewayId",
    "OdbNetworkArn",
    "TransitGatewayId",
    "VpcEndpointId",
    "VpcPeeringConnectionId",
)
OTHER_DESTINATIONS: Final = ("DestinationIpv6CidrBlock", "DestinationPrefixListId")
GATEWAY_FORMS: Final = "igw-... or vgw-..."
LOCAL_GATEWAY: Final = "local"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a route leads: exactly one of the two."""

    gateway_id: str | None = None
    network_interface_id: str | None = None


@operation("CreateRoute")
def create_route(call: Call, request: Request) -> Response:
    table, destination = _subject(call, request, *TARGETS)
    target = _target(call, request, table)
    _check_inside(call, table, destination, target)
    if str(destination) in _blocks(call, table):
        raise _already_exists(destination)
    present = call.tx.get(r.StaticRoute, _key(table.id, destination))
    if present is None:
        new_static_route(call, table.id, str(destination), target.gateway_id, target.network_interface_id)
    elif Target(present.gateway_id, present.network_interface_id) != target:
        raise _already_exists(destination)
    return {"Return": True}


def new_static_route(
    call: Call,
    route_table_id: str,
    destination: str,
    gateway_id: str | None = None,
    network_interface_id: str | None = None,
) -> None:
    """Store a route with one of the targets. Raises RouteLimitExceeded."""
    limit = call.settings.quotas.routes_per_route_table
    if len(call.tx.all(r.StaticRoute, route_table_id=route_table_id)) >= limit:
        raise errors.limit_exceeded("RouteLimitExceeded", f"routes of {route_table_id}", limit)
    call.tx.insert(
        r.StaticRoute(
            id=_key(route_table_id, IPv4Network(destination)),
            account_id=call.account_id,
            route_table_id=route_table_id,
            destination_cidr_block=destination,
            gateway_id=gateway_id,
            network_interface_id=network_interface_id,
            created_at=call.now,
        )
    )


@operation("ReplaceRoute")
def replace_route(call: Call, request: Request) -> Response:
    table, destination = _subject(call, request, "LocalTarget", *TARGETS)
    local = str(destination) in _blocks(call, table)
    present = call.tx.get(r.StaticRoute, _key(table.id, destination))
    if request.get("LocalTarget"):
        _restore_local_route(call, request, present if local else None, local)
        return {}
    target = _target(call, request, table)
    _check_inside(call, table, destination, target)
    if present is not None:
        call.tx.update(present, gateway_id=target.gateway_id, network_interface_id=target.network_interface_id)
    elif local:
        new_static_route(call, table.id, str(destination), target.gateway_id, target.network_interface_id)
    else:
        raise ApiError(
            "InvalidParameterValue",
            f"There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
            + _propagated_hint(call, table, destination),
        )
    return {}


def _restore_local_route(call: Call, request: Request, present: r.StaticRoute | None, local: bool) -> None:
    others = [name for name in TARGETS if request.get(name) is not None]
    if others:
        raise errors.combination(f"LocalTarget cannot be used together with {' and '.join(others)}.")
    if not local:
        raise ApiError(
            "InvalidParameterValue",
            "LocalTarget is only allowed with a destination that is one of the VPC's CIDR blocks.",
        )
    if present is not None:
        call.tx.delete(r.StaticRoute, present.id)


@operation("DeleteRoute")
def delete_route(call: Call, request: Request) -> Response:
    table, destination = _subject(call, request)
    if str(destination) in _blocks(call, table):
        raise ApiError("InvalidParameterValue", f"cannot remove local route {destination} in route table {table.id}")
    route = call.tx.get(r.StaticRoute, _key(table.id, destination))
    if route is None:
        raise ApiError(
            "InvalidRoute.NotFound",
            f"no route with destination-cidr-block {destination} in route table {table.id}"
            + _propagated_hint(call, table, destination),
        )
    call.tx.delete(r.StaticRoute, route.id)
    return {}


def _subject(call: Call, request: Request, *members: str) -> tuple[r.RouteTable, IPv4Network]:
    for name in OTHER_DESTINATIONS:
        if request.get(name):
            raise errors.unsupported(f"The parameter {name} is not supported by Twinbore: use DestinationCidrBlock.")
    for name in OTHER_TARGETS:
        if request.get(name):
            raise errors.unsupported(
                f"The target {name} is not supported by Twinbore: use GatewayId ({GATEWAY_FORMS}) or "
                "NetworkInterfaceId."
            )
    refuse_others(request, "RouteTableId", "DestinationCidrBlock", *members)
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    if request.get("DestinationCidrBlock") is None:
        raise errors.missing_parameter("DestinationCidrBlock")
    return table, canonical_cidr("DestinationCidrBlock", request["DestinationCidrBlock"])


def _key(route_table_id: str, destination: IPv4Network) -> str:
    return f"{route_table_id}/{destination}"


def _blocks(call: Call, table: r.RouteTable) -> list[str]:
    return blocks_of(call, lookup(call, r.Vpc, "vpc", table.vpc_id))


def _check_inside(call: Call, table: r.RouteTable, destination: IPv4Network, target: Target) -> None:
    """Refuse what may not stand inside the VPC's blocks."""
    blocks = _blocks(call, table)
    if block_of(destination, blocks) is None:
        return
    if target.network_interface_id is None:
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks "
            f"({', '.join(blocks)}). This route can target only an interface or an instance.",
        )
    subnets = call.tx.all(r.Subnet, vpc_id=table.vpc_id, cidr_block=str(destination))
    if not subnets and str(destination) not in blocks:
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is more specific than one of this VPC's CIDR blocks "
            f"({', '.join(blocks)}) and is not the CIDR block of a subnet of {table.vpc_id}.",
        )


def _already_exists(destination: IPv4Network) -> ApiError:
    return ApiError("RouteAlreadyExists", f"The route identified by {destination} already exists.")


def _propagated_hint(call: Call, table: r.RouteTable, destination: IPv4Network) -> str:
    gateway_id = RouteTableView(call).propagated_from(table, str(destination))
    if gateway_id is None:
        return ""
    return f" The one there is propagated from {gateway_id}: DisableVgwRoutePropagation ends that."


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
    elif gateway_id == LOCAL_GATEWAY:
        there, network = False, None
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
