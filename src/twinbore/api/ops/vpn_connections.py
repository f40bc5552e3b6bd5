"""VPN connections: two tunnels between a customer gateway and a virtual private gateway.

* Created as a whole in one transaction: connection, both tunnels with addresses and keys, their telemetry. The agent
  makes it `available` when the data plane has it, and `deleted` when nothing of it is left.
* Idempotent, as the EC2 API reference says: a repeated request answers with the connection that is there, its tags as
  they are. A request that wants something else between the same two gateways is InvalidOption.Conflict. What a request
  leaves to the service (keys, inside CIDRs, outside addresses) matches whatever was chosen.
* Without VpnGatewayId the connection is made all the same and stays `not-associated`: it has addresses and keys, so a
  router can be prepared, and carries nothing.
* With BGP the two sides' ASNs must differ, or the session would never come up as an external one (RFC 4271).

References: EC2 API reference, CreateVpnConnection, DescribeVpnConnections, DeleteVpnConnection.
"""

from __future__ import annotations

from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.common import absent, select, tag_on_create
from twinbore.api.ops.customer_gateway_options import check_start
from twinbore.api.ops.tagging import requested_tags
from twinbore.api.ops.vpn_addresses import inside_cidrs, outside_addresses
from twinbore.api.ops.vpn_connection_shape import down
from twinbore.api.ops.vpn_connection_view import PRE_SHARED_KEY, ConnectionReader, shown_in_turn
from twinbore.api.ops.vpn_request import ConnectionRequest, parse_connection
from twinbore.api.ops.vpn_rules import check_asns, check_gateway_quota, living
from twinbore.model import resources as r
from twinbore.model.desired import Bfd
from twinbore.model.extensions import BFD_KEY, bfd_of, chosen_outside
from twinbore.model.naming import tunnel_name
from twinbore.model.states import CONNECTION, DELETING, LIVING, PENDING, advance

GENERATED_KEY_LENGTH: Final = 32
FIRST_IF_ID: Final = 1001

Outside = tuple[str | None, str | None]
"""The outside addresses that tags choose; None is for the service to choose."""


@operation("CreateVpnConnection")
def create_vpn_connection(call: Call, request: Request) -> Response:
    wanted = parse_connection(request)
    tags = requested_tags(request, "vpn-connection")
    bfd, outside = bfd_of(tags), chosen_outside(tags)
    if bfd is not None and wanted.static_routes_only:
        raise errors.combination(f"The tag {BFD_KEY} is for BGP sessions; a connection with StaticRoutesOnly has none.")
    customer = vpn_lookup.customer_gateway(call, wanted.customer_gateway_id)
    gateway_id = wanted.vpn_gateway_id
    gateway = None if gateway_id is None else vpn_lookup.usable_vpn_gateway(call, gateway_id)
    if gateway is not None and not wanted.static_routes_only:
        check_asns(customer, gateway)
    check_start(call, customer, [(f"TunnelOptions.{n}", t.options) for n, t in enumerate(wanted.tunnels, 1)])
    connection = _existing(call, wanted, bfd, outside)
    if connection is None:
        _check_quotas(call, gateway)
        connection = _create(call, wanted, customer, outside)
        tag_on_create(call, request, "vpn-connection", connection.id)
    return {"VpnConnection": ConnectionReader(call, [connection]).shown(connection)}


@operation("DescribeVpnConnections")
def describe_vpn_connections(call: Call, request: Request) -> Response:
    every = ConnectionReader(call)
    filters: dict[str, Any] = {
        "bgp-asn": lambda c: every.customer_gateway(c).bgp_asn,
        "customer-gateway-configuration": every.configuration,
        "customer-gateway-id": lambda c: c.customer_gateway_id,
        "option.static-routes-only": lambda c: c.static_routes_only,
        "route.destination-cidr-block": lambda c: [route.destination_cidr_block for route in every.routes(c)],
        "state": lambda c: c.state,
        "type": lambda c: c.type,
        "vpn-connection-id": lambda c: c.id,
        "vpn-gateway-id": lambda c: c.vpn_gateway_id,
        **absent("transit-gateway-id"),
    }
    connections = select(call, request, r.VpnConnection, "vpn-connection", "VpnConnectionIds", filters)
    return {"VpnConnections": shown_in_turn(call, connections)}


