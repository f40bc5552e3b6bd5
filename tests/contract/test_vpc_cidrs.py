"""Secondary blocks of VPCs through boto3: their life, AWS's restrictions, subnets and routes in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service, now
from tests.contract.test_route_tables import (
    LOCAL,
    attached_vpn_gateway,
    internet_gateway,
    learn,
    main_table,
    plug,
    routes,
    table,
)
from tests.contract.test_subnets import subnet
from tests.contract.vpn import foreign, refused, vpc
from twinbore.model import resources as r
from twinbore.model.settings import Quotas, Settings

UNKNOWN = "vpc-cidr-assoc-0123456789abcdef0"


def associate(ec2: Any, vpc_id: str, block: str = "100.64.0.0/16") -> dict[str, Any]:
    answer: dict[str, Any] = ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock=block)
    assert answer["VpcId"] == vpc_id
    found: dict[str, Any] = answer["CidrBlockAssociation"]
    return found


def blocks(ec2: Any, vpc_id: str) -> list[tuple[str, str]]:
    """(block, state) of every association of the VPC."""
    (found,) = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    return [(a["CidrBlock"], a["CidrBlockState"]["State"]) for a in found["CidrBlockAssociationSet"]]


def test_a_secondary_block_from_associate_to_disassociate(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    made = associate(ec2, vpc_id)
    assert made == {
        "AssociationId": made["AssociationId"],
        "CidrBlock": "100.64.0.0/16",
        "CidrBlockState": {"State": "associating"},
    }
    primary = ("10.0.0.0/16", "associated")
    assert blocks(ec2, vpc_id) == [primary, ("100.64.0.0/16", "associating")]
    service.settle()
    assert blocks(ec2, vpc_id) == [primary, ("100.64.0.0/16", "associated")]
    assert ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"] == "10.0.0.0/16"
    gone = ec2.disassociate_vpc_cidr_block(AssociationId=made["AssociationId"])
    assert gone["VpcId"] == vpc_id
    assert gone["CidrBlockAssociation"] == made | {"CidrBlockState": {"State": "disassociating"}}
    again = ec2.disassociate_vpc_cidr_block(AssociationId=made["AssociationId"])
    assert again["CidrBlockAssociation"] == gone["CidrBlockAssociation"]
    service.settle()
    assert blocks(ec2, vpc_id) == [primary]
    with refused(service, "InvalidVpcCidrBlockAssociationID.NotFound", made["AssociationId"]):
        ec2.disassociate_vpc_cidr_block(AssociationId=made["AssociationId"])


def test_a_vpc_takes_its_blocks_along(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    associate(ec2, vpc_id)
    ec2.delete_vpc(VpcId=vpc_id)
    assert service.dump()["vpc_cidr_blocks"] == []


@pytest.mark.parametrize(
    ("block", "code", "words"),
    [
        ("10.1.0.0/15", "InvalidVpc.Range", ("10.0.0.0/15", "/16")),
        ("100.64.0.0/29", "InvalidVpc.Range", ("100.64.0.0/29", "/28")),
        ("169.254.0.0/16", "InvalidVpc.Range", ("169.254.0.0/16",)),
        ("10.0.0.0/16", "InvalidVpc.Range", ("conflicts with another CIDR", "10.0.0.0/16")),
        ("10.0.128.0/24", "InvalidVpc.Range", ("conflicts with another CIDR", "10.0.0.0/16")),
        ("8.8.0.0/20", "InvalidVpc.Range", ("conflicts with another CIDR", "8.8.0.0/16")),
        ("192.168.0.0/16", "InvalidVpc.Range", ("The CIDR '192.168.0.0/16' is restricted. Use a CIDR from the same",)),
        ("198.19.0.0/16", "InvalidVpc.Range", ("is restricted",)),
        ("nonsense", "InvalidParameterValue", ("CidrBlock", "nonsense")),
        (None, "MissingParameter", ("CidrBlock",)),
    ],
)
def test_a_block_that_cannot_be_associated(
    service: Service, ec2: Any, block: str | None, code: str, words: tuple[str, ...]
) -> None:
    vpc_id = vpc(ec2)
    associate(ec2, vpc_id, "8.8.0.0/16")
    with refused(service, code, *words):
        ec2.associate_vpc_cidr_block(VpcId=vpc_id, **({"CidrBlock": block} if block else {}))


@pytest.mark.parametrize(
    "more",
    [
        {"AmazonProvidedIpv6CidrBlock": True},
        {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6Pool": "ipv6pool-ec2-1"},
        {"Ipv4IpamPoolId": "ipam-pool-1", "Ipv4NetmaskLength": 24},
    ],
)
def test_ipv6_and_pools_are_refused_by_name(service: Service, ec2: Any, more: dict[str, Any]) -> None:
    vpc_id = vpc(ec2)
    with refused(service, "UnsupportedOperation", next(iter(more))):
        ec2.associate_vpc_cidr_block(VpcId=vpc_id, **more)


def test_host_bits_are_cleared(ec2: Any) -> None:
    assert associate(ec2, vpc(ec2), "100.64.7.1/20")["CidrBlock"] == "100.64.0.0/20"


def test_ids_that_are_not_there(service: Service, ec2: Any) -> None:
    with refused(service, "InvalidVpcID.NotFound"):
        ec2.associate_vpc_cidr_block(VpcId="vpc-0123456789abcdef0", CidrBlock="10.0.0.0/16")
    with refused(service, "InvalidVpcCidrBlockAssociationID.NotFound", UNKNOWN):
        ec2.disassociate_vpc_cidr_block(AssociationId=UNKNOWN)
    with refused(service, "InvalidVpcCidrBlockAssociationID.Malformed", "vpc-cidr"):
        ec2.disassociate_vpc_cidr_block(AssociationId="vpc-cidr")
    other = "999999999999"
    theirs = foreign(service, r.Vpc("vpc-0123456789abcdef0", other, "10.0.0.0/16", "available", now()))
    block = foreign(
        service, r.VpcCidrBlock("vpc-cidr-assoc-" + "a" * 17, other, theirs, "8.8.0.0/16", "associated", now())
    )
    for value in (UNKNOWN, block):
        with refused(service, "InvalidVpcCidrBlockAssociationID.NotFound", value):
            ec2.disassociate_vpc_cidr_block(AssociationId=value)


def test_the_primary_block_stays(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    primary = ec2.describe_vpcs()["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
    words = f"The vpc CIDR block with association ID {primary} may not be disassociated. It is the primary IPv4 CIDR"
    with refused(service, "OperationNotPermitted", words):
        ec2.disassociate_vpc_cidr_block(AssociationId=primary)
    assert blocks(ec2, vpc_id) == [("10.0.0.0/16", "associated")]


def test_subnets_in_a_secondary_block(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    with refused(service, "InvalidSubnet.Range", "100.64.1.0/24", "10.0.0.0/16"):
        subnet(ec2, vpc_id, "100.64.1.0/24")
    association = associate(ec2, vpc_id)["AssociationId"]
    there = subnet(ec2, vpc_id, "100.64.1.0/24")
    eni = ec2.create_network_interface(SubnetId=there)["NetworkInterface"]
    assert eni["PrivateIpAddress"] == "100.64.1.4"
    with refused(
        service, "InvalidCidrBlock.InUse", f"The vpc {vpc_id} currently has a subnet within CIDR block", there
    ):
        ec2.disassociate_vpc_cidr_block(AssociationId=association)
    ec2.delete_network_interface(NetworkInterfaceId=eni["NetworkInterfaceId"])
    ec2.delete_subnet(SubnetId=there)
    ec2.disassociate_vpc_cidr_block(AssociationId=association)
    with refused(service, "InvalidSubnet.Range", "100.64.1.0/24"):
        subnet(ec2, vpc_id, "100.64.1.0/24")


def test_every_block_has_its_local_route(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    association = associate(ec2, vpc_id)["AssociationId"]
    main, igw = main_table(ec2, vpc_id)["RouteTableId"], internet_gateway(ec2, vpc_id)
    second = ("100.64.0.0/16", "local", "CreateRouteTable", "active")
    assert routes(ec2, main) == [LOCAL, second]
    for destination in ("100.64.0.0/16", "100.64.1.0/24"):
        with refused(service, "InvalidParameterValue", destination, "equal to or more specific"):
            ec2.create_route(RouteTableId=main, DestinationCidrBlock=destination, GatewayId=igw)
    with refused(service, "InvalidParameterValue", "cannot remove local route 100.64.0.0/16"):
        ec2.delete_route(RouteTableId=main, DestinationCidrBlock="100.64.0.0/16")
    ec2.disassociate_vpc_cidr_block(AssociationId=association)
    assert routes(ec2, main) == [LOCAL]
    ec2.create_route(RouteTableId=main, DestinationCidrBlock="100.64.0.0/16", GatewayId=igw)


def test_a_block_that_would_swallow_a_route(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2, "10.2.0.0/16")
    other, vgw = table(ec2, vpc_id), attached_vpn_gateway(service, ec2, vpc_id)
    ec2.create_route(RouteTableId=other, DestinationCidrBlock="10.0.0.0/24", GatewayId=vgw)
    for block in ("10.0.0.0/16", "10.0.0.0/24"):
        with refused(service, "InvalidVpc.Range", block, "10.0.0.0/24", other):
            ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock=block)
    associate(ec2, vpc_id, "10.0.0.0/25")
    learn(service, vgw, "100.64.8.0/24")
    ec2.enable_vgw_route_propagation(RouteTableId=other, GatewayId=vgw)
    with refused(service, "InvalidVpc.Range", "100.64.8.0/24", other):
        ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="100.64.0.0/16")


def test_what_replaced_a_local_route_goes_with_the_block(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    association = associate(ec2, vpc_id)["AssociationId"]
    main = main_table(ec2, vpc_id)["RouteTableId"]
    eni = ec2.create_network_interface(SubnetId=subnet(ec2, vpc_id))["NetworkInterface"]["NetworkInterfaceId"]
    plug(service, eni)
    ec2.replace_route(RouteTableId=main, DestinationCidrBlock="100.64.0.0/16", NetworkInterfaceId=eni)
    assert routes(ec2, main)[1] == ("100.64.0.0/16", eni, "CreateRouteTable", "active")
    ec2.disassociate_vpc_cidr_block(AssociationId=association)
    assert routes(ec2, main) == [LOCAL]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("cidr-block-association.cidr-block", "100.64.0.0/16", [0]),
        ("cidr-block-association.cidr-block", "10.?.0.0/16", [0, 1]),
        ("cidr-block-association.state", "associating", [0]),
        ("cidr-block-association.state", "associated", [0, 1]),
        ("cidr", "100.64.0.0/16", []),
    ],
)
def test_filters(ec2: Any, name: str, value: str, found: list[int]) -> None:
    ids = [vpc(ec2), vpc(ec2, "10.1.0.0/16")]
    association = associate(ec2, ids[0])["AssociationId"]
    answer = ec2.describe_vpcs(Filters=[{"Name": name, "Values": [value]}])
    assert [v["VpcId"] for v in answer["Vpcs"]] == [ids[n] for n in found]
    answer = ec2.describe_vpcs(Filters=[{"Name": "cidr-block-association.association-id", "Values": [association]}])
    assert [v["VpcId"] for v in answer["Vpcs"]] == ids[:1]


class TestQuota:
    """The quota of blocks counts the primary one."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(cidr_blocks_per_vpc=2))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        vpc_id = vpc(ec2)
        associate(ec2, vpc_id)
        words = f"This network '{vpc_id}' has met its maximum number of allowed CIDRs: 2"
        with refused(service, "CidrLimitExceeded", words):
            associate(ec2, vpc_id, "100.65.0.0/16")
