"""The same change asked for by many clients at once: one of them has it, the others are told, and nothing is half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from tests.contract.conftest import Service
from tests.contract.test_route_tables import described, internet_gateway, main_table, routes, table
from tests.contract.test_subnets import subnet
from tests.contract.vpn import vpc

CLIENTS = 8


def outcomes(call: Callable[[int], Any]) -> Counter[str]:
    """How often each of the simultaneous calls 0 ... CLIENTS-1 ended how: `done`, or an error's code."""

    def one(number: int) -> str:
        try:
            call(number)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "done"

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(pool.map(one, range(CLIENTS)))


def test_one_association_is_replaced_once(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    first, subnet_id = table(ec2, vpc_id), subnet(ec2, vpc_id)
    others = [table(ec2, vpc_id) for _ in range(CLIENTS)]
    association = ec2.associate_route_table(RouteTableId=first, SubnetId=subnet_id)["AssociationId"]
    found = outcomes(lambda n: ec2.replace_route_table_association(AssociationId=association, RouteTableId=others[n]))
    assert found == {"done": 1, "InvalidAssociationID.NotFound": CLIENTS - 1}
    associated = [t for t in [first, *others] if described(ec2, t)["Associations"]]
    assert len(associated) == 1


def test_the_main_association_moves_once(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    others = [table(ec2, vpc_id) for _ in range(CLIENTS)]
    association = main_table(ec2, vpc_id)["Associations"][0]["RouteTableAssociationId"]
    found = outcomes(lambda n: ec2.replace_route_table_association(AssociationId=association, RouteTableId=others[n]))
    assert found == {"done": 1, "InvalidAssociationID.NotFound": CLIENTS - 1}
    assert main_table(ec2, vpc_id)["RouteTableId"] in others


def test_a_subnet_is_associated_with_one_table(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    tables, subnet_id = [table(ec2, vpc_id) for _ in range(CLIENTS)], subnet(ec2, vpc_id)
    found = outcomes(lambda n: ec2.associate_route_table(RouteTableId=tables[n], SubnetId=subnet_id))
    assert found == {"done": 1, "Resource.AlreadyAssociated": CLIENTS - 1}


def test_overlapping_subnets_and_blocks(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    found = outcomes(lambda n: ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.1.0/{20 + n}"))
    assert found == {"done": 1, "InvalidSubnet.Conflict": CLIENTS - 1}
    found = outcomes(lambda n: ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock=f"100.64.0.0/{16 + n}"))
    assert found == {"done": 1, "InvalidVpc.Range": CLIENTS - 1}


def test_one_route_for_one_destination(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, igw = table(ec2, vpc_id), internet_gateway(ec2, vpc_id)
    route = {"RouteTableId": table_id, "DestinationCidrBlock": "0.0.0.0/0"}
    assert outcomes(lambda _: ec2.create_route(**route, GatewayId=igw)) == {"done": CLIENTS}
    assert len(routes(ec2, table_id)) == 2
    assert outcomes(lambda _: ec2.delete_route(**route)) == {"done": 1, "InvalidRoute.NotFound": CLIENTS - 1}


def test_one_internet_gateway_for_one_vpc(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    gateways = [internet_gateway(ec2) for _ in range(CLIENTS)]
    found = outcomes(lambda n: ec2.attach_internet_gateway(InternetGatewayId=gateways[n], VpcId=vpc_id))
    assert found == {"done": 1, "InvalidParameterValue": CLIENTS - 1}


def test_a_vpc_is_deleted_or_gets_its_subnet(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)

    def call(number: int) -> Any:
        if number % 2:
            return ec2.delete_vpc(VpcId=vpc_id)
        return ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{number}.0/24")

    found = outcomes(call)
    vpcs, subnets = ec2.describe_vpcs()["Vpcs"], ec2.describe_subnets()["Subnets"]
    if vpcs:
        assert found == {"done": CLIENTS // 2, "DependencyViolation": CLIENTS // 2}
        assert len(subnets) == CLIENTS // 2
    else:
        assert found == {"done": 1, "InvalidVpcID.NotFound": CLIENTS - 1}
        assert subnets == []
        assert service.dump()["route_tables"] == []
