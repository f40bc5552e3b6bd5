"""How security groups and their rules are shown: each rule by itself, and a group's rules put together.

`IpPermissions` puts the rules of one protocol and port range into one permission with all their sources, in the order
in which the first rule of each came; all four lists of sources are there, empty or not, because tools compare them.
A rule of all protocols has no ports in a permission, and -1 for both by itself.

References: EC2 API reference, `SecurityGroup`, `IpPermission`, `SecurityGroupRule`, `RevokedSecurityGroupRule`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twinbore.api.operation import Call
from twinbore.api.ops.permission_fields import EVERY
from twinbore.model import security as s

Tags = Mapping[str, list[dict[str, str]]]


def group_arn(call: Call, group: s.SecurityGroup) -> str:
    return f"arn:aws:ec2:{call.settings.region}:{group.account_id}:security-group/{group.id}"


def group_shape(call: Call, group: s.SecurityGroup, rules: Iterable[s.SecurityGroupRule], tags: Tags) -> dict[str, Any]:
    """A group with its own rules."""
    own = list(rules)
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": group.account_id,
        "VpcId": group.vpc_id,
        "SecurityGroupArn": group_arn(call, group),
        "IpPermissions": _permissions(rule for rule in own if not rule.egress),
        "IpPermissionsEgress": _permissions(rule for rule in own if rule.egress),
        "Tags": tags[group.id],
    }


def _permissions(rules: Iterable[s.SecurityGroupRule]) -> list[dict[str, Any]]:
    found: dict[tuple[str, int | None, int | None], dict[str, Any]] = {}
    for rule in rules:
        permission = found.setdefault(
            (rule.protocol, rule.from_port, rule.to_port),
            {
                "IpProtocol": rule.protocol,
                "FromPort": rule.from_port,
                "ToPort": rule.to_port,
                "UserIdGroupPairs": [],
                "IpRanges": [],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
            },
        )
        member, source = _source(rule)
        permission[member].append(source | ({"Description": rule.description} if rule.description else {}))
    return list(found.values())


def _source(rule: s.SecurityGroupRule) -> tuple[str, dict[str, str]]:
    if rule.cidr_ipv4 is not None:
        return "IpRanges", {"CidrIp": rule.cidr_ipv4}
    if rule.cidr_ipv6 is not None:
        return "Ipv6Ranges", {"CidrIpv6": rule.cidr_ipv6}
    if rule.prefix_list_id is not None:
        return "PrefixListIds", {"PrefixListId": rule.prefix_list_id}
    return "UserIdGroupPairs", {"UserId": rule.account_id, "GroupId": str(rule.referenced_group_id)}


def rule_shape(call: Call, rule: s.SecurityGroupRule, tags: Tags) -> dict[str, Any]:
    """A rule by itself."""
    shape = _common(rule) | {
        "GroupOwnerId": rule.account_id,
        "SecurityGroupRuleArn": f"arn:aws:ec2:{call.settings.region}:{rule.account_id}:security-group-rule/{rule.id}",
        "Tags": tags[rule.id],
    }
    if rule.referenced_group_id is not None:
        shape["ReferencedGroupInfo"] = {"GroupId": rule.referenced_group_id, "UserId": rule.account_id}
    return shape


def revoked_shape(rule: s.SecurityGroupRule) -> dict[str, Any]:
    """A rule that is gone."""
    return _common(rule) | {"ReferencedGroupId": rule.referenced_group_id}


def _common(rule: s.SecurityGroupRule) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group_id,
        "IsEgress": rule.egress,
        "IpProtocol": rule.protocol,
        "FromPort": EVERY if rule.from_port is None else rule.from_port,
        "ToPort": EVERY if rule.to_port is None else rule.to_port,
        "CidrIpv4": rule.cidr_ipv4,
        "CidrIpv6": rule.cidr_ipv6,
        "PrefixListId": rule.prefix_list_id,
        "Description": rule.description,
    }
