"""Finding the gateways and connections that an operation may use: those that are not deleted.

Deleted ones stay in Describe's answers for a while, but for every other operation they are unknown (…NotFound), as on
AWS. What is being deleted is there still, and refused with the code of its kind where it is to be used.

Decision: a virtual private gateway may be used while it is `pending`. On AWS it is `available` as soon as
CreateVpnGateway answers, so clients (Terraform among them) attach it at once; the plan takes both states alike.
"""

from __future__ import annotations

from typing import TypeVar

from twinbore.api import errors
from twinbore.api.operation import Call
from twinbore.api.ops.common import lookup
from twinbore.model import resources as r
from twinbore.model.states import AVAILABLE, DELETED, PENDING

Stateful = TypeVar("Stateful", r.CustomerGateway, r.VpnGateway, r.VpnConnection)


def customer_gateway(call: Call, value: str) -> r.CustomerGateway:
    """The customer gateway with this id. Raises `ApiError` when there is none or it is deleted."""
    return _living(lookup(call, r.CustomerGateway, "customer-gateway", value), "customer-gateway")


def vpn_gateway(call: Call, value: str) -> r.VpnGateway:
    """The virtual private gateway with this id, in any state but deleted."""
    return _living(lookup(call, r.VpnGateway, "vpn-gateway", value), "vpn-gateway")


def usable_vpn_gateway(call: Call, value: str) -> r.VpnGateway:
    """The virtual private gateway with this id; InvalidVpnGatewayState while it is being deleted."""
    gateway = vpn_gateway(call, value)
    if gateway.state not in (PENDING, AVAILABLE):
        raise errors.ApiError(
            "InvalidVpnGatewayState", f"The virtual private gateway {value} is {gateway.state}, not available."
        )
    return gateway


def vpn_connection(call: Call, value: str) -> r.VpnConnection:
    """The VPN connection with this id, in any state but deleted."""
    return _living(lookup(call, r.VpnConnection, "vpn-connection", value), "vpn-connection")


def vpn_connection_in(call: Call, value: str, *states: str) -> r.VpnConnection:
    """The VPN connection with this id; InvalidVpnConnection.InvalidState when it is in none of the states."""
    connection = vpn_connection(call, value)
    if connection.state not in states:
        raise errors.ApiError(
            "InvalidVpnConnection.InvalidState",
            f"The VPN connection {value} is {connection.state}; it must be {' or '.join(states)} for this operation.",
        )
    return connection


def vpn_tunnel(call: Call, connection: r.VpnConnection, outside_address: str) -> r.VpnTunnel:
    """The connection's tunnel with this outside address (VpnTunnelOutsideIpAddress)."""
    tunnels = {t.outside_address: t for t in call.tx.all(r.VpnTunnel, connection_id=connection.id)}
    if outside_address not in tunnels:
        raise errors.invalid_value(
            "VpnTunnelOutsideIpAddress", outside_address, f"one of {', '.join(tunnels)}, the tunnels of {connection.id}"
        )
    return tunnels[outside_address]


def _living(row: Stateful, resource_type: str) -> Stateful:
    if row.state == DELETED:
        raise errors.not_found(resource_type, row.id)
    return row
