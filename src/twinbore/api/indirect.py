"""Resources that a request means without saying their ids: what a key's policy has to be asked about as well.

A security group goes by its name in the default VPC, a route table and a network ACL by the association with a subnet,
a VPC by that of a CIDR block, a group by one of its rules. Policies are about the resources themselves, in AWS's words
too: there are no ARNs of associations. Without this, a Deny on a group would not hold for who calls it by its name.

What names nothing of the caller's is left as it is: the policy is asked about that name, and the operation says
NotFound to whom it lets through.

Reference: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2"
(DisassociateRouteTable, ReplaceNetworkAclAssociation, DisassociateVpcCidrBlock, DeleteSecurityGroup).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from twinbore.api.authorization import CREATE, LISTING, Meant, Named, ids_in
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call
from twinbore.api.ops.network_acls import association_of
from twinbore.api.ops.security_group_names import group_named
from twinbore.model import resources as r
from twinbore.model import security as s

GROUP_NAMES: Final = frozenset({"GroupName", "SourceSecurityGroupName"})
ASSOCIATIONS: Final = frozenset({
    "route-table-association",
    "network-acl-association",
    "vpc-cidr-block-association",
    "security-group-rule",
})  # fmt: skip
GROUP: Final = "security-group"


def names(action: str, request: dict[str, Any]) -> list[Named]:
    """What the request names otherwise than by its id; a group's name stands with an empty type."""
    if action.startswith(LISTING):
        return []
    groups = [] if action == f"{CREATE}SecurityGroup" else [("", name) for name in _group_names(request)]
    return groups + [named for named in ids_in(request) if named[0] in ASSOCIATIONS]


def meant(call: Call, named: list[Named]) -> Meant:
    """The resources behind such names, for those that are names of something."""
    return {name: found for name in named if (found := _meant(call, *name))}


def _meant(call: Call, kind: str, value: str) -> list[Named]:
    if not kind:
        try:
            return [(GROUP, group_named(call, value).id)]
        except ApiError:
            return []
    if kind == "network-acl-association":
        chosen = association_of(call, value)
        return [("network-acl", chosen.network_acl_id), ("subnet", chosen.subnet_id)] if chosen else []
    if kind == "security-group-rule":
        rule = call.tx.get(s.SecurityGroupRule, value)
        return [(kind, value), (GROUP, rule.group_id)] if rule and rule.account_id == call.account_id else []
    if kind == "vpc-cidr-block-association":
        block = call.tx.get(r.VpcCidrBlock, value)
        return [("vpc", block.vpc_id)] if block and block.account_id == call.account_id else []
    table = call.tx.get(r.RouteTableAssociation, value)
    if table is None or table.account_id != call.account_id:
        return []
    subnet = [("subnet", table.subnet_id)] if table.subnet_id else []
    return [("route-table", table.route_table_id), *subnet]


def _group_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, below in dict.items(value):
            if name in GROUP_NAMES:
                yield str(below)
            else:
                yield from _group_names(below)
    elif isinstance(value, list):
        for item in value:
            yield from _group_names(item)
