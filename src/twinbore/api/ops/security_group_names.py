"""Security groups by their names, which AWS takes for groups of the account's default VPC only.

Elsewhere a name says too little (each VPC may have a group of that name), and AWS asks for the id. There is a default
VPC when the account has made one.

References: EC2 API reference, DescribeSecurityGroups (GroupName), AuthorizeSecurityGroupIngress
(SourceSecurityGroupName), `UserIdGroupPair`; "Error codes for the Amazon EC2 API" (VPCIdNotSpecified).
"""

from __future__ import annotations

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request
from twinbore.api.ops.common import lookup
from twinbore.model import resources as r
from twinbore.model import security as s


def default_vpc_id(call: Call) -> str:
    """The id of the account's default VPC. Raises VPCIdNotSpecified when it has none."""
    for vpc in call.tx.all(r.Vpc, account_id=call.account_id, is_default=True):
        return vpc.id
    raise ApiError("VPCIdNotSpecified", "No default VPC for this user: specify VpcId, or GroupId instead of GroupName.")


def group_named(call: Call, name: str) -> s.SecurityGroup:
    """The default VPC's group of this name."""
    vpc_id = default_vpc_id(call)
    for group in call.tx.all(s.SecurityGroup, vpc_id=vpc_id, name=name):
        return group
    raise ApiError("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC '{vpc_id}'")


def group_of_request(call: Call, request: Request) -> s.SecurityGroup:
    """The group that a request is about: GroupId, or GroupName in the default VPC."""
    group_id: str | None = request.get("GroupId")
    name: str | None = request.get("GroupName")
    if group_id is not None and name is not None:
        raise errors.combination("The parameters GroupId and GroupName cannot be used together.")
    if name is not None:
        return group_named(call, name)
    if group_id is None:
        raise errors.missing_parameter("GroupId")
    return lookup(call, s.SecurityGroup, "security-group", group_id)


def source_named(call: Call, group: s.SecurityGroup, name: str) -> s.SecurityGroup:
    """The group of this name that a rule of `group` names: both are the default VPC's."""
    if not call.tx.all(r.Vpc, id=group.vpc_id, is_default=True):
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid value '{name}' for groupName. You may not reference Amazon VPC security groups by name. Please "
            "use the corresponding id for this operation.",
        )
    return group_named(call, name)
