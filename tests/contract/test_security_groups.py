"""Security groups through boto3: made, found, removed, and the one that each VPC has from the start."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract import raw
from tests.contract.conftest import Service
from tests.contract.test_subnets import subnet
from tests.contract.vpn import foreign, refused, vpc
from twinbore.model.security import SecurityGroup
from twinbore.model.settings import Quotas, Settings

UNKNOWN = "sg-0123456789abcdef0"
EVERYTHING = {
    "IpProtocol": "-1",
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    "Ipv6Ranges": [],
    "PrefixListIds": [],
    "UserIdGroupPairs": [],
}


def group(ec2: Any, vpc_id: str, name: str = "web", **more: Any) -> str:
    return str(ec2.create_security_group(VpcId=vpc_id, GroupName=name, Description="x", **more)["GroupId"])


def default_group(ec2: Any, vpc_id: str) -> dict[str, Any]:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    (found,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    return dict(found)


def test_a_group_from_create_to_delete(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    tags = [{"Key": "Name", "Value": "w"}]
    made = ec2.create_security_group(
        GroupName="web servers ",
        Description="Port 80 (HTTP)",
        VpcId=vpc_id,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )
    group_id = made["GroupId"]
    assert re.fullmatch("sg-[0-9a-f]{17}", group_id)
    owner = default_group(ec2, vpc_id)["OwnerId"]
    arn = f"arn:aws:ec2:us-east-1:{owner}:security-group/{group_id}"
    assert (made["SecurityGroupArn"], made["Tags"]) == (arn, tags)
    expected = {
        "GroupId": group_id,
        "GroupName": "web servers",
        "Description": "Port 80 (HTTP)",
        "OwnerId": owner,
        "VpcId": vpc_id,
        "SecurityGroupArn": arn,
        "IpPermissions": [],
        "IpPermissionsEgress": [EVERYTHING],
        "Tags": tags,
    }
    assert ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"] == [expected]
    (rule,) = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])[
        "SecurityGroupRules"
    ]
    ec2.create_tags(Resources=[rule["SecurityGroupRuleId"], group_id], Tags=[{"Key": "a", "Value": "b"}])
    gone = ec2.delete_security_group(GroupId=group_id)
    assert (gone["Return"], gone["GroupId"]) == (True, group_id)
    assert service.dump()["tags"] == []
    with refused(service, "InvalidGroup.NotFound", group_id):
        ec2.describe_security_groups(GroupIds=[group_id])
    with refused(service, "InvalidGroup.NotFound", group_id):
        ec2.delete_security_group(GroupId=group_id)


def test_the_default_group_comes_and_goes_with_its_vpc(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    found = default_group(ec2, vpc_id)
    pair = {"UserId": found["OwnerId"], "GroupId": found["GroupId"]}
    assert found["Description"] == "default VPC security group"
    assert found["IpPermissions"] == [EVERYTHING | {"IpRanges": [], "UserIdGroupPairs": [pair]}]
    assert found["IpPermissionsEgress"] == [EVERYTHING]
    with refused(service, "CannotDelete", found["GroupId"], "default"):
        ec2.delete_security_group(GroupId=found["GroupId"])
    ec2.create_tags(Resources=[found["GroupId"]], Tags=[{"Key": "a", "Value": "b"}])
    ec2.delete_vpc(VpcId=vpc_id)
    left = service.dump()
    assert left["security_groups"] == left["security_group_rules"] == left["tags"] == []


def test_a_vpc_with_another_group_cannot_be_deleted(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    group_id = group(ec2, vpc_id)
    with refused(service, "DependencyViolation", vpc_id, group_id):
        ec2.delete_vpc(VpcId=vpc_id)
    ec2.delete_security_group(GroupId=group_id)
    ec2.delete_vpc(VpcId=vpc_id)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"GroupName": "Web"}, "InvalidGroup.Duplicate", ("Web", "already exists for VPC", "sg-")),
        ({"GroupName": "x" * 256}, "InvalidParameterValue", ("GroupName", "255")),
        ({"GroupName": "é"}, "InvalidParameterValue", ("GroupName", "é", "a-zA-Z0-9")),
        ({"GroupName": "sg-x"}, "InvalidParameterValue", ("sg-x", "format sg-*")),
        ({"GroupName": "default"}, "InvalidParameterValue", ("reserved", "default")),
        ({"GroupName": "  "}, "MissingParameter", ("GroupName",)),
        ({"Description": "x" * 256}, "InvalidParameterValue", ("GroupDescription", "255")),
        ({"Description": "a<b"}, "InvalidParameterValue", ("GroupDescription", "a<b")),
        ({"Description": ""}, "MissingParameter", ("GroupDescription",)),
        ({"VpcId": "vpc-0123456789abcdef0"}, "InvalidVpcID.NotFound", ("vpc-0123456789abcdef0",)),
        ({"VpcId": "vpc"}, "InvalidVpcID.Malformed", ("vpc",)),
        (
            {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]},
            "InvalidParameterValue",
            ("security-group",),
        ),
    ],
)
def test_a_group_that_cannot_be_made(
    service: Service, ec2: Any, changes: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    vpc_id = vpc(ec2)
    group(ec2, vpc_id)
    request = {"VpcId": vpc_id, "GroupName": "other", "Description": "x"} | changes
    with refused(service, code, *words):
        ec2.create_security_group(**request)


def test_without_a_default_vpc_there_are_no_names(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    with refused(service, "VPCIdNotSpecified", "No default VPC for this user", "VpcId"):
        ec2.create_security_group(GroupName="x", Description="x")
    with refused(service, "VPCIdNotSpecified", "GroupId"):
        ec2.describe_security_groups(GroupNames=["web"])
    with refused(service, "VPCIdNotSpecified", "GroupId"):
        ec2.delete_security_group(GroupName="web")
    with refused(service, "MissingParameter", "GroupId"):
        ec2.delete_security_group()
    with refused(service, "InvalidParameterCombination", "GroupId", "GroupName"):
        ec2.delete_security_group(GroupId=group_id, GroupName="web")


def test_names_are_for_the_default_vpc(service: Service, ec2: Any) -> None:
    elsewhere = group(ec2, vpc(ec2), "elsewhere")
    default = ec2.create_default_vpc()["Vpc"]["VpcId"]
    made = ec2.create_security_group(GroupName="web", Description="x")["GroupId"]
    other = group(ec2, default, "other")
    (found,) = ec2.describe_security_groups(GroupNames=["web"])["SecurityGroups"]
    assert (found["GroupId"], found["VpcId"]) == (made, default)
    both = ec2.describe_security_groups(GroupNames=["web"], GroupIds=[elsewhere])["SecurityGroups"]
    assert {g["GroupId"] for g in both} == {made, elsewhere}
    with refused(service, "InvalidGroup.NotFound", "'elsewhere' does not exist in default VPC", default):
        ec2.describe_security_groups(GroupNames=["elsewhere"])
    pair = [{"IpProtocol": "50", "UserIdGroupPairs": [{"GroupName": "other"}]}]
    ec2.authorize_security_group_ingress(GroupName="web", IpPermissions=pair)
    source = {"GroupName": "web", "SourceSecurityGroupName": "other"}
    ec2.authorize_security_group_ingress(**source)
    (shown,) = ec2.describe_security_groups(GroupIds=[made])["SecurityGroups"]
    ports = {(p["IpProtocol"], p.get("FromPort"), p.get("ToPort")) for p in shown["IpPermissions"]}
    assert ports == {("50", None, None), ("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)}
    assert {p["UserIdGroupPairs"][0]["GroupId"] for p in shown["IpPermissions"]} == {other}
    ec2.revoke_security_group_ingress(**source, SourceSecurityGroupOwnerId=shown["OwnerId"])
    with refused(service, "InvalidGroup.NotFound", "999999999999"):
        ec2.authorize_security_group_ingress(**source, SourceSecurityGroupOwnerId="999999999999")
    with refused(service, "InvalidParameterCombination", "SourceSecurityGroupName", "IpProtocol"):
        ec2.authorize_security_group_ingress(**source, IpProtocol="tcp")
    with refused(service, "InvalidParameterValue", "'web'", "may not reference Amazon VPC security groups by name"):
        pair = [{"IpProtocol": "50", "UserIdGroupPairs": [{"GroupName": "web"}]}]
        ec2.authorize_security_group_ingress(GroupId=elsewhere, IpPermissions=pair)
    ec2.revoke_security_group_ingress(GroupName="web", IpPermissions=shown["IpPermissions"][:1])
    ec2.delete_security_group(GroupName="web")


def test_two_vpcs_may_have_a_group_of_the_same_name(ec2: Any) -> None:
    assert group(ec2, vpc(ec2)) != group(ec2, vpc(ec2, "10.1.0.0/16"))


def test_a_group_in_use_cannot_be_deleted(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    used, other = group(ec2, vpc_id), group(ec2, vpc_id, "other")
    own = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": used}]}]
    ec2.authorize_security_group_ingress(GroupId=used, IpPermissions=own)
    made = ec2.authorize_security_group_egress(GroupId=other, IpPermissions=own)
    rule_id = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    eni = ec2.create_network_interface(SubnetId=subnet(ec2, vpc_id), Groups=[used])["NetworkInterface"]
    with refused(service, "DependencyViolation", used, "has a dependent object", eni["NetworkInterfaceId"], rule_id):
        ec2.delete_security_group(GroupId=used)
    ec2.delete_network_interface(NetworkInterfaceId=eni["NetworkInterfaceId"])
    with refused(service, "DependencyViolation", used, rule_id, other):
        ec2.delete_security_group(GroupId=used)
    ec2.revoke_security_group_egress(GroupId=other, SecurityGroupRuleIds=[rule_id])
    ec2.delete_security_group(GroupId=used)


def test_filters(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    first, second = group(ec2, vpc_id, "first"), group(ec2, vpc_id, "second")
    prefix_list = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=1, AddressFamily="IPv4")["PrefixList"]
    ec2.authorize_security_group_ingress(
        GroupId=first,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 23, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": second}]},
        ],
    )
    ec2.authorize_security_group_egress(
        GroupId=second,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
            {"IpProtocol": "50", "PrefixListIds": [{"PrefixListId": prefix_list["PrefixListId"]}]},
        ],
    )
    ec2.create_tags(Resources=[second], Tags=[{"Key": "env", "Value": "prod"}])
    default = default_group(ec2, vpc_id)["GroupId"]
    owner = default_group(ec2, vpc_id)["OwnerId"]
    everything = {default, first, second}
    for name, value, expected in (
        ("description", "default VPC *", {default}),
        ("group-id", first, {first}),
        ("group-name", "s?cond", {second}),
        ("owner-id", owner, everything),
        ("vpc-id", vpc_id, everything),
        ("tag:env", "prod", {second}),
        ("tag-key", "env", {second}),
        ("ip-permission.cidr", "10.0.0.0/8", {first}),
        ("ip-permission.from-port", "22", {first}),
        ("ip-permission.to-port", "23", {first}),
        ("ip-permission.protocol", "udp", {first}),
        ("ip-permission.group-id", second, {first}),
        ("ip-permission.group-name", "second", {first}),
        ("ip-permission.user-id", owner, {default, first}),
        ("ip-permission.ipv6-cidr", "*", set()),
        ("ip-permission.prefix-list-id", "*", set()),
        ("egress.ip-permission.cidr", "0.0.0.0/0", everything),
        ("egress.ip-permission.from-port", "80", {second}),
        ("egress.ip-permission.to-port", "81", {second}),
        ("egress.ip-permission.protocol", "50", {second}),
        ("egress.ip-permission.ipv6-cidr", "2001:db8::/32", {second}),
        ("egress.ip-permission.prefix-list-id", prefix_list["PrefixListId"], {second}),
        ("egress.ip-permission.group-id", "*", set()),
        ("egress.ip-permission.group-name", "*", set()),
        ("egress.ip-permission.user-id", "*", set()),
    ):
        answer = ec2.describe_security_groups(Filters=[{"Name": name, "Values": [value]}])
        assert {g["GroupId"] for g in answer["SecurityGroups"]} == expected, name
    with refused(service, "InvalidParameterValue", "colour"):
        ec2.describe_security_groups(Filters=[{"Name": "colour", "Values": ["x"]}])


def test_pages_and_the_waiter(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    made = {group(ec2, vpc_id, f"g{n}") for n in range(6)}
    pages = list(ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 2]
    assert made < {g["GroupId"] for page in pages for g in page["SecurityGroups"]}
    ec2.get_waiter("security_group_exists").wait(GroupIds=list(made))


def test_the_listings_around_groups(service: Service, ec2: Any) -> None:
    vpc_id, other = vpc(ec2), vpc(ec2, "10.1.0.0/16")
    group_id = group(ec2, vpc_id)
    found = ec2.get_security_groups_for_vpc(VpcId=vpc_id)["SecurityGroupForVpcs"]
    assert {g["GroupName"] for g in found} == {"default", "web"}
    assert {g["PrimaryVpcId"] for g in found} == {vpc_id}
    for name, value in (
        ("group-id", group_id),
        ("group-name", "web"),
        ("description", "x"),
    ):
        filters = [{"Name": name, "Values": [value]}]
        (one,) = ec2.get_security_groups_for_vpc(VpcId=vpc_id, Filters=filters)["SecurityGroupForVpcs"]
        assert one["GroupId"] == group_id
        assert ec2.get_security_groups_for_vpc(VpcId=other, Filters=filters)["SecurityGroupForVpcs"] == []
    assert ec2.describe_security_group_references(GroupId=[group_id])["SecurityGroupReferenceSet"] == []
    assert ec2.describe_stale_security_groups(VpcId=vpc_id)["StaleSecurityGroupSet"] == []
    with refused(service, "InvalidGroup.NotFound", UNKNOWN):
        ec2.describe_security_group_references(GroupId=[UNKNOWN])
    with refused(service, "InvalidVpcID.NotFound", "vpc-0123456789abcdef0"):
        ec2.describe_stale_security_groups(VpcId="vpc-0123456789abcdef0")


def test_groups_of_others_do_not_exist(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    with service.database.read() as tx:
        (mine, *_) = tx.all(SecurityGroup, vpc_id=vpc_id)
    theirs = foreign(service, SecurityGroup(UNKNOWN, "999999999999", vpc_id, "theirs", "x", mine.created_at))
    subnet_id = subnet(ec2, vpc_id)
    for request in (
        lambda: ec2.describe_security_groups(GroupIds=[theirs]),
        lambda: ec2.delete_security_group(GroupId=theirs),
        lambda: ec2.create_tags(Resources=[theirs], Tags=[{"Key": "a", "Value": "b"}]),
        lambda: ec2.create_network_interface(SubnetId=subnet_id, Groups=[theirs]),
    ):
        with refused(service, "InvalidGroup.NotFound", theirs):
            request()
    assert [g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_ids_of_the_wrong_form(service: Service, ec2: Any) -> None:
    with refused(service, "InvalidGroupId.Malformed", "sg-1"):
        ec2.describe_security_groups(GroupIds=["sg-1"])


def test_empty_lists_are_on_the_wire(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    text = raw.signed(service, "DescribeSecurityGroups", {"GroupId.1": group_id}).text
    for name in ("ipPermissions", "tagSet", "groups", "ipv6Ranges", "prefixListIds"):
        assert f"<{name} />" in text or f"<{name}/>" in text, name
    assert "<fromPort>" not in text
    assert "<ipProtocol>-1</ipProtocol>" in text


class TestQuota:
    """The quota of security groups; the default ones count."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(security_groups=2))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        vpc_id = vpc(ec2)
        group(ec2, vpc_id)
        with refused(service, "SecurityGroupLimitExceeded", "2"):
            group(ec2, vpc_id, "other")
