"""A small world as a snapshot: one VPC with two subnets, a virtual private gateway, a connection with two tunnels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from twinbore.model import resources as r
from twinbore.model.snapshot import Snapshot

ACCOUNT = "123456789012"
NOW = datetime(2026, 11, 24, tzinfo=UTC)

VPC = "vpc-0000000000000000a"
SUBNET = "subnet-0000000000000000a"
OTHER_SUBNET = "subnet-0000000000000000b"
MAIN_TABLE = "rtb-0000000000000000a"
TABLE = "rtb-0000000000000000b"
ENI = "eni-0123456789abcdef0"
CGW = "cgw-0000000000000000a"
VGW = "vgw-0000000000000000a"
VPN = "vpn-0000000000000000a"
IGW = "igw-0000000000000000a"


def telemetry(
    index: int, *, carrying: bool = True, status: str = "UP", message: str = "1 BGP ROUTES"
) -> r.TunnelTelemetry:
    return r.TunnelTelemetry(f"{VPN}-{index}", status, message, NOW, 1 if status == "UP" else 0, carrying)


def tunnel(index: int) -> r.VpnTunnel:
    return r.VpnTunnel(
        id=f"{VPN}-{index}",
        account_id=ACCOUNT,
        connection_id=VPN,
        index=index,
        if_id=1000 + index,
        outside_address=f"203.0.113.{index}",
        outside_local=f"203.0.113.{index}",
        inside_cidr=f"169.254.10.{4 * index}/30",
    )


def world() -> Snapshot:
    """Both tunnels up, 192.168.10.0/24 learned and propagated, one network interface plugged into `host`."""
    return Snapshot(
        revision=7,
        vpcs=(r.Vpc(VPC, ACCOUNT, "10.0.0.0/16", "available", NOW),),
        subnets=(
            r.Subnet(SUBNET, ACCOUNT, VPC, "10.0.1.0/24", "us-east-1a", "available", NOW),
            r.Subnet(OTHER_SUBNET, ACCOUNT, VPC, "10.0.2.0/24", "us-east-1b", "available", NOW),
        ),
        route_tables=(
            r.RouteTable(MAIN_TABLE, ACCOUNT, VPC, 1000, NOW),
            r.RouteTable(TABLE, ACCOUNT, VPC, 1001, NOW),
        ),
        associations=(
            r.RouteTableAssociation("rtbassoc-0000000000000000a", ACCOUNT, MAIN_TABLE, VPC, None, True, NOW),
            r.RouteTableAssociation("rtbassoc-0000000000000000b", ACCOUNT, TABLE, VPC, SUBNET, False, NOW),
        ),
        static_routes=(r.StaticRoute("r-1", ACCOUNT, TABLE, "0.0.0.0/0", IGW, None, NOW),),
        propagations=(r.Propagation("p-1", ACCOUNT, TABLE, VGW, NOW),),
        network_interfaces=(
            r.NetworkInterface(
                ENI, ACCOUNT, VPC, SUBNET, "us-east-1a", "10.0.1.10", "02:00:00:00:00:01", "", True, NOW
            ),
        ),
        ports=(r.Port(ENI, ACCOUNT, "netns", "host", "eth0", NOW),),
        customer_gateways=(
            r.CustomerGateway(CGW, ACCOUNT, "available", "ipsec.1", 65000, "198.51.100.1", None, None, NOW),
        ),
        vpn_gateways=(r.VpnGateway(VGW, ACCOUNT, "available", "ipsec.1", 64512, 1, None, NOW),),
        attachments=(r.VpnGatewayAttachment(VGW, ACCOUNT, VPC, "attached", NOW),),
        connections=(connection(),),
        tunnels=(tunnel(1), tunnel(2)),
        telemetry=(telemetry(1), telemetry(2)),
        gateway_routes=(r.GatewayRoute(f"{VGW}/192.168.10.0/24", VGW, "192.168.10.0/24"),),
        pre_shared_keys={f"{VPN}-1": "first.key", f"{VPN}-2": "second.key"},
    )


def connection(**changes: object) -> r.VpnConnection:
    base = r.VpnConnection(
        id=VPN,
        account_id=ACCOUNT,
        state="available",
        type="ipsec.1",
        customer_gateway_id=CGW,
        vpn_gateway_id=VGW,
        static_routes_only=False,
        local_ipv4_network_cidr="0.0.0.0/0",
        remote_ipv4_network_cidr="0.0.0.0/0",
        outside_ip_address_type="PublicIpv4",
        tunnel_inside_ip_version="ipv4",
        tunnel_bandwidth="standard",
        pre_shared_key_storage="Standard",
        created_at=NOW,
    )
    return replace(base, **changes)  # type: ignore[arg-type]
