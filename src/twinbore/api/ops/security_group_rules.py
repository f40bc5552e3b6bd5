"""Rules of security groups: added, removed, listed. All of a request, or nothing of it.

Each rule has an id and tags. A rule is found by its id or by all that it says but its description. What rules do to
packets is the data plane's matter; here they are kept and shown.

References: EC2 API reference, AuthorizeSecurityGroupIngress, AuthorizeSecurityGroupEgress,
RevokeSecurityGroupIngress, RevokeSecurityGroupEgress, DescribeSecurityGroupRules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import lookup, paginate, select, tag_sets
from twinbore.api.ops.permission_fields import Permission, permission_of
from twinbore.api.ops.security_group_names import group_of_request
from twinbore.api.ops.security_group_permissions import FLAT, requested_permissions
from twinbore.api.ops.security_group_quota import check_rules
from twinbore.api.ops.security_group_view import revoked_shape, rule_shape
from twinbore.api.ops.tagging import add_tags, requested_tags
from twinbore.model import resources as r
from twinbore.model import security as s

RESOURCE_TYPE: Final = "security-group-rule"


@operation("AuthorizeSecurityGroupIngress")
def authorize_ingress(call: Call, request: Request) -> Response:
    return _authorize(call, request, egress=False)


@operation("AuthorizeSecurityGroupEgress")
def authorize_egress(call: Call, request: Request) -> Response:
    return _authorize(call, request, egress=True)


@operation("RevokeSecurityGroupIngress")
def revoke_ingress(call: Call, request: Request) -> Response:
    return _revoke(call, request, egress=False)


@operation("RevokeSecurityGroupEgress")
def revoke_egress(call: Call, request: Request) -> Response:
    return _revoke(call, request, egress=True)


_FILTERS: Final[Mapping[str, Callable[[s.SecurityGroupRule], object]]] = {
    "group-id": lambda rule: rule.group_id,
    "security-group-rule-id": lambda rule: rule.id,
}


@operation("DescribeSecurityGroupRules")
def describe_security_group_rules(call: Call, request: Request) -> Response:
    rules = select(call, request, s.SecurityGroupRule, RESOURCE_TYPE, "SecurityGroupRuleIds", _FILTERS)
    tags = tag_sets(call, [rule.id for rule in rules])
    shapes = [rule_shape(call, rule, tags) for rule in rules]
    return paginate(request, shapes, "SecurityGroupRules", "SecurityGroupRuleIds")


def _authorize(call: Call, request: Request, *, egress: bool) -> Response:
    group = group_of_request(call, request)
    permissions = requested_permissions(call, group, request, egress=egress)
    rules = add_rules(call, group, permissions, egress=egress)
    tags = [{"Key": key, "Value": value} for key, value in requested_tags(request, RESOURCE_TYPE).items()]
    for rule in rules:
        add_tags(call, RESOURCE_TYPE, rule.id, tags)
    shown = tag_sets(call, [rule.id for rule in rules])
    return {"Return": True, "SecurityGroupRules": [rule_shape(call, rule, shown) for rule in rules]}


def add_rules(
    call: Call, group: s.SecurityGroup, permissions: Iterable[Permission], *, egress: bool
) -> list[s.SecurityGroupRule]:
    """Store rules of one direction. Raises InvalidPermission.Duplicate and the quota's error."""
    present = call.tx.all(s.SecurityGroupRule, group_id=group.id)
    known = {permission_of(rule).key for rule in present if rule.egress is egress}
    new: list[s.SecurityGroupRule] = []
    for permission in permissions:
        if permission.key in known:
            raise duplicate(permission)
        new.append(
            s.SecurityGroupRule(
                id=call.new_id(RESOURCE_TYPE),
                account_id=call.account_id,
                group_id=group.id,
                egress=egress,
                created_at=call.now,
                **dataclasses.asdict(permission),
            )
        )
    check_rules(call, group.id, [*present, *new])
    call.tx.insert(*new)
    return new


def duplicate(permission: Permission) -> ApiError:
    return ApiError("InvalidPermission.Duplicate", f'the specified rule "{permission}" already exists')


def _revoke(call: Call, request: Request, *, egress: bool) -> Response:
    group = group_of_request(call, request)
    ids: list[str] = request.get("SecurityGroupRuleIds") or []
    others = [name for name in ("IpPermissions", *FLAT) if request.get(name)]
    if ids and others:
        raise errors.combination(
            f"The parameter SecurityGroupRuleIds may not be used in combination with {others[0]}: either rules by "
            "their ids or by what they say."
        )
    if ids:
        rules = [rule_of(call, group, rule_id, egress=egress) for rule_id in dict.fromkeys(ids)]
    elif others:
        rules = matching(call, group, requested_permissions(call, group, request, egress=egress), egress=egress)
    else:
        raise errors.missing_parameter("IpPermissions or SecurityGroupRuleId")
    remove_rules(call, rules)
    return {
        "Return": True,
        "UnknownIpPermissions": [],
        "RevokedSecurityGroupRules": [revoked_shape(rule) for rule in rules],
    }


def rule_of(call: Call, group: s.SecurityGroup, rule_id: str, *, egress: bool | None = None) -> s.SecurityGroupRule:
    """The group's rule with this id, of the direction if one is given."""
    rule = lookup(call, s.SecurityGroupRule, RESOURCE_TYPE, rule_id)
    if rule.group_id != group.id or egress not in (None, rule.egress):
        raise errors.not_found(RESOURCE_TYPE, rule_id)
    return rule


def matching(
    call: Call, group: s.SecurityGroup, permissions: Iterable[Permission], *, egress: bool
) -> list[s.SecurityGroupRule]:
    """The group's rules that say the same. Raises InvalidPermission.NotFound for one that there is not."""
    rules = {permission_of(x).key: x for x in call.tx.all(s.SecurityGroupRule, group_id=group.id, egress=egress)}
    wanted = [permission.key for permission in permissions]
    for key in wanted:
        if key not in rules:
            raise ApiError(
                "InvalidPermission.NotFound", f"The specified rule does not exist in this security group. ({key})"
            )
    return [rules[key] for key in wanted]


def remove_rules(call: Call, rules: Sequence[s.SecurityGroupRule]) -> None:
    """Remove rules with their tags."""
    ids = [rule.id for rule in rules]
    call.tx.delete(r.Tag, *(tag.id for tag in call.tx.all(r.Tag, resource_id=ids)))
    call.tx.delete(s.SecurityGroupRule, *ids)
