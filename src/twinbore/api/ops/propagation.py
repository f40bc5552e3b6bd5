"""Route propagation: what a virtual private gateway learns appears in a route table of the VPC it is attached to.

Off until it is enabled, and idempotent both ways. It ends when the gateway is detached (see `vpn_gateways`).

References: EC2 API reference, EnableVgwRoutePropagation, DisableVgwRoutePropagation.
"""

from __future__ import annotations

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.common import lookup
from twinbore.model import resources as r
from twinbore.model.states import ATTACHED, ATTACHING


@operation("EnableVgwRoutePropagation")
def enable_vgw_route_propagation(call: Call, request: Request) -> Response:
    gateway = _gateway(call, request["GatewayId"])
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    attachment = call.tx.get(r.VpnGatewayAttachment, gateway.id)
    if attachment is None or attachment.state not in (ATTACHING, ATTACHED):
        raise ApiError("Gateway.NotAttached", f"The virtual private gateway {gateway.id} is not attached to a VPC.")
    if attachment.vpc_id != table.vpc_id:
        raise ApiError(
            "InvalidParameterValue",
            f"route table {table.id} and network gateway {gateway.id} belong to different networks "
            f"({table.vpc_id} and {attachment.vpc_id})",
        )
    key = _key(table, gateway)
    if call.tx.get(r.Propagation, key) is None:
        call.tx.insert(r.Propagation(key, call.account_id, table.id, gateway.id, call.now))
    return {}


@operation("DisableVgwRoutePropagation")
def disable_vgw_route_propagation(call: Call, request: Request) -> Response:
    gateway = _gateway(call, request["GatewayId"])
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    key = _key(table, gateway)
    if call.tx.get(r.Propagation, key) is not None:
        call.tx.delete(r.Propagation, key)
    return {}


def _key(table: r.RouteTable, gateway: r.VpnGateway) -> str:
    return f"{table.id}/{gateway.id}"


def _gateway(call: Call, value: str) -> r.VpnGateway:
    """The gateway; these two operations have a code of their own for one that does not exist."""
    try:
        return vpn_lookup.vpn_gateway(call, value)
    except ApiError as error:
        if error.code == errors.NOT_FOUND["vpn-gateway"][0]:
            raise ApiError("InvalidGatewayID.NotFound", f"The gateway ID '{value}' does not exist") from None
        raise
