"""VPCs through boto3: life, what is shown, and every way to ask wrongly."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.conftest import Service, now
from tests.contract.vpn import foreign, refused, vpc, vpn_gateway
from twinbore.model import resources as r
from twinbore.model.settings import Quotas, Settings

UNKNOWN = "vpc-0123456789abcdef0"


def test_a_vpc_from_create_to_delete(service: Service, ec2: Any) -> None:
    empty = service.dump()
    made = ec2.create_vpc(
        CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "a"}]}]
    )["Vpc"]
    owner = made["OwnerId"]
    vpc_id = made["VpcId"]
    expected = {
        "VpcId": vpc_id,
        "OwnerId": owner,
        "State": "pending",
        "CidrBlock": "10.0.0.0/16",
        "DhcpOptionsId": made["DhcpOptionsId"],
        "InstanceTenancy": "default",
        "IsDefault": False,
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Ipv6CidrBlockAssociationSet": [],
        "CidrBlockAssociationSet": [
            {
                "AssociationId": vpc_id.replace("vpc-", "vpc-cidr-assoc-"),
                "CidrBlock": "10.0.0.0/16",
                "CidrBlockState": {"State": "associated"},
            }
        ],
        "Tags": [{"Key": "Name", "Value": "a"}],
    }
    assert made == expected
    assert re.fullmatch("dopt-[0-9a-f]{17}", made["DhcpOptionsId"])
    assert len(vpc_id) == len("vpc-") + 17
    assert len(owner) == 12
    assert ec2.describe_vpcs()["Vpcs"] == [expected]
    service.settle()
    assert ec2.describe_vpcs()["Vpcs"] == [expected | {"State": "available"}]
    ec2.delete_vpc(VpcId=vpc_id)
    assert ec2.describe_vpcs()["Vpcs"] == []
    left = {name: rows for name, rows in service.dump().items() if rows != empty[name]}
    assert set(left) == {"counters"}


def test_a_vpc_has_a_main_route_table_with_its_local_route(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    (table,) = ec2.describe_route_tables()["RouteTables"]
    assert table["VpcId"] == vpc_id
    assert [a["Main"] for a in table["Associations"]] == [True]
    assert table["Routes"] == [
        {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"}
    ]


def test_two_vpcs_may_have_the_same_block(ec2: Any) -> None:
    assert vpc(ec2) != vpc(ec2)


@pytest.mark.parametrize("block", ["10.0.0.0/16", "192.168.255.240/28", "100.64.0.0/18", "203.0.113.0/24"])
def test_blocks_that_a_vpc_may_have(ec2: Any, block: str) -> None:
    assert ec2.create_vpc(CidrBlock=block)["Vpc"]["CidrBlock"] == block


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"CidrBlock": "10.0.0.0/15"}, "InvalidVpc.Range", ("CidrBlock", "10.0.0.0/15", "/16", "/28")),
        ({"CidrBlock": "10.0.0.0/29"}, "InvalidVpc.Range", ("CidrBlock", "10.0.0.0/29")),
        ({"CidrBlock": "169.254.0.0/16"}, "InvalidVpc.Range", ("169.254.0.0/16",)),
        ({"CidrBlock": "127.1.0.0/16"}, "InvalidVpc.Range", ("127.0.0.0/8",)),
        ({"CidrBlock": "239.0.0.0/16"}, "InvalidVpc.Range", ("224.0.0.0/3",)),
        ({"CidrBlock": "10.0.0.0"}, "InvalidParameterValue", ("CidrBlock", "10.0.0.0/16")),
        ({"CidrBlock": "10.0.0.0/016"}, "InvalidParameterValue", ("10.0.0.0/016",)),
        ({"CidrBlock": "10.0.0.0/255.255.0.0"}, "InvalidParameterValue", ("10.0.0.0/255.255.0.0",)),
        ({"CidrBlock": "10.0.0/16"}, "InvalidParameterValue", ("CidrBlock", "10.0.0/16")),
        ({"CidrBlock": "fd00::/56"}, "InvalidParameterValue", ("CidrBlock", "fd00::/56")),
        ({"CidrBlock": ""}, "InvalidParameterValue", ("CidrBlock",)),
        ({}, "MissingParameter", ("CidrBlock",)),
        ({"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "shared"}, "InvalidParameterValue", ("InstanceTenancy",)),
        ({"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "dedicated"}, "UnsupportedOperation", ("dedicated",)),
        (
            {"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": True},
            "UnsupportedOperation",
            ("AmazonProvidedIpv6CidrBlock",),
        ),
        ({"Ipv4IpamPoolId": "ipam-pool-1", "Ipv4NetmaskLength": 16}, "UnsupportedOperation", ("Ipv4IpamPoolId",)),
        (
            {
                "CidrBlock": "10.0.0.0/16",
                "TagSpecifications": [{"ResourceType": "subnet", "Tags": [{"Key": "a", "Value": "b"}]}],
            },
            "InvalidParameterValue",
            ("TagSpecification.ResourceType", "subnet", "vpc"),
        ),
    ],
)
def test_a_vpc_that_cannot_be_made(
    service: Service, ec2: Any, request_: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    with refused(service, code, *words):
        ec2.create_vpc(**request_)


def test_host_bits_are_cleared(ec2: Any) -> None:
    assert ec2.create_vpc(CidrBlock="100.68.0.18/18")["Vpc"]["CidrBlock"] == "100.68.0.0/18"


def test_what_is_false_or_empty_is_as_if_left_out(ec2: Any) -> None:
    ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=False)


@pytest.mark.parametrize("call", ["delete_vpc", "describe_vpc_attribute", "modify_vpc_attribute"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (UNKNOWN, "InvalidVpcID.NotFound"),
        ("vpc-1", "InvalidVpcID.Malformed"),
        ("subnet-0123456789abcdef0", "InvalidVpcID.Malformed"),
        ("vpc-0123456789ABCDEF0", "InvalidVpcID.Malformed"),
        ("vpc-0123456789abcdef0\n", "InvalidVpcID.Malformed"),
    ],
)
def test_ids_that_are_not_there(service: Service, ec2: Any, call: str, value: str, code: str) -> None:
    more = {
        "describe_vpc_attribute": {"Attribute": "enableDnsSupport"},
        "modify_vpc_attribute": {"EnableDnsSupport": {"Value": True}},
    }
    with refused(service, code, value.strip()):
        getattr(ec2, call)(VpcId=value, **more.get(call, {}))


def test_describe_of_unknown_ids(service: Service, ec2: Any) -> None:
    known = vpc(ec2)
    with refused(service, "InvalidVpcID.NotFound", UNKNOWN):
        ec2.describe_vpcs(VpcIds=[known, UNKNOWN])
    with refused(service, "InvalidVpcID.Malformed", "vpc-x"):
        ec2.describe_vpcs(VpcIds=["vpc-x"])


def test_another_accounts_vpc_is_not_there(service: Service, ec2: Any) -> None:
    other = foreign(service, r.Vpc(UNKNOWN, "999999999999", "10.9.0.0/16", "available", now()))
    assert ec2.describe_vpcs()["Vpcs"] == []
    with refused(service, "InvalidVpcID.NotFound", other):
        ec2.describe_vpcs(VpcIds=[other])
    with refused(service, "InvalidVpcID.NotFound", other):
        ec2.delete_vpc(VpcId=other)
    with refused(service, "InvalidVpcID.NotFound", other):
        ec2.create_tags(Resources=[other], Tags=[{"Key": "a", "Value": "b"}])


def test_a_vpc_in_use_cannot_be_deleted(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    with refused(service, "DependencyViolation", f"The vpc '{vpc_id}' has dependencies", subnet):
        ec2.delete_vpc(VpcId=vpc_id)
    ec2.delete_subnet(SubnetId=subnet)
    table = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    with refused(service, "DependencyViolation", table):
        ec2.delete_vpc(VpcId=vpc_id)
    ec2.delete_route_table(RouteTableId=table)
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc_id)
    with refused(service, "DependencyViolation", igw):
        ec2.delete_vpc(VpcId=vpc_id)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc_id)
    ec2.delete_vpc(VpcId=vpc_id)


def test_a_vpc_stays_until_its_gateway_is_detached(service: Service, ec2: Any) -> None:
    vpc_id, gateway = vpc(ec2), vpn_gateway(ec2)
    ec2.attach_vpn_gateway(VpcId=vpc_id, VpnGatewayId=gateway)
    service.settle()
    for _ in ("attached", "detaching"):
        with refused(service, "DependencyViolation", gateway):
            ec2.delete_vpc(VpcId=vpc_id)
        ec2.detach_vpn_gateway(VpcId=vpc_id, VpnGatewayId=gateway)
    service.settle()
    ec2.delete_vpc(VpcId=vpc_id)
    assert ec2.describe_vpn_gateways()["VpnGateways"][0]["VpcAttachments"] == []


def test_a_vpc_takes_the_routes_of_its_main_table_and_its_tags_along(service: Service, ec2: Any) -> None:
    vpc_id, gateway = vpc(ec2), vpn_gateway(ec2)
    ec2.attach_vpn_gateway(VpcId=vpc_id, VpnGatewayId=gateway)
    main = ec2.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=main, DestinationCidrBlock="172.16.0.0/12", GatewayId=gateway)
    ec2.create_tags(Resources=[vpc_id, main], Tags=[{"Key": "a", "Value": "b"}])
    service.settle()
    ec2.detach_vpn_gateway(VpcId=vpc_id, VpnGatewayId=gateway)
    service.settle()
    ec2.delete_vpc(VpcId=vpc_id)
    rows = service.dump()
    for table in (
        "vpcs",
        "route_tables",
        "route_table_associations",
        "static_routes",
        "vpn_gateway_attachments",
        "tags",
    ):
        assert rows[table] == [], table


@pytest.mark.parametrize(
    ("attribute", "member", "default"),
    [
        ("enableDnsSupport", "EnableDnsSupport", True),
        ("enableDnsHostnames", "EnableDnsHostnames", False),
        ("enableNetworkAddressUsageMetrics", "EnableNetworkAddressUsageMetrics", False),
    ],
)
def test_attributes(ec2: Any, attribute: str, member: str, default: bool) -> None:
    vpc_id = vpc(ec2)
    answer = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
    answer.pop("ResponseMetadata")
    assert answer == {"VpcId": vpc_id, member: {"Value": default}}
    ec2.modify_vpc_attribute(VpcId=vpc_id, **{member: {"Value": False}})
    assert ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)[member] == {"Value": False}


def test_attributes_that_cannot_be_changed_so(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    assert ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    yes = {"Value": True}
    with refused(service, "InvalidParameterCombination", "EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport=yes, EnableDnsHostnames=yes)
    with refused(service, "InvalidParameterCombination", "none"):
        ec2.modify_vpc_attribute(VpcId=vpc_id)
    with refused(service, "UnsupportedOperation", "EnableNetworkAddressUsageMetrics"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, EnableNetworkAddressUsageMetrics=yes)
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": False})
    with refused(service, "InvalidParameterValue", "EnableDnsHostnames", "EnableDnsSupport"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames=yes)
    with refused(service, "InvalidParameterValue", "Attribute", "colour", "enableDnsSupport"):
        ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="colour")


def test_tenancy(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    assert ec2.modify_vpc_tenancy(VpcId=vpc_id, InstanceTenancy="default")["ReturnValue"] is True
    with refused(service, "InvalidParameterValue", "InstanceTenancy", "dedicated", "default"):
        ec2.modify_vpc_tenancy(VpcId=vpc_id, InstanceTenancy="dedicated")
    with refused(service, "InvalidVpcID.NotFound"):
        ec2.modify_vpc_tenancy(VpcId=UNKNOWN, InstanceTenancy="default")


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("cidr", ["10.0.0.0/16"], [0]),
        ("cidr", ["10.*"], [0, 1]),
        ("cidr", ["10.?.0.0/16", "192.168.0.0/24"], [0, 1, 2]),
        ("cidr-block-association.cidr-block", ["192.168.0.0/24"], [2]),
        ("cidr-block-association.state", ["associated"], [0, 1, 2]),
        ("cidr-block", ["10.0.0.0/16"], [0]),
        ("dhcp-options-id", ["dopt-*"], [0, 1, 2]),
        ("dhcp-options-id", ["default"], []),
        ("is-default", ["false"], [0, 1, 2]),
        ("isDefault", ["true"], []),
        ("state", ["pending"], [0, 1, 2]),
        ("owner-id", ["999999999999"], []),
        ("tag:Name", ["first"], [0]),
        ("tag:Name", ["f*", "s*"], [0, 1]),
        ("tag:name", ["first"], []),
        ("tag-key", ["Name"], [0, 1]),
        ("tag-value", ["second"], [1]),
        ("ipv6-cidr-block-association.state", ["associated"], []),
    ],
)
def test_filters(ec2: Any, name: str, values: list[str], found: list[int]) -> None:
    ids = [vpc(ec2, block) for block in ("10.0.0.0/16", "10.1.0.0/16", "192.168.0.0/24")]
    ec2.create_tags(Resources=ids[:1], Tags=[{"Key": "Name", "Value": "first"}])
    ec2.create_tags(Resources=ids[1:2], Tags=[{"Key": "Name", "Value": "second"}])
    answer = ec2.describe_vpcs(Filters=[{"Name": name, "Values": values}])
    assert [v["VpcId"] for v in answer["Vpcs"]] == [ids[n] for n in found]


def test_filters_are_joined_by_and(ec2: Any) -> None:
    first = vpc(ec2)
    vpc(ec2, "10.1.0.0/16")
    both = [{"Name": "vpc-id", "Values": [first]}, {"Name": "cidr", "Values": ["10.1.0.0/16"]}]
    assert ec2.describe_vpcs(Filters=both)["Vpcs"] == []
    assert len(ec2.describe_vpcs(VpcIds=[first, first], Filters=both[:1])["Vpcs"]) == 1


def test_pages(service: Service, ec2: Any) -> None:
    made = [vpc(ec2, f"10.{n}.0.0/16") for n in range(12)]
    pages = list(ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Vpcs"]) for page in pages] == [5, 5, 2]
    assert {v["VpcId"] for page in pages for v in page["Vpcs"]} == set(made)
    with refused(service, "InvalidMaxResults", "MaxResults", "1001", "5 to 1000"):
        ec2.describe_vpcs(MaxResults=1001)
    for token in ("x", "dHdpbmJvcmU6LTE=", "é", "dHdpbmJvcmU6"):
        with refused(service, "InvalidNextToken", token):
            ec2.describe_vpcs(NextToken=token)
    with refused(service, "InvalidParameterCombination", "VpcIds", "MaxResults"):
        ec2.describe_vpcs(VpcIds=made[:1], MaxResults=5)


class TestQuota:
    """The quota of VPCs."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(vpcs=2))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        first, _ = vpc(ec2), vpc(ec2)
        with refused(service, "VpcLimitExceeded", "2"):
            vpc(ec2)
        ec2.delete_vpc(VpcId=first)
        vpc(ec2)
