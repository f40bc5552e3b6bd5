"""Security groups: made, listed, removed; their rules are in `security_group_rules`.

* A group belongs to a VPC; its name is unique there, whatever its case. A new one lets everything out and nothing in.
* Each VPC has a group named `default`, whose members may reach each other, and which comes and goes with the VPC
  (`vpc_defaults`).
* A group that a network interface wears, or that a rule of another group names, cannot be deleted.
* Nothing here reaches a VPC from outside it (there is no peering), so no group is referenced from elsewhere and none
  has stale rules: these listings are empty, once their ids have been checked.

References: EC2 API reference, CreateSecurityGroup, DescribeSecurityGroups, DeleteSecurityGroup; Amazon VPC User Guide,
"Security groups", "Default security groups".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import (
    delete_tags_of,
    filtered,
    lookup,
    paginate,
    select,
    tag_on_create,
    tag_set,
    tag_sets,
)
from twinbore.api.ops.permission_fields import ALL_PROTOCOLS, Permission, group_text
from twinbore.api.ops.security_group_names import default_vpc_id, group_named, group_of_request
from twinbore.api.ops.security_group_rules import add_rules, remove_rules
from twinbore.api.ops.security_group_view import group_arn, group_shape
from twinbore.model import resources as r
from twinbore.model import security as s

RESOURCE_TYPE: Final = "security-group"
ID_PREFIX: Final = "sg-"
DEFAULT_DESCRIPTION: Final = "default VPC security group"
OPEN: Final = Permission(ALL_PROTOCOLS, None, None, cidr_ipv4="0.0.0.0/0")
MAX_STALE_PAGE: Final = 255


@operation("CreateSecurityGroup")
def create_security_group(call: Call, request: Request) -> Response:
    name = group_text("GroupName", request["GroupName"].rstrip(" "))
    description = group_text("GroupDescription", request["Description"])
    if name.lower().startswith(ID_PREFIX):
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid value '{name}' for groupName. Group names may not be in the format {ID_PREFIX}*.",
        )
    if name.lower() == s.DEFAULT_GROUP:
        raise ApiError("InvalidParameterValue", f"Cannot use reserved security group name: {name}")
    vpc_id: str | None = request.get("VpcId")
    vpc = lookup(call, r.Vpc, "vpc", default_vpc_id(call) if vpc_id is None else vpc_id)
    for other in call.tx.all(s.SecurityGroup, vpc_id=vpc.id):
        if other.name.lower() == name.lower():
            raise ApiError(
                "InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc.id}': {other.id}"
            )
    limit = call.settings.quotas.security_groups
    if len(call.tx.all(s.SecurityGroup, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("SecurityGroupLimitExceeded", "security groups", limit)
    group = _new(call, vpc, name, description)
    tag_on_create(call, request, RESOURCE_TYPE, group.id)
    return {"GroupId": group.id, "SecurityGroupArn": group_arn(call, group), "Tags": tag_set(call, group.id)}


def new_default_group(call: Call, vpc: r.Vpc) -> None:
    """Store the group that a VPC has from the start."""
    group = _new(call, vpc, s.DEFAULT_GROUP, DEFAULT_DESCRIPTION)
    add_rules(call, group, [Permission(ALL_PROTOCOLS, None, None, referenced_group_id=group.id)], egress=False)


def _new(call: Call, vpc: r.Vpc, name: str, description: str) -> s.SecurityGroup:
    group = s.SecurityGroup(call.new_id(RESOURCE_TYPE), call.account_id, vpc.id, name, description, call.now)
    call.tx.insert(group)
    add_rules(call, group, [OPEN], egress=True)
    return group


@operation("DescribeSecurityGroups")
def describe_security_groups(call: Call, request: Request) -> Response:
    named = [group_named(call, name).id for name in request.get("GroupNames") or []]
    if named:
        request["GroupIds"] = [*(request.get("GroupIds") or []), *named]
    rules: defaultdict[str, list[s.SecurityGroupRule]] = defaultdict(list)
    for rule in call.tx.all(s.SecurityGroupRule, account_id=call.account_id):
        rules[rule.group_id].append(rule)
    names = {group.id: group.name for group in call.tx.all(s.SecurityGroup, account_id=call.account_id)}
    filters: dict[str, Callable[[s.SecurityGroup], object]] = {
        "description": lambda g: g.description,
        "group-id": lambda g: g.id,
        "group-name": lambda g: g.name,
        "owner-id": lambda g: g.account_id,
        "vpc-id": lambda g: g.vpc_id,
    }
    for prefix, egress in (("ip-permission", False), ("egress.ip-permission", True)):
        for name, value in _rule_values(names).items():
            filters[f"{prefix}.{name}"] = _any_rule(rules, egress, value)
    groups = select(call, request, s.SecurityGroup, RESOURCE_TYPE, "GroupIds", filters)
    tags = tag_sets(call, [group.id for group in groups])
    shapes = [group_shape(call, group, rules[group.id], tags) for group in groups]
    return paginate(request, shapes, "SecurityGroups", "GroupIds")


def _rule_values(names: Mapping[str, str]) -> dict[str, Callable[[s.SecurityGroupRule], object]]:
    """What the filters over a group's rules look at, by the ends of their names."""
    return {
        "cidr": lambda x: x.cidr_ipv4,
        "from-port": lambda x: x.from_port,
        "group-id": lambda x: x.referenced_group_id,
        "group-name": lambda x: names.get(x.referenced_group_id or ""),
        "ipv6-cidr": lambda x: x.cidr_ipv6,
        "prefix-list-id": lambda x: x.prefix_list_id,
        "protocol": lambda x: x.protocol,
        "to-port": lambda x: x.to_port,
        "user-id": lambda x: x.account_id if x.referenced_group_id else None,
    }


