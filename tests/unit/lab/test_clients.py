"""Calls as command lines of the AWS CLI."""

from __future__ import annotations

from typing import Any

import pytest

from twinbore.lab.clients import cli_arguments


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("CreateVpc", {"CidrBlock": "10.0.0.0/16"}, "create-vpc --cidr-block 10.0.0.0/16"),
        ("DescribeVpcs", {"VpcIds": ["vpc-1", "vpc-2"]}, "describe-vpcs --vpc-ids vpc-1 vpc-2"),
        ("CreateCustomerGateway", {"BgpAsn": 65000}, "create-customer-gateway --bgp-asn 65000"),
        ("DeleteVpc", {"DryRun": True}, "delete-vpc --dry-run"),
        ("DeleteVpc", {"DryRun": False}, "delete-vpc --no-dry-run"),
        (
            "CreateVpnConnection",
            {"Options": {"StaticRoutesOnly": False}},
            'create-vpn-connection --options {"StaticRoutesOnly":false}',
        ),
        (
            "DescribeVpcs",
            {"Filters": [{"Name": "state", "Values": ["available"]}]},
            'describe-vpcs --filters [{"Name":"state","Values":["available"]}]',
        ),
    ],
)
def test_parameters_become_options(operation: str, parameters: dict[str, Any], expected: str) -> None:
    assert cli_arguments(operation, parameters) == ["ec2", *expected.split(" ")]