@operation("DeleteVpnConnection")
def delete_vpn_connection(call: Call, request: Request) -> Response:
    connection = vpn_lookup.vpn_connection(call, request["VpnConnectionId"])
    if connection.state != DELETING:
        call.tx.update(connection, state=advance(CONNECTION, connection.state, DELETING))
    return {}


def _existing(call: Call, wanted: ConnectionRequest, bfd: Bfd | None, outside: Outside) -> r.VpnConnection | None:
    """The living connection that the request describes already."""
    candidates = [
        connection
        for connection in call.tx.all(r.VpnConnection, customer_gateway_id=wanted.customer_gateway_id)
        if connection.vpn_gateway_id == wanted.vpn_gateway_id and connection.state in LIVING
    ]
    reader = ConnectionReader(call, candidates)
    for connection in candidates:
        if _is_as_wanted(connection, reader, wanted, bfd, outside):
            return connection
    if candidates and wanted.vpn_gateway_id is not None:
        raise errors.ApiError(
            "InvalidOption.Conflict",
            "A VPN connection between the virtual private gateway and the customer gateway already exists: "
            f"{candidates[0].id}, with other options. Delete it first, or make another customer gateway (with a "
            "DeviceName of its own, where type, address and ASN are the same).",
        )
    return None


def _is_as_wanted(
    connection: r.VpnConnection, reader: ConnectionReader, wanted: ConnectionRequest, bfd: Bfd | None, outside: Outside
) -> bool:
    if (connection.static_routes_only, connection.local_ipv4_network_cidr, connection.remote_ipv4_network_cidr) != (
        wanted.static_routes_only,
        wanted.local_ipv4_network_cidr,
        wanted.remote_ipv4_network_cidr,
    ):
        return False
    if bfd != reader.view(connection).bfd:
        return False
    return all(
        tunnel.options == want.options
        and want.inside_cidr in (None, tunnel.inside_cidr)
        and want.pre_shared_key in (None, reader.key(tunnel))
        and address in (None, tunnel.outside_address)
        for tunnel, want, address in zip(reader.tunnels(connection), wanted.tunnels, outside, strict=True)
    )


def _check_quotas(call: Call, gateway: r.VpnGateway | None) -> None:
    quotas = call.settings.quotas
    if living(call, r.VpnConnection, account_id=call.account_id) >= quotas.vpn_connections:
        raise errors.limit_exceeded("VpnConnectionLimitExceeded", "VPN connections", quotas.vpn_connections)
    if gateway is not None:
        check_gateway_quota(call, gateway)


def _create(call: Call, wanted: ConnectionRequest, customer: r.CustomerGateway, chosen: Outside) -> r.VpnConnection:
    outside = outside_addresses(call, customer.ip_address, chosen)
    inside = inside_cidrs(call, wanted.vpn_gateway_id, wanted.tunnels)
    connection = r.VpnConnection(
        id=call.new_id("vpn-connection"),
        account_id=call.account_id,
        state=PENDING,
        type=customer.type,
        customer_gateway_id=customer.id,
        vpn_gateway_id=wanted.vpn_gateway_id,
        static_routes_only=wanted.static_routes_only,
        local_ipv4_network_cidr=wanted.local_ipv4_network_cidr,
        remote_ipv4_network_cidr=wanted.remote_ipv4_network_cidr,
        outside_ip_address_type="PublicIpv4",
        tunnel_inside_ip_version="ipv4",
        tunnel_bandwidth="standard",
        pre_shared_key_storage="Standard",
        created_at=call.now,
    )
    call.tx.insert(connection)
    for index, (want, address, cidr) in enumerate(zip(wanted.tunnels, outside, inside, strict=True), 1):
        tunnel = r.VpnTunnel(
            id=tunnel_name(connection.id, index),
            account_id=call.account_id,
            connection_id=connection.id,
            index=index,
            if_id=call.tx.next_number("if_id", FIRST_IF_ID),
            outside_address=address.public,
            outside_local=address.local,
            inside_cidr=cidr,
            options=want.options,
        )
        call.tx.insert(tunnel, down(tunnel, connection))
        call.tx.put_secret(tunnel.id, PRE_SHARED_KEY, want.pre_shared_key or call.random.key(GENERATED_KEY_LENGTH))
    return connection
