"""The default VPC and its subnets through boto3."""

from __future__ import annotations

from typing import Any

from tests.contract.conftest import Service
from tests.contract.test_route_tables import main_table, routes
from tests.contract.vpn import refused, vpc


def default_attribute(ec2: Any) -> str:
    (attribute,) = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    return str(attribute["AttributeValues"][0]["AttributeValue"])


def test_the_default_vpc_has_all_that_aws_gives_it(service: Service, ec2: Any) -> None:
    vpc(ec2)
    assert default_attribute(ec2) == "none"
    made = ec2.create_default_vpc()["Vpc"]
    vpc_id = made["VpcId"]
    assert made["IsDefault"] is True
    assert made["CidrBlock"] == "172.31.0.0/16"
    assert default_attribute(ec2) == vpc_id
    (found,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    assert found == made
    assert ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    assert sorted(
        (s["AvailabilityZone"], s["CidrBlock"], s["MapPublicIpOnLaunch"], s["DefaultForAz"]) for s in subnets
    ) == [
        ("us-east-1a", "172.31.0.0/20", True, True),
        ("us-east-1b", "172.31.16.0/20", True, True),
        ("us-east-1c", "172.31.32.0/20", True, True),
    ]
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    assert gateway["Attachments"] == [{"VpcId": vpc_id, "State": "available"}]
    assert routes(ec2, main_table(ec2, vpc_id)["RouteTableId"]) == [
        ("172.31.0.0/16", "local", "CreateRouteTable", "active"),
        ("0.0.0.0/0", gateway["InternetGatewayId"], "CreateRoute", "active"),
    ]
    with refused(service, "DefaultVpcAlreadyExists", vpc_id):
        ec2.create_default_vpc()


def test_a_default_subnet_is_made_again(service: Service, ec2: Any) -> None:
    with refused(service, "DefaultVpcDoesNotExist", "CreateDefaultVpc"):
        ec2.create_default_subnet(AvailabilityZone="us-east-1b")
    ec2.create_default_vpc()
    (second,) = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}])["Subnets"]
    with refused(service, "DefaultSubnetAlreadyExistsInAvailabilityZone", second["SubnetId"], "us-east-1b"):
        ec2.create_default_subnet(AvailabilityZone="us-east-1b")
    ec2.delete_subnet(SubnetId=second["SubnetId"])
    made = ec2.create_default_subnet(AvailabilityZoneId="use1-az2")["Subnet"]
    assert (made["CidrBlock"], made["DefaultForAz"], made["AvailabilityZone"]) == ("172.31.16.0/20", True, "us-east-1b")
    with refused(service, "MissingParameter", "AvailabilityZone"):
        ec2.create_default_subnet()
    with refused(service, "UnsupportedOperation", "Ipv6Native"):
        ec2.create_default_subnet(AvailabilityZone="us-east-1b", Ipv6Native=True)


def test_it_can_be_deleted_and_made_again(ec2: Any) -> None:
    vpc_id = ec2.create_default_vpc()["Vpc"]["VpcId"]
    for found in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=found["SubnetId"])
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    ec2.delete_vpc(VpcId=vpc_id)
    assert default_attribute(ec2) == "none"
    assert ec2.create_default_vpc()["Vpc"]["VpcId"] != vpc_id
