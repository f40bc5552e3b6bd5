"""ModifyVpnConnection and ModifyVpnConnectionOptions: what concerns a connection as a whole, both tunnels that is.

* A connection moves to another customer gateway, another virtual private gateway, or both at once; one that was made
  without a target gateway gets it in this way. What CreateVpnConnection demands of the two gateways holds here, too.
* The outside addresses stay, so the new customer gateway's address must be one that no other connection at these
  addresses is used with: the IKE daemon tells peers apart by the two. Inside CIDRs stay, so none of them may be in use
  on the new virtual private gateway.
* Static routes move with the connection.

References: EC2 API reference, ModifyVpnConnection, ModifyVpnConnectionOptions; AWS Site-to-Site VPN User Guide,
"Modify the target gateway", "Change the customer gateway", "Modify connection options".
"""

from __future__ import annotations

from typing import Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup, vpn_modify
from twinbore.api.ops.common import cidr
from twinbore.api.ops.customer_gateway_options import check_start
from twinbore.api.ops.vpn_addresses import refuse_taken_inside, refuse_taken_outside
from twinbore.api.ops.vpn_request import TUNNEL_BANDWIDTHS
from twinbore.api.ops.vpn_rules import check_asns, check_gateway_quota
from twinbore.model import resources as r
from twinbore.model.states import DELETED

NETWORKS: Final = {
    "LocalIpv4NetworkCidr": "local_ipv4_network_cidr",
    "RemoteIpv4NetworkCidr": "remote_ipv4_network_cidr",
}
IPV6_NETWORKS: Final = ("LocalIpv6NetworkCidr", "RemoteIpv6NetworkCidr")


@operation("ModifyVpnConnection")
def modify_vpn_connection(call: Call, request: Request) -> Response:
    connection = vpn_modify.changeable(call, request["VpnConnectionId"])
    customer_id: str | None = request.get("CustomerGatewayId")
    gateway_id: str | None = request.get("VpnGatewayId")
    if request.get("TransitGatewayId") is not None:
        if gateway_id is not None:
            raise errors.combination("The parameters VpnGatewayId and TransitGatewayId cannot be used together.")
        raise errors.unsupported("TransitGatewayId: there are no transit gateways here. Give VpnGatewayId.")
    if customer_id is None and gateway_id is None:
        raise errors.missing_parameter("CustomerGatewayId or VpnGatewayId")
    customer = vpn_lookup.customer_gateway(call, customer_id or connection.customer_gateway_id)
    gateway = None
    if gateway_id is not None:
        gateway = vpn_lookup.usable_vpn_gateway(call, gateway_id)
    elif connection.vpn_gateway_id is not None:
        gateway = vpn_lookup.vpn_gateway(call, connection.vpn_gateway_id)
    new_gateway_id = None if gateway is None else gateway.id
    if (customer.id, new_gateway_id) == (connection.customer_gateway_id, connection.vpn_gateway_id):
        return vpn_modify.answer(call, connection)
    if gateway is not None:
        _check_gateways(call, connection, customer, gateway)
    if customer.id != connection.customer_gateway_id:
        refuse_taken_outside(call, connection, customer.ip_address)
        tunnels = call.tx.all(r.VpnTunnel, connection_id=connection.id)
        check_start(call, customer, [(f"tunnel {t.index} of {connection.id}", t.options) for t in tunnels])
    changed = vpn_modify.mark(call, connection, customer_gateway_id=customer.id, vpn_gateway_id=new_gateway_id)
    return vpn_modify.answer(call, changed)


@operation("ModifyVpnConnectionOptions")
def modify_vpn_connection_options(call: Call, request: Request) -> Response:
    connection = vpn_modify.changeable(call, request["VpnConnectionId"])
    for name in IPV6_NETWORKS:
        if request.get(name) is not None:
            raise errors.combination(
                f"{name} is for TunnelInsideIpVersion ipv6 only; the tunnels of {connection.id} carry IPv4."
            )
    bandwidth = request.get("TunnelBandwidth")
    if bandwidth not in (None, *TUNNEL_BANDWIDTHS):
        raise errors.invalid_value("TunnelBandwidth", bandwidth, "one of " + ", ".join(TUNNEL_BANDWIDTHS))
    if bandwidth not in (None, connection.tunnel_bandwidth):
        raise errors.combination(
            f"TunnelBandwidth {bandwidth} is for connections of a transit gateway or of Cloud WAN only; "
            f"{connection.id} has {connection.tunnel_bandwidth}. Leave it out."
        )
    changes = {
        member: str(cidr(name, request[name])) for name, member in NETWORKS.items() if request.get(name) is not None
    }
    if not changes and bandwidth is None:
        raise errors.missing_parameter(", ".join((*NETWORKS, "TunnelBandwidth")) + " (one of them)")
    if all(getattr(connection, member) == value for member, value in changes.items()):
        return vpn_modify.answer(call, connection)
    return vpn_modify.answer(call, vpn_modify.mark(call, connection, **changes))


def _check_gateways(
    call: Call, connection: r.VpnConnection, customer: r.CustomerGateway, gateway: r.VpnGateway
) -> None:
    """Refuse two gateways that CreateVpnConnection would not join, or that are joined already."""
    if not connection.static_routes_only:
        check_asns(customer, gateway)
    for other in call.tx.all(r.VpnConnection, customer_gateway_id=customer.id, vpn_gateway_id=gateway.id):
        if other.id != connection.id and other.state != DELETED:
            raise errors.ApiError(
                "InvalidOption.Conflict",
                "A VPN connection between the virtual private gateway and the customer gateway already exists: "
                f"{other.id}. Delete it first.",
            )
    if gateway.id == connection.vpn_gateway_id:
        return
    check_gateway_quota(call, gateway)
    for tunnel in call.tx.all(r.VpnTunnel, connection_id=connection.id):
        refuse_taken_inside(call, connection, tunnel, tunnel.inside_cidr, "VpnGatewayId", gateway.id)
