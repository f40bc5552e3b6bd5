"""Subnets through boto3: inside their VPC, beside each other, in a zone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import refused, vpc
from twinbore.model.settings import Quotas, Settings

UNKNOWN = "subnet-0123456789abcdef0"


def subnet(ec2: Any, vpc_id: str, block: str = "10.0.1.0/24", **more: Any) -> str:
    return str(ec2.create_subnet(VpcId=vpc_id, CidrBlock=block, **more)["Subnet"]["SubnetId"])


def test_a_subnet_from_create_to_delete(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    made = ec2.create_subnet(
        VpcId=vpc_id,
        CidrBlock="10.0.1.0/24",
        AvailabilityZone="us-east-1b",
        TagSpecifications=[{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "s"}]}],
    )["Subnet"]
    subnet_id, owner = made["SubnetId"], made["OwnerId"]
    expected = {
        "SubnetId": subnet_id,
        "SubnetArn": f"arn:aws:ec2:us-east-1:{owner}:subnet/{subnet_id}",
        "OwnerId": owner,
        "VpcId": vpc_id,
        "State": "pending",
        "CidrBlock": "10.0.1.0/24",
        "AvailableIpAddressCount": 251,
        "AvailabilityZone": "us-east-1b",
        "AvailabilityZoneId": "use1-az2",
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": False,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "EnableDns64": False,
        "Ipv6Native": False,
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Ipv6CidrBlockAssociationSet": [],
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "Tags": [{"Key": "Name", "Value": "s"}],
    }
    assert made == expected
    service.settle()
    assert ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"] == [expected | {"State": "available"}]
    ec2.delete_subnet(SubnetId=subnet_id)
    assert ec2.describe_subnets()["Subnets"] == []
    assert service.dump()["tags"] == []


def test_the_zone_by_id_or_by_default(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    made = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24", AvailabilityZoneId="use1-az3")["Subnet"]
    assert made["AvailabilityZone"] == "us-east-1c"
    made = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.2.0/24")["Subnet"]
    assert made["AvailabilityZone"] == "us-east-1a"


def test_the_whole_vpc_may_be_one_subnet(ec2: Any) -> None:
    subnet(ec2, vpc(ec2), "10.0.0.0/16")


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"CidrBlock": "10.1.0.0/24"}, "InvalidSubnet.Range", ("CidrBlock", "10.1.0.0/24", "10.0.0.0/16")),
        ({"CidrBlock": "10.0.0.0/15"}, "InvalidSubnet.Range", ("10.0.0.0/15",)),
        ({"CidrBlock": "10.0.9.0/29"}, "InvalidSubnet.Range", ("10.0.9.0/29", "/28")),
        ({"CidrBlock": "10.0.1.0/24"}, "InvalidSubnet.Conflict", ("10.0.1.0/24", "subnet-")),
        ({"CidrBlock": "10.0.0.0/22"}, "InvalidSubnet.Conflict", ("10.0.0.0/22", "10.0.1.0/24")),
        ({"CidrBlock": "10.0.1.16/28"}, "InvalidSubnet.Conflict", ("10.0.1.16/28",)),
        ({"CidrBlock": "ten"}, "InvalidParameterValue", ("CidrBlock", "ten")),
        ({"AvailabilityZone": "us-east-1z"}, "InvalidParameterValue", ("us-east-1z", "us-east-1a, us-east-1b")),
        ({"AvailabilityZoneId": "use1-az9"}, "InvalidParameterValue", ("use1-az9", "use1-az1")),
        (
            {"AvailabilityZone": "us-east-1a", "AvailabilityZoneId": "use1-az1"},
            "InvalidParameterCombination",
            ("AvailabilityZone", "AvailabilityZoneId"),
        ),
        ({"Ipv6CidrBlock": "fd00::/64"}, "UnsupportedOperation", ("Ipv6CidrBlock",)),
        ({"OutpostArn": "arn:aws:outposts:x"}, "UnsupportedOperation", ("OutpostArn",)),
        ({"VpcId": "vpc-0123456789abcdef0"}, "InvalidVpcID.NotFound", ("vpc-0123456789abcdef0",)),
        ({"VpcId": "vpc"}, "InvalidVpcID.Malformed", ("vpc",)),
    ],
)
def test_a_subnet_that_cannot_be_made(
    service: Service, ec2: Any, changes: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    vpc_id = vpc(ec2)
    subnet(ec2, vpc_id)
    with refused(service, code, *words):
        ec2.create_subnet(**({"VpcId": vpc_id, "CidrBlock": "10.0.8.0/24"} | changes))


def test_host_bits_are_cleared(ec2: Any) -> None:
    made = ec2.create_subnet(VpcId=vpc(ec2), CidrBlock="10.0.2.1/24")["Subnet"]
    assert made["CidrBlock"] == "10.0.2.0/24"


def test_a_block_is_needed(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    with refused(service, "MissingParameter", "CidrBlock"):
        ec2.create_subnet(VpcId=vpc_id)


def test_the_same_block_in_another_vpc(ec2: Any) -> None:
    assert subnet(ec2, vpc(ec2)) != subnet(ec2, vpc(ec2))


@pytest.mark.parametrize(
    ("value", "code"), [(UNKNOWN, "InvalidSubnetID.NotFound"), ("subnet-12", "InvalidSubnetID.Malformed")]
)
def test_ids_that_are_not_there(service: Service, ec2: Any, value: str, code: str) -> None:
    with refused(service, code, value):
        ec2.delete_subnet(SubnetId=value)
    with refused(service, code, value):
        ec2.describe_subnets(SubnetIds=[value])
    with refused(service, code, value):
        ec2.modify_subnet_attribute(SubnetId=value, MapPublicIpOnLaunch={"Value": True})


def test_a_subnet_in_use_cannot_be_deleted(service: Service, ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    eni = ec2.create_network_interface(SubnetId=subnet_id)["NetworkInterface"]["NetworkInterfaceId"]
    with refused(service, "DependencyViolation", f"The subnet '{subnet_id}' has dependencies", eni):
        ec2.delete_subnet(SubnetId=subnet_id)


def test_a_subnets_association_goes_with_it(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    subnet_id = subnet(ec2, vpc_id)
    table = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet_id)
    ec2.delete_subnet(SubnetId=subnet_id)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"] == []
    ec2.delete_route_table(RouteTableId=table)


def test_addresses_left(ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2), "10.0.1.0/28")
    ec2.create_network_interface(SubnetId=subnet_id)
    assert ec2.describe_subnets()["Subnets"][0]["AvailableIpAddressCount"] == 10


def test_attributes(service: Service, ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets()["Subnets"][0]["MapPublicIpOnLaunch"]
    ec2.modify_subnet_attribute(SubnetId=subnet_id, AssignIpv6AddressOnCreation={"Value": False})
    ec2.modify_subnet_attribute(SubnetId=subnet_id, PrivateDnsHostnameTypeOnLaunch="ip-name")
    yes = {"Value": True}
    for name, value in {
        "AssignIpv6AddressOnCreation": yes,
        "CustomerOwnedIpv4Pool": "ipv4pool-coip-0123456789abcdef0",
        "DisableLniAtDeviceIndex": yes,
        "EnableDns64": yes,
        "EnableLniAtDeviceIndex": 1,
        "EnableResourceNameDnsAAAARecordOnLaunch": yes,
        "EnableResourceNameDnsARecordOnLaunch": yes,
        "MapCustomerOwnedIpOnLaunch": yes,
        "PrivateDnsHostnameTypeOnLaunch": "resource-name",
    }.items():
        with refused(service, "UnsupportedOperation", name):
            ec2.modify_subnet_attribute(SubnetId=subnet_id, **{name: value})
    with refused(service, "InvalidParameterValue", "PrivateDnsHostnameTypeOnLaunch", "colour", "resource-name"):
        ec2.modify_subnet_attribute(SubnetId=subnet_id, PrivateDnsHostnameTypeOnLaunch="colour")
    with refused(service, "InvalidParameterCombination", "EnableDns64, MapPublicIpOnLaunch"):
        ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch=yes, EnableDns64=yes)
    with refused(service, "InvalidParameterCombination", "none"):
        ec2.modify_subnet_attribute(SubnetId=subnet_id)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("availability-zone", "us-east-1b", [1]),
        ("availabilityZone", "us-east-1b", [1]),
        ("availability-zone-id", "use1-az1", [0]),
        ("available-ip-address-count", "251", [0]),
        ("available-ip-address-count", "10", [1]),
        ("cidr-block", "10.0.1.0/24", [0]),
        ("cidr", "10.0.2.0/28", [1]),
        ("cidrBlock", "10.0.?.0/*", [0, 1]),
        ("default-for-az", "false", [0, 1]),
        ("map-public-ip-on-launch", "true", []),
        ("state", "pending", [0, 1]),
        ("tag:Name", "b", [1]),
        ("outpost-arn", "*", []),
    ],
)
def test_filters(ec2: Any, name: str, value: str, found: list[int]) -> None:
    vpc_id = vpc(ec2)
    tagged = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "b"}]}]
    ids = [
        subnet(ec2, vpc_id),
        subnet(ec2, vpc_id, "10.0.2.0/28", AvailabilityZone="us-east-1b", TagSpecifications=tagged),
    ]
    ec2.create_network_interface(SubnetId=ids[1])
    answer = ec2.describe_subnets(Filters=[{"Name": name, "Values": [value]}])
    assert [s["SubnetId"] for s in answer["Subnets"]] == [ids[n] for n in found]


def test_filters_by_ids_and_arn(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    made = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]
    subnet(ec2, vpc(ec2))
    for name, value in (
        ("vpc-id", vpc_id),
        ("subnet-id", made["SubnetId"]),
        ("subnet-arn", made["SubnetArn"]),
    ):
        answer = ec2.describe_subnets(Filters=[{"Name": name, "Values": [value]}])
        assert [s["SubnetId"] for s in answer["Subnets"]] == [made["SubnetId"]], name


class TestQuota:
    """The quota of subnets in a VPC."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(subnets_per_vpc=1))

    def test_it_is_kept_for_each_vpc(self, service: Service, ec2: Any) -> None:
        vpc_id = vpc(ec2)
        subnet(ec2, vpc_id)
        with refused(service, "SubnetLimitExceeded", vpc_id, "1"):
            subnet(ec2, vpc_id, "10.0.2.0/24")
        subnet(ec2, vpc(ec2))
