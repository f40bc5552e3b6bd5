"""A VPN connection as answers show it, made of its rows and of nothing else.

So what is shown of a connection can be kept until one of its rows is another one: `shown` gives the same object for the
same rows, with its XML written once. What the caller may not see must not be in the rows that are given here: the keys
are those that are to be shown.

The rows of a connection that nobody changes are the same objects each time (see `store.statements`), so that to compare
them costs nothing. Kept are the `KEPT` connections that were made last, some 12 KiB for each.

The configuration for the customer's device is part of a description while the connection is pending or available (EC2
API reference, `VpnConnection`) or being modified, the keys until it is deleted. A deleted connection, whose telemetry
is gone, has its tunnels down. Tunnels are always in the order 1, 2, in the options and in the telemetry.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

from twinbore.api.ops.vpn_tunnels import describe_tunnel
from twinbore.api.writer import Kept
from twinbore.devices.view import ConnectionView, TunnelView
from twinbore.devices.xml import customer_gateway_configuration
from twinbore.model import resources as r
from twinbore.model.addressing import DEFAULT_AMAZON_SIDE_ASN
from twinbore.model.extensions import bfd_of
from twinbore.model.states import AVAILABLE, DELETED, DELETING, DOWN, LIVING, MODIFYING, PENDING
from twinbore.store.bounded import Bounded

CATEGORY: Final = "VPN"
KEPT: Final = 2048

ASSOCIATION_STATES: Final = {
    PENDING: "associating",
    AVAILABLE: "associated",
    MODIFYING: "associated",
    DELETING: "disassociating",
    DELETED: "not-associated",
}
"""Connection state → state of its association with the target gateway, which lives and ends with it."""


class ConnectionRows(NamedTuple):
    """Everything that is shown of a connection.

    `keys` are the tunnels' pre-shared keys, None for one that is gone; `passwords` those of their BGP sessions, empty
    where there is none. `customer_identity` is what the router must call itself in IKE, None where it may choose.
    """

    connection: r.VpnConnection
    customer_gateway: r.CustomerGateway
    customer_identity: str | None
    vpn_gateway: r.VpnGateway | None
    tunnels: tuple[r.VpnTunnel, ...]
    keys: tuple[str | None, ...]
    passwords: tuple[str, ...]
    telemetry: tuple[r.TunnelTelemetry | None, ...]
    routes: tuple[r.VpnStaticRoute, ...]
    tags: tuple[r.Tag, ...]

    def __repr__(self) -> str:
        return f"<rows of {self.connection.id}>"


def describe(rows: ConnectionRows) -> dict[str, Any]:
    """The VpnConnection shape."""
    connection = rows.connection
    shape: dict[str, Any] = {
        "VpnConnectionId": connection.id,
        "State": connection.state,
        "Type": connection.type,
        "CustomerGatewayId": connection.customer_gateway_id,
        "Category": CATEGORY,
        "GatewayAssociationState": "not-associated",
    }
    if connection.vpn_gateway_id is not None:
        shape["VpnGatewayId"] = connection.vpn_gateway_id
        shape["GatewayAssociationState"] = ASSOCIATION_STATES[connection.state]
    text = configuration(rows)
    if text is not None:
        shape["CustomerGatewayConfiguration"] = text
    return shape | {
        "Options": _options(rows),
        "Routes": [
            {"DestinationCidrBlock": route.destination_cidr_block, "Source": "Static", "State": route.state}
            for route in rows.routes
        ],
        "VgwTelemetry": [
            _telemetry(tunnel, telemetry or down(tunnel, connection))
            for tunnel, telemetry in zip(rows.tunnels, rows.telemetry, strict=True)
        ],
        "Tags": [{"Key": tag.key, "Value": tag.value} for tag in rows.tags],
    }


_shown: Final[Bounded[str, tuple[ConnectionRows, Kept]]] = Bounded(KEPT)


def shown(rows: ConnectionRows) -> Kept:
    """The VpnConnection shape as octets that are written once."""
    known = _shown.get(rows.connection.id)
    if known is not None and known[0] == rows:
        return known[1]
    made = Kept(partial(describe, rows))
    _shown.put(rows.connection.id, (rows, made))
    return made


def view(rows: ConnectionRows) -> ConnectionView:
    """What a device's configuration is made of. The connection must be in a state of `LIVING`."""
    first, second = (
        TunnelView(tunnel, key or "", password)
        for tunnel, key, password in zip(rows.tunnels, rows.keys, rows.passwords, strict=True)
    )
    gateway = rows.vpn_gateway
    return ConnectionView(
        connection=rows.connection,
        customer_gateway=rows.customer_gateway,
        vpn_gateway_id=gateway.id if gateway else None,
        amazon_side_asn=gateway.amazon_side_asn if gateway else DEFAULT_AMAZON_SIDE_ASN,
        tunnels=(first, second),
        bfd=bfd_of({tag.key: tag.value for tag in rows.tags}),
        customer_identity=rows.customer_identity,
    )


def configuration(rows: ConnectionRows) -> str | None:
    """The customer gateway configuration (XML), while the connection has one."""
    if rows.connection.state not in LIVING:
        return None
    return customer_gateway_configuration(view(rows))


def down(tunnel: r.VpnTunnel, connection: r.VpnConnection) -> r.TunnelTelemetry:
    """Telemetry of a tunnel that carries nothing: a new connection's, or a deleted one's."""
    return r.TunnelTelemetry(
        id=tunnel.id,
        status=DOWN,
        status_message="IPSEC IS DOWN",
        last_status_change=connection.deleted_at or connection.created_at,
        accepted_route_count=0,
        carrying=False,
    )


def _options(rows: ConnectionRows) -> dict[str, Any]:
    connection = rows.connection
    return {
        "EnableAcceleration": False,
        "StaticRoutesOnly": connection.static_routes_only,
        "LocalIpv4NetworkCidr": connection.local_ipv4_network_cidr,
        "RemoteIpv4NetworkCidr": connection.remote_ipv4_network_cidr,
        "OutsideIpAddressType": connection.outside_ip_address_type,
        "TunnelInsideIpVersion": connection.tunnel_inside_ip_version,
        "TunnelBandwidth": connection.tunnel_bandwidth,
        "TunnelOptions": [describe_tunnel(tunnel, key) for tunnel, key in zip(rows.tunnels, rows.keys, strict=True)],
    }


def _telemetry(tunnel: r.VpnTunnel, row: r.TunnelTelemetry) -> dict[str, Any]:
    return {
        "OutsideIpAddress": tunnel.outside_address,
        "Status": row.status,
        "LastStatusChange": row.last_status_change,
        "StatusMessage": row.status_message,
        "AcceptedRouteCount": row.accepted_route_count,
    }
