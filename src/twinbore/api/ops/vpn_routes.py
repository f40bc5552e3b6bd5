"""Static routes of a VPN connection: the prefixes behind a customer gateway that does not speak BGP.

* Only connections with StaticRoutesOnly have them, and only while available.
* Adding one that is there, or removing one that is being removed, changes nothing and succeeds.
* Any unicast prefix is allowed, the default route too; the attached VPC's CIDR block goes to the VPC in any case. What
  no router may forward (loopback, link-local, multicast: RFC 6890) is refused: tunnels' inside addresses are
  link-local, and a route over them would cut the tunnels off.

References: EC2 API reference, CreateVpnConnectionRoute, DeleteVpnConnectionRoute, `VpnStaticRoute`.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.common import cidr
from twinbore.model import resources as r
from twinbore.model.states import AVAILABLE, DELETING, PENDING, RESOURCE, advance

NEVER_FORWARDED: Final = tuple(IPv4Network(n) for n in ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))


@operation("CreateVpnConnectionRoute")
def create_vpn_connection_route(call: Call, request: Request) -> Response:
    connection = _static_connection(call, request["VpnConnectionId"])
    add_static_route(call, connection, request["DestinationCidrBlock"])
    return {}


def add_static_route(call: Call, connection: r.VpnConnection, destination: str) -> None:
    """A static route for a connection without BGP, unless it has it. Raises `ApiError`."""
    network = cidr("DestinationCidrBlock", destination)
    if any(network.subnet_of(never) for never in NEVER_FORWARDED):
        raise errors.invalid_value(
            "DestinationCidrBlock",
            network,
            "a unicast IPv4 CIDR block outside " + ", ".join(str(never) for never in NEVER_FORWARDED),
        )
    routes = call.tx.all(r.VpnStaticRoute, connection_id=connection.id)
    for route in routes:
        if route.destination_cidr_block == str(network):
            if route.state == DELETING:
                raise errors.ApiError(
                    "InvalidRoute.InvalidState",
                    f"The route {network} of {connection.id} is being deleted: create it again when it is gone.",
                )
            return
    limit = call.settings.quotas.static_routes_per_vpn_connection
    if len(routes) >= limit:
        raise errors.limit_exceeded("RouteLimitExceeded", f"static routes of {connection.id}", limit)
    call.tx.insert(
        r.VpnStaticRoute(
            id=f"{connection.id}/{network}",
            account_id=call.account_id,
            connection_id=connection.id,
            destination_cidr_block=str(network),
            state=PENDING,
            created_at=call.now,
        )
    )


@operation("DeleteVpnConnectionRoute")
def delete_vpn_connection_route(call: Call, request: Request) -> Response:
    connection = _static_connection(call, request["VpnConnectionId"])
    network = cidr("DestinationCidrBlock", request["DestinationCidrBlock"])
    route = call.tx.get(r.VpnStaticRoute, f"{connection.id}/{network}")
    if route is None:
        raise errors.ApiError(
            "InvalidRoute.NotFound", f"The VPN connection {connection.id} has no static route {network}."
        )
    if route.state != DELETING:
        call.tx.update(route, state=advance(RESOURCE, route.state, DELETING))
    return {}


def _static_connection(call: Call, connection_id: str) -> r.VpnConnection:
    connection = vpn_lookup.vpn_connection_in(call, connection_id, AVAILABLE)
    if not connection.static_routes_only:
        raise errors.ApiError(
            "InvalidVpnConnection.InvalidType",
            f"The VPN connection {connection_id} does not support static routes: it uses BGP. A connection with "
            "StaticRoutesOnly does.",
        )
    return connection
