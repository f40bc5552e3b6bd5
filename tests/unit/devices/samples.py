"""A VPN connection as the devices package sees it, for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from twinbore.devices.catalogue import DeviceType
from twinbore.devices.view import ConnectionView, TunnelView
from twinbore.model.desired import Bfd
from twinbore.model.options import TunnelOptions
from twinbore.model.resources import CustomerGateway, VpnConnection, VpnTunnel

CLOUD = ("10.0.0.0/16",)
LAN = "192.168.10.0/24"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEYS = ("Key.of_tunnel1.AAAAAAAAAAAAAAAAA", "Key.of_tunnel2.BBBBBBBBBBBBBBBBB")


def connection_view(
    *, options: TunnelOptions | None = None, static: bool = False, bfd: Bfd | None = None
) -> ConnectionView:
    """A connection vpn-0a1b… of the customer gateway 192.0.2.2, ASN 65000, to a gateway with ASN 64512."""
    connection = VpnConnection(
        id="vpn-0a1b2c3d4e5f60718",
        account_id="123456789012",
        state="available",
        type="ipsec.1",
        customer_gateway_id="cgw-00000000000000001",
        vpn_gateway_id="vgw-00000000000000002",
        static_routes_only=static,
        local_ipv4_network_cidr="0.0.0.0/0",
        remote_ipv4_network_cidr="0.0.0.0/0",
        outside_ip_address_type="PublicIpv4",
        tunnel_inside_ip_version="ipv4",
        tunnel_bandwidth="standard",
        pre_shared_key_storage="Standard",
        created_at=NOW,
    )
    customer = CustomerGateway(
        id="cgw-00000000000000001",
        account_id="123456789012",
        state="available",
        type="ipsec.1",
        bgp_asn=65000,
        ip_address="192.0.2.2",
        certificate_arn=None,
        device_name=None,
        created_at=NOW,
    )
    first = VpnTunnel(
        id=f"{connection.id}-1",
        account_id="123456789012",
        connection_id=connection.id,
        index=1,
        if_id=7,
        outside_address="203.0.113.10",
        outside_local="203.0.113.10",
        inside_cidr="169.254.10.0/30",
        options=options or TunnelOptions(),
    )
    second = replace(
        first,
        id=f"{connection.id}-2",
        index=2,
        if_id=8,
        outside_address="198.51.100.10",
        outside_local="198.51.100.10",
        inside_cidr="169.254.20.4/30",
    )
    return ConnectionView(
        connection=connection,
        customer_gateway=customer,
        vpn_gateway_id="vgw-00000000000000002",
        amazon_side_asn=64512,
        tunnels=(TunnelView(first, KEYS[0]), TunnelView(second, KEYS[1])),
        bfd=bfd,
        customer_identity=customer.ip_address,
    )


def view_for(device: DeviceType, routing: str, options: TunnelOptions | None = None) -> ConnectionView:
    """A connection whose cloud is 10.0.0.0/16; with static routing, 192.168.10.0/24 is behind the device."""
    assert routing in device.routing
    static = routing == "static"
    view = connection_view(options=options, static=static)
    return replace(view, cloud_prefixes=CLOUD, static_routes=(LAN,) if static else ())
