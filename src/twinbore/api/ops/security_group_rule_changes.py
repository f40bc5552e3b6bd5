"""Rules of security groups changed in place: what they say, or only their descriptions.

ModifySecurityGroupRules gives a rule anew, whole, under its old id: what the request leaves out is not kept. The kind
of a rule's source stays (AWS refuses that change as well): for another kind there is another rule. The rules of one
request may exchange what they say, so they are checked for duplicates as they are afterwards.

References: EC2 API reference, ModifySecurityGroupRules, UpdateSecurityGroupRuleDescriptionsIngress,
UpdateSecurityGroupRuleDescriptionsEgress.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import permission_fields as fields
from twinbore.api.ops.permission_fields import Permission, permission_of
from twinbore.api.ops.security_group_names import group_of_request
from twinbore.api.ops.security_group_permissions import (
    listed_permissions,
    prefix_list_of,
    referenced_group,
)
from twinbore.api.ops.security_group_quota import check_rules
from twinbore.api.ops.security_group_rules import duplicate, matching, rule_of
from twinbore.model import security as s

SOURCES: Final[Mapping[str, str]] = {
    "CidrIpv4": "cidr_ipv4",
    "CidrIpv6": "cidr_ipv6",
    "PrefixListId": "prefix_list_id",
    "ReferencedGroupId": "referenced_group_id",
}


@operation("ModifySecurityGroupRules")
def modify_security_group_rules(call: Call, request: Request) -> Response:
    group = group_of_request(call, request)
    changed: dict[str, s.SecurityGroupRule] = {}
    for number, update in enumerate(request["SecurityGroupRules"], 1):
        path = f"SecurityGroupRule.{number}.SecurityGroupRule"
        rule = rule_of(call, group, update["SecurityGroupRuleId"])
        if rule.id in changed:
            raise errors.invalid_value("SecurityGroupRuleId", rule.id, "each rule once")
        if not update.get("SecurityGroupRule"):
            raise errors.missing_parameter(path)
        permission = _requested(call, group, rule, path, update["SecurityGroupRule"])
        changed[rule.id] = dataclasses.replace(rule, **dataclasses.asdict(permission))
    if not changed:
        raise errors.missing_parameter("SecurityGroupRule")
    after = [changed.get(x.id, x) for x in call.tx.all(s.SecurityGroupRule, group_id=group.id)]
    seen: set[tuple[bool, Permission]] = set()
    for rule in after:
        key = (rule.egress, permission_of(rule).key)
        if key in seen:
            raise duplicate(permission_of(rule))
        seen.add(key)
    check_rules(call, group.id, after)
    for rule in changed.values():
        call.tx.update(rule)
    return {"Return": True}


def _requested(
    call: Call, group: s.SecurityGroup, rule: s.SecurityGroupRule, path: str, given: Mapping[str, Any]
) -> Permission:
    """What the rule shall say."""
    members = [name for name in SOURCES if given.get(name) is not None]
    if len(members) != 1:
        raise errors.combination(
            f"{path} needs exactly one of {', '.join(SOURCES)}; given: {', '.join(members) or 'none'}."
        )
    (member,) = members
    if getattr(rule, SOURCES[member]) is None:
        present = next(name for name, field in SOURCES.items() if getattr(rule, field) is not None)
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid rule type for security group rule '{rule.id}'. You may not specify {member} for a rule with "
            f"{present}: authorize a new rule and revoke this one.",
        )
    protocol = fields.protocol(f"{path}.IpProtocol", given.get("IpProtocol"))
    first, last = fields.ports(protocol, given.get("FromPort"), given.get("ToPort"))
    source = {SOURCES[member]: _source(call, group, member, given[member])}
    return Permission(protocol, first, last, **source, description=fields.rule_description(given.get("Description")))


def _source(call: Call, group: s.SecurityGroup, member: str, value: str) -> str:
    if member == "CidrIpv4":
        return fields.ipv4_block(value)
    if member == "CidrIpv6":
        return fields.ipv6_block(value)
    if member == "PrefixListId":
        return prefix_list_of(call, value).id
    return referenced_group(call, group, value).id


@operation("UpdateSecurityGroupRuleDescriptionsIngress")
def update_descriptions_ingress(call: Call, request: Request) -> Response:
    return _update_descriptions(call, request, egress=False)


@operation("UpdateSecurityGroupRuleDescriptionsEgress")
def update_descriptions_egress(call: Call, request: Request) -> Response:
    return _update_descriptions(call, request, egress=True)


def _update_descriptions(call: Call, request: Request, *, egress: bool) -> Response:
    """A rule that is named without a description loses the one that it has."""
    group = group_of_request(call, request)
    listed, by_id = request.get("IpPermissions") or [], request.get("SecurityGroupRuleDescriptions") or []
    if bool(listed) == bool(by_id):
        raise errors.combination("Exactly one of IpPermissions and SecurityGroupRuleDescriptions must be given.")
    if listed:
        permissions = listed_permissions(call, group, listed)
        rules = matching(call, group, permissions, egress=egress)
        changes = [(rule, permission.description) for rule, permission in zip(rules, permissions, strict=True)]
    else:
        changes = []
        for number, item in enumerate(by_id, 1):
            if item.get("SecurityGroupRuleId") is None:
                raise errors.missing_parameter(f"SecurityGroupRuleDescription.{number}.SecurityGroupRuleId")
            rule = rule_of(call, group, item["SecurityGroupRuleId"], egress=egress)
            changes.append((rule, fields.rule_description(item.get("Description"))))
    for rule, description in changes:
        call.tx.update(rule, description=description)
    return {"Return": True}