def _any_rule(
    rules: Mapping[str, list[s.SecurityGroupRule]], egress: bool, value: Callable[[s.SecurityGroupRule], object]
) -> Callable[[s.SecurityGroup], object]:
    return lambda group: [value(rule) for rule in rules[group.id] if rule.egress is egress]


@operation("DeleteSecurityGroup")
def delete_security_group(call: Call, request: Request) -> Response:
    group = group_of_request(call, request)
    if group.name == s.DEFAULT_GROUP:
        raise ApiError(
            "CannotDelete", f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user'
        )
    users = [worn.network_interface_id for worn in call.tx.all(s.NetworkInterfaceGroup, group_id=group.id)]
    rules = call.tx.all(s.SecurityGroupRule, referenced_group_id=group.id)
    users += [f"{rule.id} of {rule.group_id}" for rule in rules if rule.group_id != group.id]
    if users:
        raise errors.dependency_violation(f"resource {group.id} has a dependent object: {', '.join(users)}")
    remove_group(call, group)
    return {"Return": True, "GroupId": group.id}


def remove_group(call: Call, group: s.SecurityGroup) -> None:
    """Remove a group with its rules and all their tags."""
    remove_rules(call, call.tx.all(s.SecurityGroupRule, group_id=group.id))
    call.tx.delete(s.SecurityGroup, group.id)
    delete_tags_of(call, group.id)


@operation("GetSecurityGroupsForVpc")
def get_security_groups_for_vpc(call: Call, request: Request) -> Response:
    """The groups that network interfaces of the VPC may wear."""
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    filters: dict[str, Callable[[s.SecurityGroup], object]] = {
        "description": lambda g: g.description,
        "group-id": lambda g: g.id,
        "group-name": lambda g: g.name,
        "owner-id": lambda g: g.account_id,
        "primary-vpc-id": lambda g: g.vpc_id,
    }
    groups = filtered(call.tx.all(s.SecurityGroup, vpc_id=vpc.id), request, filters)
    tags = tag_sets(call, [group.id for group in groups])
    return paginate(request, [_for_vpc(group, tags) for group in groups], "SecurityGroupForVpcs")


def _for_vpc(group: s.SecurityGroup, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": group.account_id,
        "PrimaryVpcId": group.vpc_id,
        "Tags": tags[group.id],
    }


@operation("DescribeSecurityGroupReferences")
def describe_security_group_references(call: Call, request: Request) -> Response:
    for group_id in request["GroupId"]:
        lookup(call, s.SecurityGroup, RESOURCE_TYPE, group_id)
    return {"SecurityGroupReferenceSet": []}


@operation("DescribeStaleSecurityGroups")
def describe_stale_security_groups(call: Call, request: Request) -> Response:
    lookup(call, r.Vpc, "vpc", request["VpcId"])
    return paginate(request, [], "StaleSecurityGroupSet", largest_page=MAX_STALE_PAGE)
