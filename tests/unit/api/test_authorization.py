"""What a request is about, and how a key that may not make it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twinbore.api.authorization import Caller, Meant, authorize, resources
from twinbore.api.errors import ApiError
from twinbore.api.members import Members, unread
from twinbore.model.permissions import ADMINISTRATOR, READ_ONLY, Policy, parse_policy

ACCOUNT = "123456789012"
HERE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:"
VPC, VPN, GROUP = "vpc-0123456789abcdef0", "vpn-0123456789abcdef0", "sg-0123456789abcdef0"
TABLE, SUBNET, ASSOCIATION = "rtb-0123456789abcdef0", "subnet-0123456789abcdef0", "rtbassoc-0123456789abcdef0"


def caller(policy: Policy = ADMINISTRATOR, name: str = "") -> Caller:
    return Caller(ACCOUNT, "AKIAEXAMPLE", name, policy, "us-east-1")


def only(action: str, *resource: str, effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": list(resource)}


def of(*statements: dict[str, Any]) -> Policy:
    return parse_policy(json.dumps({"Statement": statements}))


@pytest.mark.parametrize(
    ("action", "request_", "found"),
    [
        ("DescribeVpcs", {"VpcIds": [VPC]}, ["*"]),
        ("GetVpnConnectionDeviceTypes", {}, ["*"]),
        ("CreateDefaultVpc", {}, ["*"]),
        ("CreateVpc", {"CidrBlock": "10.0.0.0/16"}, [f"{HERE}vpc/*"]),
        ("CreateManagedPrefixList", {"PrefixListName": "x"}, [f"{HERE}prefix-list/*"]),
        ("CreateSubnet", {"VpcId": VPC}, [f"{HERE}vpc/{VPC}", f"{HERE}subnet/*"]),
        ("CreateVpnConnectionRoute", {"VpnConnectionId": VPN}, [f"{HERE}vpn-connection/{VPN}"]),
        ("CreateTags", {"Resources": [VPC, VPN, VPC]}, [f"{HERE}vpc/{VPC}", f"{HERE}vpn-connection/{VPN}"]),
        ("ModifyVpcAttribute", {"VpcId": "vpc-0123abcd"}, [f"{HERE}vpc/vpc-0123abcd"]),
        ("DeleteVpc", {"VpcId": "no id"}, ["*"]),
        (
            "AuthorizeSecurityGroupIngress",
            {"GroupId": GROUP, "IpPermissions": [{"PrefixListIds": [{"PrefixListId": "pl-0123abcd"}]}]},
            [f"{HERE}security-group/{GROUP}", f"{HERE}prefix-list/pl-0123abcd"],
        ),
        ("CreateTags", {"Resources": [VPC], "Tags": [{"Key": VPN, "Value": VPN}]}, [f"{HERE}vpc/{VPC}"]),
        ("CreateSecurityGroup", {"Description": VPN, "VpcId": VPC}, [f"{HERE}vpc/{VPC}", f"{HERE}security-group/*"]),
    ],
)
def test_what_a_request_is_about(action: str, request_: dict[str, Any], found: list[str]) -> None:
    assert resources(caller(), action, request_) == found


def test_an_association_is_about_what_it_joins() -> None:
    behind: Meant = {("route-table-association", ASSOCIATION): [("route-table", TABLE), ("subnet", SUBNET)]}
    request = {"AssociationId": ASSOCIATION}
    assert resources(caller(), "DisassociateRouteTable", request, behind) == [
        f"{HERE}route-table/{TABLE}",
        f"{HERE}subnet/{SUBNET}",
    ]
    assert resources(caller(), "DisassociateRouteTable", request) == [f"{HERE}route-table-association/{ASSOCIATION}"]


def test_a_groups_name_is_about_the_group() -> None:
    behind: Meant = {("", "web"): [("security-group", GROUP)]}
    assert resources(caller(), "DeleteSecurityGroup", {"GroupName": "web"}, behind) == [f"{HERE}security-group/{GROUP}"]


def refusal(policy: Policy, action: str, request: dict[str, Any], name: str = "reader") -> str:
    with pytest.raises(ApiError) as caught:
        authorize(caller(policy, name), action, request)
    assert (caught.value.code, caught.value.status) == ("UnauthorizedOperation", 403)
    return caught.value.message


def test_the_messages_are_awss() -> None:
    begin = "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:"
    assert refusal(READ_ONLY, "CreateVpc", {}) == (
        f"{begin}user/reader is not authorized to perform: ec2:CreateVpc on resource: {HERE}vpc/* because no "
        "identity-based policy allows the ec2:CreateVpc action"
    )
    assert refusal(of(only("ec2:Create*", "*")), "DescribeVpcs", {}, name="") == (
        f"{begin}root is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the "
        "ec2:DescribeVpcs action"
    )
    denied = of(only("*", "*"), only("ec2:DeleteVpc", f"{HERE}vpc/{VPC}", effect="Deny"))
    assert refusal(denied, "DeleteVpc", {"VpcId": VPC}) == (
        f"{begin}user/reader is not authorized to perform: ec2:DeleteVpc on resource: {HERE}vpc/{VPC} with an explicit "
        "deny in an identity-based policy"
    )


def test_every_resource_must_be_allowed() -> None:
    policy = of(only("ec2:AttachVpnGateway", f"{HERE}vpc/*"))
    request = {"VpcId": VPC, "VpnGatewayId": "vgw-0123456789abcdef0"}
    assert "vpn-gateway/vgw-0123456789abcdef0" in refusal(policy, "AttachVpnGateway", request)
    authorize(
        caller(of(only("ec2:AttachVpnGateway", f"{HERE}vpc/*", f"{HERE}vpn-gateway/*"))), "AttachVpnGateway", request
    )


@pytest.mark.parametrize(
    "resource", ["arn:aws:ec2:eu-west-1:*:vpc/*", "arn:aws:ec2:*:210987654321:vpc/*", "arn:aws-cn:ec2:*:*:vpc/*"]
)
def test_region_account_and_partition_of_an_arn_count(resource: str) -> None:
    assert refusal(of(only("*", resource)), "DeleteVpc", {"VpcId": VPC})
    authorize(caller(of(only("*", "arn:aws:ec2:us-east-1:123456789012:vpc/*"))), "DeleteVpc", {"VpcId": VPC})


def test_tags_on_creation_are_about_tags_as_well() -> None:
    policy = of(only("ec2:CreateVpc", "*"))
    tagged = {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "k", "Value": "v"}]}]}
    authorize(caller(policy), "CreateVpc", {"TagSpecifications": [{"ResourceType": "vpc"}]})
    assert f"ec2:CreateTags on resource: {HERE}vpc/* because" in refusal(policy, "CreateVpc", tagged)
    authorize(caller(of(only("ec2:CreateVpc", "*"), only("ec2:CreateTags", f"{HERE}vpc/*"))), "CreateVpc", tagged)


def test_looking_at_a_request_takes_no_note_that_it_was_read() -> None:
    request = Members({"VpcId": VPC, "TagSpecifications": [Members({"ResourceType": "vpc", "Tags": [Members()]})]})
    authorize(caller(), "CreateSubnet", request)
    assert list(unread(request)) == [("VpcId",), ("TagSpecifications",)]


def test_who_may_set_a_key_may_see_it() -> None:
    assert caller().may_see_keys(VPN)
    assert not caller(READ_ONLY).may_see_keys(VPN)
    keeper = caller(of(only("ec2:ModifyVpnTunnelOptions", f"{HERE}vpn-connection/{VPN}")))
    assert keeper.may_see_keys(VPN)
    assert not keeper.may_see_keys("vpn-0123456789abcdef1")
    assert not caller(of(only("*", "*"), only("ec2:Modify*", "*", effect="Deny"))).may_see_keys(VPN)


def test_names_of_callers() -> None:
    assert (caller().arn, caller().user_id) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    named = caller(name="terraform")
    assert (named.arn, named.user_id) == (f"arn:aws:iam::{ACCOUNT}:user/terraform", "AKIAEXAMPLE")
