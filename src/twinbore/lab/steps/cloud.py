"""Steps 1 to 4: the cloud's side, through the API alone."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any, Final
from xml.etree import ElementTree

import msgspec

from twinbore.lab.namespaces import run
from twinbore.lab.scenario import (
    CUSTOMER_ASN,
    SUBNET_CIDR,
    VPC_CIDR,
    VPC_HOST_ADDRESS,
    Scenario,
    check,
    equal,
    first,
)
from twinbore.lab.topology import CUSTOMER_ADDRESS, POOL_A, POOL_B

QUICK_SECONDS: Final = 2.0
"""What a user should have to wait for a gateway or a connection (AWS takes minutes)."""

BFD: Final = "300x3"


def make_vpc(s: Scenario) -> str:
    """A VPC with one subnet that has a route table of its own, and a host plugged into a network interface."""
    ec2, ids = s.ec2, s.ids
    ids.vpc = ec2.call("CreateVpc", CidrBlock=VPC_CIDR)["Vpc"]["VpcId"]
    s.within(
        QUICK_SECONDS,
        "the VPC is available",
        lambda: first(ec2.call("DescribeVpcs", VpcIds=[ids.vpc])["Vpcs"])["State"] == "available",
    )
    ids.subnet = ec2.call("CreateSubnet", VpcId=ids.vpc, CidrBlock=SUBNET_CIDR)["Subnet"]["SubnetId"]
    s.within(
        QUICK_SECONDS,
        "the subnet is available",
        lambda: first(ec2.call("DescribeSubnets", SubnetIds=[ids.subnet])["Subnets"])["State"] == "available",
    )
    ids.route_table = ec2.call("CreateRouteTable", VpcId=ids.vpc)["RouteTable"]["RouteTableId"]
    answer = ec2.call("AssociateRouteTable", RouteTableId=ids.route_table, SubnetId=ids.subnet)
    ids.association = answer["AssociationId"]
    interface = ec2.call("CreateNetworkInterface", SubnetId=ids.subnet, PrivateIpAddress=VPC_HOST_ADDRESS)
    ids.network_interface = interface["NetworkInterface"]["NetworkInterfaceId"]
    s.lab.add_namespace("host")
    s.service.plug(ids.network_interface, s.host)
    _, seconds = s.within(5, "the host has the interface's address", lambda: VPC_HOST_ADDRESS in _addresses(s.host))
    return f"{ids.network_interface} is plugged into a host, which has {VPC_HOST_ADDRESS} after {seconds:.1f} s."


def make_gateways(s: Scenario) -> str:
    """Both gateways; the virtual private gateway is attached to the VPC."""
    ec2, ids = s.ec2, s.ids
    customer = ec2.call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=CUSTOMER_ASN, IpAddress=CUSTOMER_ADDRESS)
    ids.customer_gateway = customer["CustomerGateway"]["CustomerGatewayId"]
    equal(customer["CustomerGateway"]["State"], "available", "state of the new customer gateway")
    gateway = ec2.call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]
    ids.vpn_gateway = gateway["VpnGatewayId"]
    equal(gateway["AmazonSideAsn"], 64512, "default ASN of a virtual private gateway")
    equal(gateway["VpcAttachments"], [], "attachments of a new virtual private gateway")
    s.within(QUICK_SECONDS, "the virtual private gateway is available", lambda: _gateway(s)["State"] == "available")
    answer = ec2.call("AttachVpnGateway", VpnGatewayId=ids.vpn_gateway, VpcId=ids.vpc)
    equal(answer["VpcAttachment"]["State"], "attaching", "state of the attachment at first")
    _, seconds = s.within(
        QUICK_SECONDS,
        "the virtual private gateway is attached",
        lambda: [a["State"] for a in _gateway(s)["VpcAttachments"]] == ["attached"],
    )
    return f"The customer gateway is available at once; the virtual private gateway is attached after {seconds:.1f} s."


def enable_propagation(s: Scenario) -> str:
    """Propagation is off until it is enabled."""
    ec2, ids = s.ec2, s.ids

    def propagating() -> list[str]:
        table = first(ec2.call("DescribeRouteTables", RouteTableIds=[ids.route_table])["RouteTables"])
        return [gateway["GatewayId"] for gateway in table["PropagatingVgws"]]

    equal(propagating(), [], "propagating gateways of a new route table")
    ec2.call("EnableVgwRoutePropagation", GatewayId=ids.vpn_gateway, RouteTableId=ids.route_table)
    equal(propagating(), [ids.vpn_gateway], "propagating gateways")
    return f"It was off; now {ids.route_table} takes the routes that {ids.vpn_gateway} learns."


def make_connection(s: Scenario) -> str:
    """A connection with BGP, and BFD as an extension, given by a tag so that stock clients can."""
    connection = s.ec2.call(
        "CreateVpnConnection",
        Type="ipsec.1",
        CustomerGatewayId=s.ids.customer_gateway,
        VpnGatewayId=s.ids.vpn_gateway,
        Options={"StaticRoutesOnly": False},
        TagSpecifications=[
            {"ResourceType": "vpn-connection", "Tags": [{"Key": "twinbore:bfd", "Value": BFD}]},
        ],
    )["VpnConnection"]
    s.ids.vpn_connection = connection["VpnConnectionId"]
    equal(connection["State"], "pending", "state of the new connection")
    _, seconds = s.within(QUICK_SECONDS, "the connection is available", lambda: s.connection()["State"] == "available")
    connection = s.connection()
    telemetry = [(t["Status"], t["StatusMessage"]) for t in connection["VgwTelemetry"]]
    equal(telemetry, [("DOWN", "IPSEC IS DOWN")] * 2, "status of the tunnels")
    outside = [t["OutsideIpAddress"] for t in connection["VgwTelemetry"]]
    check(outside[0] in POOL_A and outside[1] in POOL_B, f"one outside address of each pool, found {outside}")
    tunnels = connection["Options"]["TunnelOptions"]
    inside = [IPv4Network(tunnel["TunnelInsideCidr"]) for tunnel in tunnels]
    check(
        all(network.prefixlen == 30 and network.is_link_local for network in inside) and inside[0] != inside[1],
        f"two different /30 blocks of 169.254.0.0/16, found {inside}",
    )
    keys = [e.text for e in ElementTree.fromstring(connection["CustomerGatewayConfiguration"]).iter("pre_shared_key")]  # noqa: S314
    check(len(set(keys)) == 2 and all(keys), "a pre-shared key for each tunnel")
    return f"Available after {seconds:.1f} s, with two tunnels, both DOWN: {outside[0]} and {outside[1]}."


def _gateway(s: Scenario) -> dict[str, Any]:
    return first(s.ec2.call("DescribeVpnGateways", VpnGatewayIds=[s.ids.vpn_gateway])["VpnGateways"])


def _addresses(namespace: str) -> set[str]:
    links = msgspec.json.decode(run(["ip", "-json", "-4", "address"], namespace=namespace))
    return {address["local"] for link in links for address in link.get("addr_info", ())}
