"""Rules of security groups through boto3: all or nothing, found again in any spelling, changed in place."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract import raw
from tests.contract.conftest import Service
from tests.contract.test_security_groups import EVERYTHING, default_group, group
from tests.contract.vpn import refused, vpc
from twinbore.model.settings import Quotas, Settings

UNKNOWN_RULE = "sgr-0123456789abcdef0"
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


def ssh(cidr: str = "10.0.0.0/8", **more: Any) -> dict[str, Any]:
    return SSH | {"IpRanges": [{"CidrIp": cidr} | more]}


def shown(ec2: Any, group_id: str) -> dict[str, Any]:
    (found,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    return dict(found)


def rules_of(ec2: Any, group_id: str, *, egress: bool = False) -> list[dict[str, Any]]:
    answer = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
    return [rule for rule in answer["SecurityGroupRules"] if rule["IsEgress"] is egress]


def prefix_list(ec2: Any, name: str = "p", **more: Any) -> str:
    request = {"PrefixListName": name, "MaxEntries": 3, "AddressFamily": "IPv4"} | more
    return str(ec2.create_managed_prefix_list(**request)["PrefixList"]["PrefixListId"])


def test_rules_of_every_kind_and_how_they_are_put_together(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    group_id, other, list_id = group(ec2, vpc_id), group(ec2, vpc_id, "other"), prefix_list(ec2)
    answer = ec2.authorize_security_group_ingress(
        GroupId=group_id,
        IpPermissions=[
            SSH
            | {
                "IpRanges": [{"CidrIp": "10.0.0.9/8", "Description": "office"}],
                "Ipv6Ranges": [{"CidrIpv6": "2001:DB8::1/32"}],
                "PrefixListIds": [{"PrefixListId": list_id}],
                "UserIdGroupPairs": [{"GroupId": other, "Description": "others"}],
            },
            {"IpProtocol": "1", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    assert answer["Return"] is True
    made = answer["SecurityGroupRules"]
    owner = shown(ec2, group_id)["OwnerId"]
    rule_id = made[0]["SecurityGroupRuleId"]
    assert re.fullmatch("sgr-[0-9a-f]{17}", rule_id)
    assert made[0] == {
        "SecurityGroupRuleId": rule_id,
        "GroupId": group_id,
        "GroupOwnerId": owner,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "CidrIpv4": "10.0.0.0/8",
        "Description": "office",
        "Tags": [{"Key": "a", "Value": "b"}],
        "SecurityGroupRuleArn": f"arn:aws:ec2:us-east-1:{owner}:security-group-rule/{rule_id}",
    }
    assert made[1]["CidrIpv6"] == "2001:db8::/32"
    assert made[2]["PrefixListId"] == list_id
    assert made[3]["ReferencedGroupInfo"] == {"GroupId": other, "UserId": owner}
    assert (made[4]["IpProtocol"], made[4]["FromPort"], made[4]["ToPort"]) == ("icmp", 8, -1)
    assert sorted(rules_of(ec2, group_id), key=str) == sorted(made, key=str)
    permissions = {p["IpProtocol"]: p for p in shown(ec2, group_id)["IpPermissions"]}
    assert permissions == {
        "tcp": SSH
        | {
            "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "office"}],
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
            "PrefixListIds": [{"PrefixListId": list_id}],
            "UserIdGroupPairs": [{"UserId": owner, "GroupId": other, "Description": "others"}],
        },
        "icmp": {
            "IpProtocol": "icmp",
            "FromPort": 8,
            "ToPort": -1,
            "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
            "UserIdGroupPairs": [],
        },
    }


def test_what_is_described_can_be_revoked_as_it_is(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    found = default_group(ec2, vpc_id)
    ec2.revoke_security_group_ingress(GroupId=found["GroupId"], IpPermissions=found["IpPermissions"])
    answer = ec2.revoke_security_group_egress(GroupId=found["GroupId"], IpPermissions=found["IpPermissionsEgress"])
    assert (answer["Return"], answer["UnknownIpPermissions"]) == (True, [])
    (revoked,) = answer["RevokedSecurityGroupRules"]
    assert revoked == {
        "SecurityGroupRuleId": revoked["SecurityGroupRuleId"],
        "GroupId": found["GroupId"],
        "IsEgress": True,
        "IpProtocol": "-1",
        "FromPort": -1,
        "ToPort": -1,
        "CidrIpv4": "0.0.0.0/0",
    }
    left = shown(ec2, found["GroupId"])
    assert left["IpPermissions"] == left["IpPermissionsEgress"] == []
    ec2.authorize_security_group_egress(GroupId=found["GroupId"], IpPermissions=found["IpPermissionsEgress"])
    assert shown(ec2, found["GroupId"])["IpPermissionsEgress"] == [EVERYTHING]


def test_the_flat_members(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    flat = SSH | {"GroupId": group_id, "CidrIp": "10.0.0.0/8"}
    made = ec2.authorize_security_group_ingress(**flat)["SecurityGroupRules"]
    assert [(rule["CidrIpv4"], rule["FromPort"]) for rule in made] == [("10.0.0.0/8", 22)]
    revoked = ec2.revoke_security_group_ingress(**flat)["RevokedSecurityGroupRules"]
    assert [rule["SecurityGroupRuleId"] for rule in revoked] == [made[0]["SecurityGroupRuleId"]]
    with refused(service, "InvalidParameterCombination", "IpPermissions", "IpProtocol"):
        ec2.authorize_security_group_ingress(IpPermissions=[ssh()], **flat)
    with refused(service, "MissingParameter", "CidrIp"):
        ec2.authorize_security_group_ingress(GroupId=group_id, **SSH)
    with refused(service, "MissingParameter", "IpProtocol"):
        ec2.authorize_security_group_ingress(GroupId=group_id, CidrIp="10.0.0.0/8")
    with refused(service, "InvalidParameterValue", "'x' for groupName"):
        ec2.authorize_security_group_ingress(GroupId=group_id, SourceSecurityGroupName="x")
    with refused(service, "MissingParameter", "SourceSecurityGroupName"):
        ec2.authorize_security_group_ingress(GroupId=group_id, SourceSecurityGroupOwnerId="1")
    with refused(service, "UnsupportedOperation", "CidrIp", "use IpPermissions"):
        ec2.authorize_security_group_egress(GroupId=group_id, CidrIp="10.0.0.0/8")
    with refused(service, "MissingParameter", "IpPermissions"):
        ec2.authorize_security_group_ingress(GroupId=group_id)


def test_a_rule_that_is_there_already(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[ssh(Description="one")])
    for spelling in (ssh(), ssh("10.9.9.9/8"), ssh(Description="two"), ssh() | {"IpProtocol": "6"}):
        with refused(service, "InvalidPermission.Duplicate", "peer: 10.0.0.0/8, TCP, from port: 22, to port: 22"):
            ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[ssh("10.0.0.0/9"), spelling])
    with refused(service, "InvalidPermission.Duplicate", "peer: 0.0.0.0/0, ALL"):
        ec2.authorize_security_group_egress(
            GroupId=group_id,
            IpPermissions=[{"IpProtocol": "-1", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        )
    with refused(service, "InvalidParameterValue", "The same permission must not appear multiple times"):
        ec2.authorize_security_group_ingress(
            GroupId=group_id, IpPermissions=[ssh("10.0.0.0/9"), ssh("10.0.0.1/9", Description="x")]
        )
    ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=[ssh()])


@pytest.mark.parametrize(
    ("permission", "code", "words"),
    [
        (SSH, "MissingParameter", ("IpPermissions.1.IpRanges",)),
        (SSH | {"IpRanges": [{"Description": "x"}]}, "MissingParameter", ("IpRanges.CidrIp",)),
        (ssh("10.0.0.0"), "InvalidParameterValue", ("CIDR block 10.0.0.0 is malformed",)),
        (ssh("10.0.0.0/33"), "InvalidParameterValue", ("10.0.0.0/33",)),
        (ssh(Description="a<b"), "InvalidParameterValue", ("Invalid rule description", "a<b")),
        (SSH | {"Ipv6Ranges": [{"CidrIpv6": "10.0.0.0/8"}]}, "InvalidParameterValue", ("10.0.0.0/8",)),
        (ssh() | {"FromPort": 23}, "InvalidParameterValue", ("port range (23:22)",)),
        (ssh() | {"ToPort": 65536}, "InvalidParameterValue", ("65536",)),
        (ssh() | {"IpProtocol": "gre"}, "InvalidParameterValue", ("gre", "IpPermissions.1.IpProtocol")),
        ({"FromPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "MissingParameter", ("IpPermissions.1.IpProtocol",)),
        (
            {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            "InvalidParameterValue",
            ("Must specify both from and to ports",),
        ),
        (
            SSH | {"PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0"}]},
            "InvalidPrefixListID.NotFound",
            ("pl-0123456789abcdef0",),
        ),
        (SSH | {"PrefixListIds": [{"PrefixListId": "x"}]}, "InvalidPrefixListId.Malformed", ("x",)),
        (SSH | {"UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]}, "InvalidGroup.NotFound", ("sg-01",)),
        (SSH | {"UserIdGroupPairs": [{"GroupName": "web"}]}, "InvalidParameterValue", ("web", "by name")),
        (SSH | {"UserIdGroupPairs": [{"UserId": "1"}]}, "MissingParameter", ("Groups.GroupId",)),
        (
            SSH | {"UserIdGroupPairs": [{"VpcPeeringConnectionId": "pcx-1"}]},
            "UnsupportedOperation",
            ("VpcPeeringConnectionId",),
        ),
    ],
)
def test_a_rule_that_cannot_be(
    service: Service, ec2: Any, permission: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    group_id = group(ec2, vpc(ec2))
    with refused(service, code, *words):
        ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])


def test_a_group_elsewhere_cannot_be_named(service: Service, ec2: Any) -> None:
    group_id, other = group(ec2, vpc(ec2)), group(ec2, vpc(ec2, "10.1.0.0/16"))
    with refused(service, "InvalidGroup.NotFound", "belong to different networks", group_id, other):
        ec2.authorize_security_group_ingress(
            GroupId=group_id, IpPermissions=[SSH | {"UserIdGroupPairs": [{"GroupId": other}]}]
        )
    with refused(service, "InvalidGroup.NotFound", group_id):
        pair = {"GroupId": group_id, "UserId": "999999999999"}
        ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[SSH | {"UserIdGroupPairs": [pair]}])


def test_revoking(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    group_id, other = group(ec2, vpc_id), group(ec2, vpc_id, "other")
    made = ec2.authorize_security_group_ingress(
        GroupId=group_id, IpPermissions=[ssh(), ssh("10.1.0.0/16"), ssh("10.2.0.0/16")]
    )["SecurityGroupRules"]
    first, second, third = (rule["SecurityGroupRuleId"] for rule in made)
    with refused(service, "InvalidPermission.NotFound", "does not exist in this security group", "10.9.0.0/16"):
        ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=[ssh(), ssh("10.9.0.0/16")])
    with refused(service, "InvalidPermission.NotFound"):
        ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=[ssh()])
    with refused(service, "InvalidSecurityGroupRuleId.NotFound", first):
        ec2.revoke_security_group_egress(GroupId=group_id, SecurityGroupRuleIds=[first])
    with refused(service, "InvalidSecurityGroupRuleId.NotFound", first):
        ec2.revoke_security_group_ingress(GroupId=other, SecurityGroupRuleIds=[first])
    with refused(service, "InvalidSecurityGroupRuleId.NotFound", UNKNOWN_RULE):
        ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=[first, UNKNOWN_RULE])
    with refused(service, "InvalidSecurityGroupRuleId.Malformed", "sgr-1"):
        ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=["sgr-1"])
    with refused(service, "InvalidParameterCombination", "SecurityGroupRuleIds", "IpPermissions"):
        ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=[first], IpPermissions=[ssh()])
    with refused(service, "MissingParameter", "IpPermissions", "SecurityGroupRuleId"):
        ec2.revoke_security_group_ingress(GroupId=group_id)
    ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=[first, first])
    ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=[ssh("10.1.0.9/16", Description="other")])
    assert [rule["SecurityGroupRuleId"] for rule in rules_of(ec2, group_id)] == [third]
    assert second != third


def test_rules_by_their_ids(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    made = ec2.authorize_security_group_ingress(
        GroupId=group_id, IpPermissions=[ssh(f"10.{n}.0.0/16") for n in range(5)]
    )["SecurityGroupRules"]
    ids = [rule["SecurityGroupRuleId"] for rule in made]
    ec2.create_tags(Resources=[ids[0]], Tags=[{"Key": "env", "Value": "prod"}])
    answer = ec2.describe_security_group_rules(SecurityGroupRuleIds=ids[:2])["SecurityGroupRules"]
    assert [rule["SecurityGroupRuleId"] for rule in answer] == ids[:2]
    for name, value, count in (("security-group-rule-id", ids[1], 1), ("tag:env", "prod", 1), ("group-id", "sg-*", 7)):
        filters = [{"Name": name, "Values": [value]}]
        # The default group's two rules and this group's outbound rule are there as well.
        expected = count + 1 if name == "group-id" else count
        assert len(ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]) == expected
    pages = ec2.get_paginator("describe_security_group_rules").paginate(PaginationConfig={"PageSize": 5})
    assert [len(page["SecurityGroupRules"]) for page in pages] == [5, 3]
    with refused(service, "InvalidSecurityGroupRuleId.NotFound", UNKNOWN_RULE):
        ec2.describe_security_group_rules(SecurityGroupRuleIds=[UNKNOWN_RULE])


def test_descriptions(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[ssh(Description="one"), ssh("10.1.0.0/16")])
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group_id, IpPermissions=[ssh(), ssh("10.1.0.0/16", Description="two")]
    )

    def seen() -> dict[str, str | None]:
        return {rule["CidrIpv4"]: rule.get("Description") for rule in rules_of(ec2, group_id)}

    assert seen() == {"10.0.0.0/8": None, "10.1.0.0/16": "two"}
    ids = {rule["CidrIpv4"]: rule["SecurityGroupRuleId"] for rule in rules_of(ec2, group_id)}
    descriptions = [{"SecurityGroupRuleId": ids["10.0.0.0/8"], "Description": "three"}]
    update = ec2.update_security_group_rule_descriptions_ingress
    assert update(GroupId=group_id, SecurityGroupRuleDescriptions=descriptions)["Return"] is True
    assert seen()["10.0.0.0/8"] == "three"
    with refused(service, "InvalidPermission.NotFound", "10.9.0.0/16"):
        update(GroupId=group_id, IpPermissions=[ssh(), ssh("10.9.0.0/16")])
    with refused(service, "InvalidSecurityGroupRuleId.NotFound", ids["10.0.0.0/8"]):
        ec2.update_security_group_rule_descriptions_egress(GroupId=group_id, SecurityGroupRuleDescriptions=descriptions)
    with refused(service, "MissingParameter", "SecurityGroupRuleId"):
        update(GroupId=group_id, SecurityGroupRuleDescriptions=[{"Description": "x"}])
    with refused(service, "InvalidParameterCombination", "SecurityGroupRuleDescriptions"):
        update(GroupId=group_id)
    with refused(service, "InvalidParameterValue", "a<b"):
        update(GroupId=group_id, IpPermissions=[ssh(Description="a<b")])
    egress = [EVERYTHING | {"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "out"}]}]
    ec2.update_security_group_rule_descriptions_egress(GroupId=group_id, IpPermissions=egress)
    assert rules_of(ec2, group_id, egress=True)[0]["Description"] == "out"


def test_rules_changed_in_place(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    made = ec2.authorize_security_group_ingress(
        GroupId=group_id, IpPermissions=[ssh(Description="one"), ssh("10.1.0.0/16")]
    )["SecurityGroupRules"]
    first, second = (rule["SecurityGroupRuleId"] for rule in made)

    def update(rule_id: str, **rule: Any) -> dict[str, Any]:
        return {"SecurityGroupRuleId": rule_id, "SecurityGroupRule": rule}

    def modify(*updates: dict[str, Any]) -> Any:
        return ec2.modify_security_group_rules(GroupId=group_id, SecurityGroupRules=list(updates))

    swapped = modify(update(first, CidrIpv4="10.1.0.0/16", **SSH), update(second, CidrIpv4="10.0.0.1/8", **SSH))
    assert swapped["Return"] is True
    found = {r["SecurityGroupRuleId"]: (r["CidrIpv4"], r.get("Description")) for r in rules_of(ec2, group_id)}
    assert found == {first: ("10.1.0.0/16", None), second: ("10.0.0.0/8", None)}
    modify(update(first, CidrIpv4="10.1.0.0/16", IpProtocol="udp", FromPort=53, ToPort=54, Description="dns"))
    (changed,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[first])["SecurityGroupRules"]
    assert [changed[name] for name in ("IpProtocol", "FromPort", "ToPort", "Description")] == ["udp", 53, 54, "dns"]
    with refused(service, "InvalidPermission.Duplicate", "10.0.0.0/8"):
        modify(update(first, CidrIpv4="10.0.0.0/8", **SSH))
    with refused(service, "InvalidParameterValue", "Invalid rule type", first, "CidrIpv6", "CidrIpv4"):
        modify(update(first, CidrIpv6="2001:db8::/32", **SSH))
    with refused(service, "InvalidParameterCombination", "exactly one", "none"):
        modify(update(first, **SSH))
    with refused(service, "InvalidParameterCombination", "CidrIpv4, CidrIpv6"):
        modify(update(first, CidrIpv4="10.0.0.0/8", CidrIpv6="2001:db8::/32", **SSH))
    with refused(service, "MissingParameter", "IpProtocol"):
        modify(update(first, CidrIpv4="10.0.0.0/8"))
    with refused(service, "MissingParameter", "SecurityGroupRule.1.SecurityGroupRule"):
        modify({"SecurityGroupRuleId": first})
    with refused(service, "InvalidParameterValue", first, "once"):
        modify(update(first, CidrIpv4="10.3.0.0/16", **SSH), update(first, CidrIpv4="10.4.0.0/16", **SSH))
    with refused(service, "InvalidSecurityGroupRuleId.NotFound", UNKNOWN_RULE):
        modify(update(UNKNOWN_RULE, CidrIpv4="10.0.0.0/8", **SSH))


def test_every_kind_of_source_can_be_changed(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    group_id, other, second = group(ec2, vpc_id), group(ec2, vpc_id, "other"), group(ec2, vpc_id, "second")
    lists = [prefix_list(ec2, name) for name in ("one", "two")]
    made = ec2.authorize_security_group_ingress(
        GroupId=group_id,
        IpPermissions=[
            SSH
            | {
                "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
                "PrefixListIds": [{"PrefixListId": lists[0]}],
                "UserIdGroupPairs": [{"GroupId": other}],
            }
        ],
    )["SecurityGroupRules"]
    sources = ({"CidrIpv6": "::/0"}, {"PrefixListId": lists[1]}, {"ReferencedGroupId": second})
    updates = [
        {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": SSH | source}
        for rule, source in zip(made, sources, strict=True)
    ]
    ec2.modify_security_group_rules(GroupId=group_id, SecurityGroupRules=updates)
    (permission,) = shown(ec2, group_id)["IpPermissions"]
    assert permission["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    assert permission["PrefixListIds"] == [{"PrefixListId": lists[1]}]
    assert [pair["GroupId"] for pair in permission["UserIdGroupPairs"]] == [second]


def test_old_clients_send_lists_without_an_index(service: Service, ec2: Any) -> None:
    group_id = group(ec2, vpc(ec2))
    form = {
        "GroupId": group_id,
        "IpPermissions.0.IpProtocol": "tcp",
        "IpPermissions.0.FromPort": "22",
        "IpPermissions.0.ToPort": "22",
        "IpPermissions.0.IpRanges.CidrIp": "10.0.0.0/8",
    }
    answer = raw.signed(service, "AuthorizeSecurityGroupIngress", form)
    assert answer.status == 200
    assert "<return>true</return>" in answer.text
    assert "<cidrIpv4>10.0.0.0/8</cidrIpv4>" in answer.text
    assert [rule["CidrIpv4"] for rule in rules_of(ec2, group_id)] == ["10.0.0.0/8"]


class TestQuota:
    """Rules are counted for each direction and family; a prefix list counts with its size."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(rules_per_security_group=3))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        vpc_id = vpc(ec2)
        group_id = group(ec2, vpc_id)
        both = [ssh(f"10.{n}.0.0/16") | {"Ipv6Ranges": [{"CidrIpv6": f"2001:db8:{n}::/48"}]} for n in range(3)]
        ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=both)
        with refused(service, "RulesPerSecurityGroupLimitExceeded", "inbound IPv4", "3"):
            ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[ssh("10.9.0.0/16")])
        pair = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}]
        with refused(service, "RulesPerSecurityGroupLimitExceeded", "3"):
            ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=pair)
        ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=[ssh(), ssh("10.9.0.0/16")])

    def test_prefix_lists_count_with_their_size(self, service: Service, ec2: Any) -> None:
        group_id, list_id = group(ec2, vpc(ec2)), prefix_list(ec2, MaxEntries=2)
        uses = [{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": list_id}]}]
        ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[*uses, ssh()])
        with refused(service, "RulesPerSecurityGroupLimitExceeded", "inbound IPv4"):
            ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[ssh("10.9.0.0/16")])
        with refused(service, "RulesPerSecurityGroupLimitExceeded", group_id):
            ec2.modify_managed_prefix_list(PrefixListId=list_id, MaxEntries=3)
        ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=[ssh()])
        ec2.modify_managed_prefix_list(PrefixListId=list_id, MaxEntries=3)
