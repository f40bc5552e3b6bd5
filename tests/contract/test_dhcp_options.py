"""DHCP options through boto3: the account's one set, and none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import refused, vpc

UNKNOWN = "dopt-0123456789abcdef0"


def test_the_accounts_set_is_what_a_vpc_starts_with(ec2: Any) -> None:
    vpc(ec2)
    (found,) = ec2.describe_vpcs()["Vpcs"]
    (options,) = ec2.describe_dhcp_options()["DhcpOptions"]
    assert options == {
        "DhcpOptionsId": found["DhcpOptionsId"],
        "OwnerId": found["OwnerId"],
        "DhcpConfigurations": [
            {"Key": "domain-name", "Values": [{"Value": "ec2.internal"}]},
            {"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]},
        ],
        "Tags": [],
    }
    assert ec2.describe_dhcp_options(DhcpOptionsIds=[options["DhcpOptionsId"]])["DhcpOptions"] == [options]


def test_a_vpc_without_options_and_with_them_again(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    options = ec2.describe_dhcp_options()["DhcpOptions"][0]["DhcpOptionsId"]
    for value in ("default", options):
        ec2.associate_dhcp_options(VpcId=vpc_id, DhcpOptionsId=value)
        assert ec2.describe_vpcs()["Vpcs"][0]["DhcpOptionsId"] == value
        (found,) = ec2.describe_vpcs(Filters=[{"Name": "dhcp-options-id", "Values": [value]}])["Vpcs"]
        assert found["VpcId"] == vpc_id
    with refused(service, "InvalidDhcpOptionsID.NotFound", UNKNOWN):
        ec2.associate_dhcp_options(VpcId=vpc_id, DhcpOptionsId=UNKNOWN)
    with refused(service, "InvalidDhcpOptionsId.Malformed", "none"):
        ec2.associate_dhcp_options(VpcId=vpc_id, DhcpOptionsId="none")
    with refused(service, "InvalidVpcID.NotFound"):
        ec2.associate_dhcp_options(VpcId="vpc-0123456789abcdef0", DhcpOptionsId="default")
    with refused(service, "InvalidDhcpOptionsID.NotFound", UNKNOWN):
        ec2.describe_dhcp_options(DhcpOptionsIds=[UNKNOWN])
    with refused(service, "UnsupportedOperation", "CreateDhcpOptions"):
        ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}])


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("dhcp-options-id", "dopt-*", 1),
        ("key", "domain-name", 1),
        ("key", "ntp-servers", 0),
        ("value", "AmazonProvidedDNS", 1),
        ("owner-id", "0*0", 0),
        ("tag:Name", "*", 0),
        ("tag-key", "*", 0),
    ],
)
def test_filters(ec2: Any, name: str, value: str, count: int) -> None:
    assert len(ec2.describe_dhcp_options(Filters=[{"Name": name, "Values": [value]}])["DhcpOptions"]) == count


def test_an_unknown_filter(service: Service, ec2: Any) -> None:
    with refused(service, "InvalidParameterValue", "The filter 'colour' is invalid"):
        ec2.describe_dhcp_options(Filters=[{"Name": "colour", "Values": ["red"]}])
