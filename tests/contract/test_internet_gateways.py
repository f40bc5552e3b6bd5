"""Internet gateways through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.test_route_tables import internet_gateway
from tests.contract.vpn import refused, vpc
from twinbore.model.settings import Quotas, Settings

IGW = "igw-0123456789abcdef0"


def test_an_internet_gateway_from_create_to_delete(service: Service, ec2: Any) -> None:
    tags = [{"Key": "Name", "Value": "g"}]
    made = ec2.create_internet_gateway(TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": tags}])
    gateway = made["InternetGateway"]
    igw = gateway["InternetGatewayId"]
    assert gateway == {"InternetGatewayId": igw, "OwnerId": gateway["OwnerId"], "Attachments": [], "Tags": tags}
    vpc_id = vpc(ec2)
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc_id)
    attached = {"VpcId": vpc_id, "State": "available"}
    assert ec2.describe_internet_gateways()["InternetGateways"] == [gateway | {"Attachments": [attached]}]
    with refused(service, "DependencyViolation", f"The internetGateway '{igw}' has dependencies", vpc_id):
        ec2.delete_internet_gateway(InternetGatewayId=igw)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc_id)
    ec2.delete_internet_gateway(InternetGatewayId=igw)
    assert ec2.describe_internet_gateways()["InternetGateways"] == []
    assert service.dump()["tags"] == []


def test_one_gateway_for_one_vpc(service: Service, ec2: Any) -> None:
    here, there = vpc(ec2), vpc(ec2)
    first, second = internet_gateway(ec2, here), internet_gateway(ec2)
    with refused(service, "Resource.AlreadyAssociated", f"resource {first} is already attached to network {here}"):
        ec2.attach_internet_gateway(InternetGatewayId=first, VpcId=there)
    with refused(service, "InvalidParameterValue", f"Network {here} already has an internet gateway attached", first):
        ec2.attach_internet_gateway(InternetGatewayId=second, VpcId=here)
    with refused(service, "Gateway.NotAttached", f"resource {first} is not attached to network {there}"):
        ec2.detach_internet_gateway(InternetGatewayId=first, VpcId=there)
    with refused(service, "Gateway.NotAttached", second):
        ec2.detach_internet_gateway(InternetGatewayId=second, VpcId=here)


@pytest.mark.parametrize(
    ("value", "code"),
    [(IGW, "InvalidInternetGatewayID.NotFound"), ("igw-xyz", "InvalidInternetGatewayId.Malformed")],
)
def test_ids_that_are_not_there(service: Service, ec2: Any, value: str, code: str) -> None:
    vpc_id = vpc(ec2)
    with refused(service, code, value):
        ec2.delete_internet_gateway(InternetGatewayId=value)
    with refused(service, code, value):
        ec2.attach_internet_gateway(InternetGatewayId=value, VpcId=vpc_id)
    with refused(service, code, value):
        ec2.detach_internet_gateway(InternetGatewayId=value, VpcId=vpc_id)
    with refused(service, code, value):
        ec2.describe_internet_gateways(InternetGatewayIds=[value])
    igw = internet_gateway(ec2)
    with refused(service, "InvalidVpcID.NotFound"):
        ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId="vpc-0123456789abcdef0")


def test_filters(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    attached, free = internet_gateway(ec2, vpc_id), internet_gateway(ec2)
    for name, value, expected in (
        ("attachment.vpc-id", vpc_id, [attached]),
        ("attachment.state", "available", [attached]),
        ("internet-gateway-id", free, [free]),
        ("owner-id", "0*", []),
    ):
        answer = ec2.describe_internet_gateways(Filters=[{"Name": name, "Values": [value]}])
        assert [g["InternetGatewayId"] for g in answer["InternetGateways"]] == expected, name


class TestQuota:
    """The quota of internet gateways."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(internet_gateways=1))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        internet_gateway(ec2)
        with refused(service, "InternetGatewayLimitExceeded", "1"):
            internet_gateway(ec2)
