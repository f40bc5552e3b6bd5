"""Listings of what does not exist here: empty without ids, the type's NotFound with one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import refused
from twinbore.api import codec
from twinbore.api.missing import NOT_FOUND
from twinbore.api.operation import OPERATIONS


@pytest.mark.parametrize(
    ("call", "request_", "code"),
    [
        ("describe_addresses", {"AllocationIds": ["eipalloc-0123456789abcdef0"]}, "InvalidAllocationID.NotFound"),
        ("describe_addresses", {"PublicIps": ["203.0.113.9"]}, "InvalidAddress.NotFound"),
        ("describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceID.NotFound"),
        ("describe_volumes", {"VolumeIds": ["vol-0123456789abcdef0"]}, "InvalidVolume.NotFound"),
        ("describe_images", {"ImageIds": ["ami-0123456789abcdef0"]}, "InvalidAMIID.NotFound"),
        ("describe_nat_gateways", {"NatGatewayIds": ["nat-0123456789abcdef0"]}, "NatGatewayNotFound"),
        (
            "describe_egress_only_internet_gateways",
            {"EgressOnlyInternetGatewayIds": ["eigw-0123456789abcdef0"]},
            "InvalidGatewayID.NotFound",
        ),
        (
            "describe_vpc_peering_connections",
            {"VpcPeeringConnectionIds": ["pcx-0123456789abcdef0"]},
            "InvalidVpcPeeringConnectionID.NotFound",
        ),
        (
            "describe_transit_gateways",
            {"TransitGatewayIds": ["tgw-0123456789abcdef0"]},
            "InvalidTransitGatewayID.NotFound",
        ),
        ("describe_key_pairs", {"KeyNames": ["mine"]}, "InvalidKeyPair.NotFound"),
        (
            "describe_client_vpn_routes",
            {"ClientVpnEndpointId": "cvpn-endpoint-0123456789abcdef0"},
            "InvalidClientVpnEndpointId.NotFound",
        ),
    ],
)
def test_an_id_of_what_does_not_exist(
    service: Service, ec2: Any, call: str, request_: dict[str, Any], code: str
) -> None:
    (value,) = request_.values()
    with refused(service, code, value if isinstance(value, str) else value[0]):
        getattr(ec2, call)(**request_)


def test_without_ids_such_listings_are_empty(ec2: Any) -> None:
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_nat_gateways(Filter=[{"Name": "vpc-id", "Values": ["vpc-1"]}])["NatGateways"] == []
    assert ec2.describe_addresses(AllocationIds=[])["Addresses"] == []


def test_every_member_of_the_table_is_one_of_a_listing() -> None:
    model = codec.service("ec2")
    members = {
        member
        for name in model.operation_names
        if name.startswith("Describe") and name not in OPERATIONS and model.operation_model(name).input_shape
        for member in model.operation_model(name).input_shape.members
    }
    assert set(NOT_FOUND) <= members
