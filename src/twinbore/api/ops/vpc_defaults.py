"""What a VPC has from the start, and what goes with it: its default security group and its default network ACL.

Others that were made in the VPC have to be deleted first. A subnet's own choice of a network ACL goes with the subnet.

References: EC2 API reference, CreateVpc, DeleteVpc; Amazon VPC User Guide, "Default security groups", "Default network
ACL".
"""

from __future__ import annotations

from twinbore.api import errors
from twinbore.api.operation import Call
from twinbore.api.ops.network_acls import new_default_acl, remove_acl
from twinbore.api.ops.security_groups import new_default_group, remove_group
from twinbore.model import resources as r
from twinbore.model import security as s


def create(call: Call, vpc: r.Vpc) -> None:
    """Store the defaults of a new VPC."""
    new_default_group(call, vpc)
    new_default_acl(call, vpc)


def delete(call: Call, vpc: r.Vpc) -> None:
    """Remove the defaults of a VPC that goes. Raises DependencyViolation while there are other groups or ACLs."""
    groups = call.tx.all(s.SecurityGroup, vpc_id=vpc.id)
    acls = call.tx.all(s.NetworkAcl, vpc_id=vpc.id)
    others = [g.id for g in groups if g.name != s.DEFAULT_GROUP] + [a.id for a in acls if not a.is_default]
    if others:
        raise errors.has_dependencies("vpc", vpc.id, others)
    for group in groups:
        remove_group(call, group)
    for acl in acls:
        remove_acl(call, acl)


def delete_of_subnet(call: Call, subnet: r.Subnet) -> None:
    """Remove the network ACL association of a subnet that goes."""
    chosen = call.tx.all(s.NetworkAclAssociation, subnet_id=subnet.id)
    call.tx.delete(s.NetworkAclAssociation, *(x.id for x in chosen))
