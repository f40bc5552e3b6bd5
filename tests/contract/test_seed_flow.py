"""The getting-started flow from nothing to nothing, and what users do in the wrong order, with boto3 and the AWS CLI.

Customer gateway, virtual private gateway, attachment, propagation, connection, sample configuration, routes; then all
of it taken away. Before each step comes what fails because the step was not done yet, after it what fails because it
was: with the code that AWS has for it, and without a change.

References: AWS Site-to-Site VPN User Guide, "Get started"; EC2 API reference, "Error codes".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.contract.callers import AwsCli, Boto3, Caller, refused
from tests.contract.conftest import Service, Stage
from tests.contract.settling import Settling

NO_CUSTOMER = "cgw-0123456789abcdef0"
NO_GATEWAY = "vgw-0123456789abcdef0"
NO_CONNECTION = "vpn-0123456789abcdef0"


@pytest.fixture(params=["boto3", "cli"])
def caller(
    request: pytest.FixtureRequest, service: Service, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Caller:
    Settling(stage, service)
    return Boto3(service) if request.param == "boto3" else AwsCli(service, tmp_path, monkeypatch)


def test_the_flow_and_its_wrong_orders(service: Service, caller: Caller) -> None:
    call = caller.call
    vpc, subnet, table = a_network(caller)
    customer, gateway = the_gateways(service, caller, vpc, table)
    wanted = {"Type": "ipsec.1", "CustomerGatewayId": customer, "VpnGatewayId": gateway}

    vpn = call("CreateVpnConnection", **wanted)["VpnConnection"]
    assert (vpn["State"], vpn["Category"], vpn["GatewayAssociationState"]) == ("pending", "VPN", "associating")
    connection = vpn["VpnConnectionId"]
    caller.wait("vpn_connection_available", VpnConnectionIds=[connection])
    described = call("DescribeVpnConnections", VpnConnectionIds=[connection])["VpnConnections"][0]
    assert [t["Status"] for t in described["VgwTelemetry"]] == ["DOWN", "DOWN"]
    assert described["GatewayAssociationState"] == "associated"
    assert call("CreateVpnConnection", **wanted)["VpnConnection"]["VpnConnectionId"] == connection
    with refused(service, "InvalidOption.Conflict", connection):
        call("CreateVpnConnection", **wanted, Options={"StaticRoutesOnly": True})
    with refused(service, "InvalidVpnConnection.InvalidType", connection):
        call("CreateVpnConnectionRoute", VpnConnectionId=connection, DestinationCidrBlock="192.168.10.0/24")
    a_sample(caller, connection, described, service)

    take_away(service, caller, (vpc, subnet, table), (customer, gateway), connection)


def a_network(caller: Caller) -> tuple[str, str, str]:
    """VPC, subnet and a route table of the subnet's own."""
    call = caller.call
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    caller.wait("vpc_available", VpcIds=[vpc])
    subnet = call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    caller.wait("subnet_available", SubnetIds=[subnet])
    table = call("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    call("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)
    return vpc, subnet, table


