"""What Describe shows of VPN connections: their rows put together, each kind read once for all of them.

The configuration for the customer's device is part of a description while the connection is pending or available (EC2
API reference, `VpnConnection`) or being modified, the keys until it is deleted. A tunnel's telemetry is what the agent
last recorded; a deleted connection, whose telemetry is gone, has its tunnels down.

A caller that may not set a tunnel's pre-shared key is not shown it either (see `authorization`).

Tunnels are always in the order 1, 2, in the options and in the telemetry.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any, Final

from twinbore.api.authorization import REDACTED
from twinbore.api.operation import Call
from twinbore.api.ops.common import tag_sets
from twinbore.api.ops.vpn_tunnels import describe_tunnel
from twinbore.devices.view import ConnectionView, TunnelView
from twinbore.devices.xml import customer_gateway_configuration
from twinbore.model import resources as r
from twinbore.model.addressing import DEFAULT_AMAZON_SIDE_ASN
from twinbore.model.extensions import bfd_of
from twinbore.model.states import AVAILABLE, DELETED, DELETING, DOWN, LIVING, MODIFYING, PENDING

PRE_SHARED_KEY: Final = "pre_shared_key"
CATEGORY: Final = "VPN"

ASSOCIATION_STATES: Final = {
    PENDING: "associating",
    AVAILABLE: "associated",
    MODIFYING: "associated",
    DELETING: "disassociating",
    DELETED: "not-associated",
}
"""Connection state → state of its association with the target gateway, which lives and ends with it."""


class ConnectionReader:
    """The rows around some connections, or around all of the caller's account. Nothing is read before it is needed."""

    def __init__(self, call: Call, connections: list[r.VpnConnection] | None = None) -> None:
        self._call = call
        self._scope: dict[str, Any] = (
            {"account_id": call.account_id} if connections is None else {"connection_id": [c.id for c in connections]}
        )
        self._ids = None if connections is None else [c.id for c in connections]

    def describe(self, connection: r.VpnConnection) -> dict[str, Any]:
        """The VpnConnection shape."""
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
        configuration = self.configuration(connection)
        if configuration is not None:
            shape["CustomerGatewayConfiguration"] = configuration
        tunnels = self.tunnels(connection)
        return shape | {
            "Options": self._options(connection, tunnels),
            "Routes": [
                {"DestinationCidrBlock": route.destination_cidr_block, "Source": "Static", "State": route.state}
                for route in self.routes(connection)
            ],
            "VgwTelemetry": [self._telemetry_shape(connection, tunnel) for tunnel in tunnels],
            "Tags": self._tags.get(connection.id, []),
        }

    def view(self, connection: r.VpnConnection) -> ConnectionView:
        """What a device's configuration is made of. The connection must be in a state of `LIVING`."""
        first, second = (TunnelView(t, self._shown_key(t) or "") for t in self.tunnels(connection))
        gateway_id = connection.vpn_gateway_id
        return ConnectionView(
            connection=connection,
            customer_gateway=self.customer_gateway(connection),
            vpn_gateway_id=gateway_id,
            amazon_side_asn=self._gateways[gateway_id].amazon_side_asn if gateway_id else DEFAULT_AMAZON_SIDE_ASN,
            tunnels=(first, second),
            bfd=bfd_of({tag["Key"]: tag["Value"] for tag in self._tags.get(connection.id, [])}),
        )

    def configuration(self, connection: r.VpnConnection) -> str | None:
        """The customer gateway configuration (XML), while the connection has one."""
        if connection.state not in LIVING:
            return None
        return customer_gateway_configuration(self.view(connection))

    def tunnels(self, connection: r.VpnConnection) -> list[r.VpnTunnel]:
        """The two tunnels, 1 and 2."""
        return self._tunnels[connection.id]

    def routes(self, connection: r.VpnConnection) -> list[r.VpnStaticRoute]:
        """The static routes, oldest first."""
        return self._routes[connection.id]

    def customer_gateway(self, connection: r.VpnConnection) -> r.CustomerGateway:
        return self._customer_gateways[connection.customer_gateway_id]

    def key(self, tunnel: r.VpnTunnel) -> str | None:
        """The tunnel's pre-shared key, or None after the connection was deleted."""
        return self._keys.get(tunnel.id)

    def _shown_key(self, tunnel: r.VpnTunnel) -> str | None:
        """The key as the caller may see it."""
        if tunnel.id not in self._keys:
            return None
        return self._keys[tunnel.id] if self._call.caller.may_see_keys(tunnel.connection_id) else REDACTED

    def _options(self, connection: r.VpnConnection, tunnels: list[r.VpnTunnel]) -> dict[str, Any]:
        return {
            "EnableAcceleration": False,
            "StaticRoutesOnly": connection.static_routes_only,
            "LocalIpv4NetworkCidr": connection.local_ipv4_network_cidr,
            "RemoteIpv4NetworkCidr": connection.remote_ipv4_network_cidr,
            "OutsideIpAddressType": connection.outside_ip_address_type,
            "TunnelInsideIpVersion": connection.tunnel_inside_ip_version,
            "TunnelBandwidth": connection.tunnel_bandwidth,
            "TunnelOptions": [describe_tunnel(tunnel, self._shown_key(tunnel)) for tunnel in tunnels],
        }

    def _telemetry_shape(self, connection: r.VpnConnection, tunnel: r.VpnTunnel) -> dict[str, Any]:
        row = self._telemetry.get(tunnel.id) or down(tunnel, connection)
        return {
            "OutsideIpAddress": tunnel.outside_address,
            "Status": row.status,
            "LastStatusChange": row.last_status_change,
            "StatusMessage": row.status_message,
            "AcceptedRouteCount": row.accepted_route_count,
        }

    @cached_property
    def _tunnels(self) -> dict[str, list[r.VpnTunnel]]:
        grouped: defaultdict[str, list[r.VpnTunnel]] = defaultdict(list)
        for tunnel in sorted(self._call.tx.all(r.VpnTunnel, **self._scope), key=lambda t: t.index):
            grouped[tunnel.connection_id].append(tunnel)
        return grouped

    @cached_property
    def _routes(self) -> dict[str, list[r.VpnStaticRoute]]:
        grouped: defaultdict[str, list[r.VpnStaticRoute]] = defaultdict(list)
        for route in self._call.tx.all(r.VpnStaticRoute, **self._scope):
            grouped[route.connection_id].append(route)
        return grouped

    @cached_property
    def _tunnel_ids(self) -> list[str]:
        return [tunnel.id for tunnels in self._tunnels.values() for tunnel in tunnels]

    @cached_property
    def _telemetry(self) -> dict[str, r.TunnelTelemetry]:
        return {row.id: row for row in self._call.tx.all(r.TunnelTelemetry, id=self._tunnel_ids)}

    @cached_property
    def _keys(self) -> dict[str, str]:
        return self._call.tx.secrets(self._tunnel_ids, PRE_SHARED_KEY)

    @cached_property
    def _customer_gateways(self) -> dict[str, r.CustomerGateway]:
        return {g.id: g for g in self._call.tx.all(r.CustomerGateway, account_id=self._call.account_id)}

    @cached_property
    def _gateways(self) -> dict[str, r.VpnGateway]:
        return {g.id: g for g in self._call.tx.all(r.VpnGateway, account_id=self._call.account_id)}

    @cached_property
    def _tags(self) -> dict[str, list[dict[str, str]]]:
        ids = self._ids
        if ids is None:
            ids = [c.id for c in self._call.tx.all(r.VpnConnection, account_id=self._call.account_id)]
        return tag_sets(self._call, ids)


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
