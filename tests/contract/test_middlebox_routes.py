"""Routes inside the VPC's own blocks: to one subnet by way of a network interface, or in a local route's place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.test_route_tables import LOCAL, internet_gateway, plug, routes, table
from tests.contract.test_subnets import subnet
from tests.contract.vpn import refused, vpc

SUBNET = "10.0.1.0/24"


@pytest.fixture
def world(ec2: Any) -> dict[str, str]:
    """A VPC with a subnet (`SUBNET`), a route table, a network interface and an internet gateway."""
    vpc_id = vpc(ec2)
    subnet_id = subnet(ec2, vpc_id, SUBNET)
    return {
        "vpc": vpc_id,
        "subnet": subnet_id,
        "table": table(ec2, vpc_id),
        "eni": ec2.create_network_interface(SubnetId=subnet_id)["NetworkInterface"]["NetworkInterfaceId"],
        "igw": internet_gateway(ec2, vpc_id),
    }


def test_a_route_to_one_subnet_by_way_of_a_network_interface(service: Service, ec2: Any, world: dict[str, str]) -> None:
    route = {"RouteTableId": world["table"], "DestinationCidrBlock": SUBNET}
    with refused(service, "InvalidParameterValue", SUBNET, "This route can target only an interface or an instance."):
        ec2.create_route(**route, GatewayId=world["igw"])
    ec2.create_route(**route, NetworkInterfaceId=world["eni"])
    plug(service, world["eni"])
    assert routes(ec2, world["table"]) == [LOCAL, (SUBNET, world["eni"], "CreateRoute", "active")]
    with refused(service, "InvalidParameterValue", SUBNET, "only an interface"):
        ec2.replace_route(**route, GatewayId=world["igw"])
    ec2.delete_route(**route)
    assert routes(ec2, world["table"]) == [LOCAL]


@pytest.mark.parametrize("destination", ["10.0.1.0/25", "10.0.0.0/17", "10.0.9.0/24"])
def test_inside_the_vpc_only_whole_subnets_are_destinations(
    service: Service, ec2: Any, world: dict[str, str], destination: str
) -> None:
    with refused(service, "InvalidParameterValue", destination, "not the CIDR block of a subnet"):
        ec2.create_route(RouteTableId=world["table"], DestinationCidrBlock=destination, NetworkInterfaceId=world["eni"])


def test_the_local_route_is_replaced_and_restored(service: Service, ec2: Any, world: dict[str, str]) -> None:
    local = {"RouteTableId": world["table"], "DestinationCidrBlock": "10.0.0.0/16"}
    with refused(service, "RouteAlreadyExists", "10.0.0.0/16"):
        ec2.create_route(**local, NetworkInterfaceId=world["eni"])
    with refused(service, "InvalidParameterValue", "only an interface"):
        ec2.replace_route(**local, GatewayId=world["igw"])
    ec2.replace_route(**local, NetworkInterfaceId=world["eni"])
    assert routes(ec2, world["table"]) == [("10.0.0.0/16", world["eni"], "CreateRouteTable", "blackhole")]
    plug(service, world["eni"])
    assert routes(ec2, world["table"])[0][3] == "active"
    with refused(
        service, "InvalidParameterValue", f"cannot remove local route 10.0.0.0/16 in route table {world['table']}"
    ):
        ec2.delete_route(**local)
    with refused(service, "InvalidParameterCombination", "LocalTarget", "NetworkInterfaceId"):
        ec2.replace_route(**local, LocalTarget=True, NetworkInterfaceId=world["eni"])
    ec2.replace_route(**local, LocalTarget=True)
    assert routes(ec2, world["table"]) == [LOCAL]
    before = service.dump()
    ec2.replace_route(**local, LocalTarget=True)
    assert service.dump() == before


def test_a_local_target_is_for_local_routes_only(service: Service, ec2: Any, world: dict[str, str]) -> None:
    route = {"RouteTableId": world["table"], "DestinationCidrBlock": "9.0.0.0/8"}
    ec2.create_route(**route, GatewayId=world["igw"])
    with refused(service, "InvalidParameterValue", "LocalTarget"):
        ec2.replace_route(**route, LocalTarget=True)
    ec2.replace_route(**route, LocalTarget=False, NetworkInterfaceId=world["eni"])
    assert routes(ec2, world["table"])[1][1] == world["eni"]


def test_a_deleted_network_interface_leaves_a_blackhole(ec2: Any, world: dict[str, str]) -> None:
    local = {"RouteTableId": world["table"], "DestinationCidrBlock": "10.0.0.0/16"}
    ec2.replace_route(**local, NetworkInterfaceId=world["eni"])
    ec2.create_route(RouteTableId=world["table"], DestinationCidrBlock="9.0.0.0/8", NetworkInterfaceId=world["eni"])
    ec2.delete_network_interface(NetworkInterfaceId=world["eni"])
    assert routes(ec2, world["table"]) == [
        ("10.0.0.0/16", world["eni"], "CreateRouteTable", "blackhole"),
        ("9.0.0.0/8", world["eni"], "CreateRoute", "blackhole"),
    ]
    ec2.replace_route(**local, LocalTarget=True)
    assert routes(ec2, world["table"])[0] == LOCAL