def the_gateways(service: Service, caller: Caller, vpc: str, table: str) -> tuple[str, str]:
    """The customer gateway, and the virtual private gateway attached to the VPC with propagation."""
    call = caller.call
    with refused(service, "InvalidParameterValue", "300.0.0.1"):
        call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=65000, IpAddress="300.0.0.1")
    with refused(service, "MissingParameter", "IpAddress"):
        call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=65000)
    customer = call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=65000, IpAddress="192.0.2.2")["CustomerGateway"]
    assert customer["State"] == "available"
    customer_id = customer["CustomerGatewayId"]
    caller.wait("customer_gateway_available", CustomerGatewayIds=[customer_id])
    with refused(service, "InvalidVpnGatewayID.NotFound", NO_GATEWAY):
        call("CreateVpnConnection", Type="ipsec.1", CustomerGatewayId=customer_id, VpnGatewayId=NO_GATEWAY)
    with refused(service, "InvalidVpnGatewayID.NotFound", NO_GATEWAY):
        call("AttachVpnGateway", VpnGatewayId=NO_GATEWAY, VpcId=vpc)
    with refused(service, "InvalidGatewayID.NotFound", NO_GATEWAY):
        call("EnableVgwRoutePropagation", GatewayId=NO_GATEWAY, RouteTableId=table)

    made = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]
    assert (made["AmazonSideAsn"], made["VpcAttachments"]) == (64512, [])
    gateway = made["VpnGatewayId"]
    with refused(service, "InvalidCustomerGatewayID.NotFound", NO_CUSTOMER):
        call("CreateVpnConnection", Type="ipsec.1", CustomerGatewayId=NO_CUSTOMER, VpnGatewayId=gateway)
    with refused(service, "Gateway.NotAttached", gateway):
        call("EnableVgwRoutePropagation", GatewayId=gateway, RouteTableId=table)
    with refused(service, "InvalidVpnGatewayAttachment.NotFound", gateway, vpc):
        call("DetachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
    same_asn = call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=64512, IpAddress="192.0.2.3")["CustomerGateway"]
    with refused(service, "InvalidParameterCombination", "64512"):
        call(
            "CreateVpnConnection",
            Type="ipsec.1",
            CustomerGatewayId=same_asn["CustomerGatewayId"],
            VpnGatewayId=gateway,
        )
    call("DeleteCustomerGateway", CustomerGatewayId=same_asn["CustomerGatewayId"])

    assert call("AttachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)["VpcAttachment"]["State"] == "attaching"
    (attached,) = call("DescribeVpnGateways", VpnGatewayIds=[gateway])["VpnGateways"]
    assert attached["VpcAttachments"] == [{"VpcId": vpc, "State": "attached"}]
    (shown,) = call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
    assert shown["PropagatingVgws"] == []
    for _ in range(2):
        call("EnableVgwRoutePropagation", GatewayId=gateway, RouteTableId=table)
    (shown,) = call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
    assert shown["PropagatingVgws"] == [{"GatewayId": gateway}]
    return customer_id, gateway


def a_sample(caller: Caller, connection: str, described: dict[str, Any], service: Service) -> None:
    """The sample configuration names the connection and has both keys; an unknown device or connection is refused."""
    call = caller.call
    types = call("GetVpnConnectionDeviceTypes")["VpnConnectionDeviceTypes"]
    device = next(t["VpnConnectionDeviceTypeId"] for t in types if t["Platform"] == "Linux, user-space ESP")
    asked = {"VpnConnectionDeviceTypeId": device, "InternetKeyExchangeVersion": "ikev2"}
    with refused(service, "InvalidVpnConnectionID.NotFound", NO_CONNECTION):
        call("GetVpnConnectionDeviceSampleConfiguration", VpnConnectionId=NO_CONNECTION, **asked)
    sample = call("GetVpnConnectionDeviceSampleConfiguration", VpnConnectionId=connection, **asked)
    text = sample["VpnConnectionDeviceSampleConfiguration"]
    document = ElementTree.fromstring(described["CustomerGatewayConfiguration"])
    keys = [element.text for element in document.iter("pre_shared_key")]
    assert len(keys) == 2
    assert all(word is not None and word in text for word in (connection, *keys))


def take_away(
    service: Service, caller: Caller, network: tuple[str, str, str], gateways: tuple[str, str], connection: str
) -> None:
    """Everything is deleted, each thing first while it still has what it needs gone."""
    call = caller.call
    vpc, subnet, table = network
    customer, gateway = gateways
    with refused(service, "IncorrectState", connection):
        call("DeleteCustomerGateway", CustomerGatewayId=customer)
    with refused(service, "IncorrectState", vpc):
        call("DeleteVpnGateway", VpnGatewayId=gateway)
    with refused(service, "DependencyViolation", gateway):
        call("DeleteVpc", VpcId=vpc)
    with refused(service, "DependencyViolation", subnet):
        call("DeleteVpc", VpcId=vpc)
    with refused(service, "DependencyViolation"):
        call("DeleteRouteTable", RouteTableId=table)
    with refused(service, "InvalidVpnConnectionID.NotFound", NO_CONNECTION):
        call("DeleteVpnConnection", VpnConnectionId=NO_CONNECTION)

    call("DetachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
    (shown,) = call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
    assert shown["PropagatingVgws"] == []
    with refused(service, "IncorrectState", connection):
        call("DeleteVpnGateway", VpnGatewayId=gateway)
    call("DeleteVpnConnection", VpnConnectionId=connection)
    caller.wait("vpn_connection_deleted", VpnConnectionIds=[connection])
    with refused(service, "InvalidVpnConnectionID.NotFound", connection):
        call("DeleteVpnConnection", VpnConnectionId=connection)
    call("DeleteVpnGateway", VpnGatewayId=gateway)
    with refused(service, "InvalidVpnGatewayID.NotFound", gateway):
        call("AttachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
    call("DeleteCustomerGateway", CustomerGatewayId=customer)
    with refused(service, "InvalidCustomerGatewayID.NotFound", customer):
        call("DeleteCustomerGateway", CustomerGatewayId=customer)
    call("DeleteSubnet", SubnetId=subnet)
    call("DeleteRouteTable", RouteTableId=table)
    call("DeleteVpc", VpcId=vpc)
    with refused(service, "InvalidVpcID.NotFound", vpc):
        call("DescribeVpcs", VpcIds=[vpc])


def test_the_static_flow(service: Service, caller: Caller) -> None:
    call = caller.call
    customer = call("CreateCustomerGateway", Type="ipsec.1", PublicIp="192.0.2.2")["CustomerGateway"]
    assert customer["BgpAsn"] == "65000"
    gateway = call("CreateVpnGateway", Type="ipsec.1", AmazonSideAsn=65000)["VpnGateway"]["VpnGatewayId"]
    wanted = {"CustomerGatewayId": customer["CustomerGatewayId"], "VpnGatewayId": gateway}
    with refused(service, "InvalidParameterCombination", "65000"):
        call("CreateVpnConnection", Type="ipsec.1", **wanted)
    vpn = call("CreateVpnConnection", Type="ipsec.1", **wanted, Options={"StaticRoutesOnly": True})["VpnConnection"]
    route = {"VpnConnectionId": vpn["VpnConnectionId"], "DestinationCidrBlock": "192.168.10.0/24"}
    with refused(service, "InvalidVpnConnectionID.NotFound"):
        call("CreateVpnConnectionRoute", **route | {"VpnConnectionId": NO_CONNECTION})
    with refused(service, "InvalidRoute.NotFound"):
        call("DeleteVpnConnectionRoute", **route)
    call("CreateVpnConnectionRoute", **route)
    (shown,) = call("DescribeVpnConnections", VpnConnectionIds=[vpn["VpnConnectionId"]])["VpnConnections"]
    assert shown["Routes"] == [{"DestinationCidrBlock": "192.168.10.0/24", "Source": "Static", "State": "available"}]
    call("DeleteVpnConnectionRoute", **route)
    (shown,) = call("DescribeVpnConnections", VpnConnectionIds=[vpn["VpnConnectionId"]])["VpnConnections"]
    assert shown["Routes"] == []
    call("DeleteVpnConnection", VpnConnectionId=vpn["VpnConnectionId"])
