"""Network ACLs: numbered rules for whole subnets; entries are in `network_acl_entries`.

* Each VPC has a default ACL that allows everything, and that comes and goes with it (`vpc_defaults`). A new ACL has no
  entries and so denies everything.
* A subnet without an association of its own uses the default ACL. AWS shows that as an association as well; its id is
  made of the subnet's, and is replaced like any other.
* Every ACL ends, in each direction, with an entry that denies the rest and cannot be changed.

References: EC2 API reference, CreateNetworkAcl, DescribeNetworkAcls, DeleteNetworkAcl, ReplaceNetworkAclAssociation;
Amazon VPC User Guide, "Network ACLs".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import (
    check_id,
    delete_tags_of,
    id_of_request,
    lookup,
    paginate,
    select,
    tag_on_create,
    tag_sets,
)
from twinbore.api.ops.network_acl_entries import allow_everything, entry_shape, last_entries
from twinbore.api.ops.tagging import requested_tags
from twinbore.model import resources as r
from twinbore.model import security as s

RESOURCE_TYPE: Final = "network-acl"
ASSOCIATION: Final = "network-acl-association"
Associations = Mapping[str, list[s.NetworkAclAssociation]]


@operation("CreateNetworkAcl")
def create_network_acl(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    requested_tags(request, RESOURCE_TYPE)
    acl_id = id_of_request(call, request, RESOURCE_TYPE)
    acl = call.tx.get(s.NetworkAcl, acl_id)
    if acl is not None and acl.vpc_id != vpc.id:
        raise errors.idempotent_mismatch(request["ClientToken"], f"{acl.id} in {acl.vpc_id}")
    if acl is None:
        limit = call.settings.quotas.network_acls_per_vpc
        if len(call.tx.all(s.NetworkAcl, vpc_id=vpc.id)) >= limit:
            raise errors.limit_exceeded("NetworkAclLimitExceeded", f"network ACLs of {vpc.id}", limit)
        acl = s.NetworkAcl(acl_id, call.account_id, vpc.id, False, call.now)
        call.tx.insert(acl)
        tag_on_create(call, request, RESOURCE_TYPE, acl.id)
    entries = call.tx.all(s.NetworkAclEntry, network_acl_id=acl.id)
    shape = _shape(acl, entries, _associations(call)[acl.id], tag_sets(call, [acl.id]))
    return {"NetworkAcl": shape} | ({"ClientToken": request["ClientToken"]} if "ClientToken" in request else {})


def new_default_acl(call: Call, vpc: r.Vpc) -> None:
    """Store the ACL that a VPC has from the start."""
    acl = s.NetworkAcl(call.new_id(RESOURCE_TYPE), call.account_id, vpc.id, True, call.now)
    call.tx.insert(acl, *allow_everything(acl))


@operation("DescribeNetworkAcls")
def describe_network_acls(call: Call, request: Request) -> Response:
    entries: defaultdict[str, list[s.NetworkAclEntry]] = defaultdict(list)
    for entry in call.tx.all(s.NetworkAclEntry, account_id=call.account_id):
        entries[entry.network_acl_id].append(entry)
    associations = _associations(call)
    filters: dict[str, Callable[[s.NetworkAcl], object]] = {
        "association.association-id": lambda a: [x.id for x in associations[a.id]],
        "association.network-acl-id": lambda a: [x.network_acl_id for x in associations[a.id]],
        "association.subnet-id": lambda a: [x.subnet_id for x in associations[a.id]],
        "default": lambda a: a.is_default,
        "network-acl-id": lambda a: a.id,
        "owner-id": lambda a: a.account_id,
        "vpc-id": lambda a: a.vpc_id,
    }
    for name, value in _ENTRY_VALUES.items():
        filters[f"entry.{name}"] = _any_entry(entries, value)
    acls = select(call, request, s.NetworkAcl, RESOURCE_TYPE, "NetworkAclIds", filters)
    tags = tag_sets(call, [acl.id for acl in acls])
    shapes = [_shape(acl, entries[acl.id], associations[acl.id], tags) for acl in acls]
    return paginate(request, shapes, "NetworkAcls", "NetworkAclIds")


_ENTRY_VALUES: Final[Mapping[str, Callable[[s.NetworkAclEntry], object]]] = {
    "cidr": lambda e: e.cidr_block,
    "egress": lambda e: e.egress,
    "icmp.code": lambda e: e.icmp_code,
    "icmp.type": lambda e: e.icmp_type,
    "ipv6-cidr": lambda e: e.ipv6_cidr_block,
    "port-range.from": lambda e: e.from_port,
    "port-range.to": lambda e: e.to_port,
    "protocol": lambda e: [e.protocol, *_PROTOCOL_NAMES.get(e.protocol, ())],
    "rule-action": lambda e: e.rule_action,
    "rule-number": lambda e: e.rule_number,
}
_PROTOCOL_NAMES: Final[Mapping[str, tuple[str, ...]]] = {"1": ("icmp",), "6": ("tcp",), "17": ("udp",)}


def _any_entry(
    entries: Mapping[str, list[s.NetworkAclEntry]], value: Callable[[s.NetworkAclEntry], object]
) -> Callable[[s.NetworkAcl], object]:
    def values(acl: s.NetworkAcl) -> list[object]:
        found = [value(entry) for entry in (*entries[acl.id], *last_entries(acl))]
        return [one for each in found for one in (each if isinstance(each, list) else [each])]

    return values


@operation("DeleteNetworkAcl")
def delete_network_acl(call: Call, request: Request) -> Response:
    acl = lookup(call, s.NetworkAcl, RESOURCE_TYPE, request["NetworkAclId"])
    if acl.is_default:
        raise ApiError(
            "InvalidParameterValue", f"Cannot delete default network ACL {acl.id}. It goes with its VPC, {acl.vpc_id}."
        )
    subnets = [x.subnet_id for x in call.tx.all(s.NetworkAclAssociation, network_acl_id=acl.id)]
    if subnets:
        raise errors.has_dependencies(RESOURCE_TYPE, acl.id, subnets)
    remove_acl(call, acl)
    return {}


def remove_acl(call: Call, acl: s.NetworkAcl) -> None:
    """Remove an ACL that no subnet has chosen, with its entries and tags."""
    call.tx.delete(s.NetworkAclEntry, *(e.id for e in call.tx.all(s.NetworkAclEntry, network_acl_id=acl.id)))
    call.tx.delete(s.NetworkAcl, acl.id)
    delete_tags_of(call, acl.id)


@operation("ReplaceNetworkAclAssociation")
def replace_network_acl_association(call: Call, request: Request) -> Response:
    old_id: str = request["AssociationId"]
    check_id(ASSOCIATION, old_id)
    old = association_of(call, old_id)
    if old is None:
        raise errors.not_found(ASSOCIATION, old_id)
    acl = lookup(call, s.NetworkAcl, RESOURCE_TYPE, request["NetworkAclId"])
    subnet = lookup(call, r.Subnet, "subnet", old.subnet_id)
    if subnet.vpc_id != acl.vpc_id:
        raise ApiError(
            "InvalidParameterValue",
            f"network ACL {acl.id} and subnet {subnet.id} belong to different networks ({acl.vpc_id} and "
            f"{subnet.vpc_id})",
        )
    call.tx.delete(s.NetworkAclAssociation, old.id)
    new = s.NetworkAclAssociation(call.new_id(ASSOCIATION), call.account_id, acl.id, subnet.id, call.now)
    call.tx.insert(new)
    return {"NewAssociationId": new.id}


def association_of(call: Call, value: str) -> s.NetworkAclAssociation | None:
    """The association with this id, chosen or by default."""
    return next((x for each in _associations(call).values() for x in each if x.id == value), None)


def _associations(call: Call) -> Associations:
    """ACL → the association of each subnet that uses it, chosen or by default."""
    chosen = {x.subnet_id: x for x in call.tx.all(s.NetworkAclAssociation, account_id=call.account_id)}
    defaults = {a.vpc_id: a.id for a in call.tx.all(s.NetworkAcl, account_id=call.account_id, is_default=True)}
    found: defaultdict[str, list[s.NetworkAclAssociation]] = defaultdict(list)
    for subnet in call.tx.all(r.Subnet, account_id=call.account_id):
        association = chosen.get(subnet.id) or s.NetworkAclAssociation(
            id="aclassoc-" + subnet.id.removeprefix("subnet-"),
            account_id=subnet.account_id,
            network_acl_id=defaults[subnet.vpc_id],
            subnet_id=subnet.id,
            created_at=subnet.created_at,
        )
        found[association.network_acl_id].append(association)
    return found


def _shape(
    acl: s.NetworkAcl,
    entries: list[s.NetworkAclEntry],
    associations: list[s.NetworkAclAssociation],
    tags: Mapping[str, list[dict[str, str]]],
) -> dict[str, Any]:
    everything = sorted([*entries, *last_entries(acl)], key=lambda e: (not e.egress, e.rule_number))
    return {
        "NetworkAclId": acl.id,
        "VpcId": acl.vpc_id,
        "OwnerId": acl.account_id,
        "IsDefault": acl.is_default,
        "Entries": [entry_shape(entry) for entry in everything],
        "Associations": [
            {"NetworkAclAssociationId": x.id, "NetworkAclId": x.network_acl_id, "SubnetId": x.subnet_id}
            for x in associations
        ],
        "Tags": tags[acl.id],
    }
