"""VPCs: an IPv4 network of one's own, with a main route table from the start.

* A block is a /16 to a /28 of unicast addresses, its host bits are cleared. Two VPCs may have the same block: each is
  a network namespace. Further blocks are in `vpc_cidrs`, attributes in `vpc_attributes`.
* The main route table comes and goes with its VPC; so do the records of gateways that are detached.

References: EC2 API reference, CreateVpc, DeleteVpc; Amazon VPC User Guide, "VPC CIDR blocks", "Delete your VPC";
RFC 6890 (special-purpose addresses).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpc_cidrs, vpc_defaults
from twinbore.api.ops.common import (
    absent,
    canonical_cidr,
    delete_tags_of,
    lookup,
    paginate,
    refuse_others,
    select,
    tag_on_create,
    tag_sets,
)
from twinbore.api.ops.dhcp_options import default_options_id
from twinbore.api.ops.route_tables import new_main_route_table, remove_route_table
from twinbore.model import resources as r
from twinbore.model import vpc_blocks
from twinbore.model.states import DETACHED, PENDING

TENANCIES: Final = ("default", "dedicated", "host")
PUBLIC_ACCESS: Final = {"InternetGatewayBlockMode": "off"}
"""Nothing blocks what an internet gateway would carry (`BlockPublicAccessStates`)."""


@operation("CreateVpc")
def create_vpc(call: Call, request: Request) -> Response:
    refuse_others(request, "CidrBlock", "InstanceTenancy", "TagSpecifications")
    if request.get("CidrBlock") is None:
        raise errors.missing_parameter("CidrBlock")
    tenancy = request.get("InstanceTenancy", "default")
    if tenancy not in TENANCIES:
        raise errors.invalid_value("InstanceTenancy", tenancy, "one of " + ", ".join(TENANCIES))
    if tenancy != "default":
        raise errors.unsupported(f"InstanceTenancy {tenancy}: there are no instances here. Use default.")
    network = canonical_cidr("CidrBlock", request["CidrBlock"])
    rule = vpc_blocks.problem(network)
    if rule is not None:
        raise errors.ApiError("InvalidVpc.Range", f"The CIDR '{network}' is invalid. CidrBlock must be {rule}.")
    vpc = new_vpc(call, network)
    tag_on_create(call, request, "vpc", vpc.id)
    return {"Vpc": vpc_shape(call, vpc)}


def new_vpc(call: Call, network: IPv4Network, *, enable_dns_hostnames: bool = False, is_default: bool = False) -> r.Vpc:
    """Store a VPC and what comes with every one. Raises VpcLimitExceeded."""
    limit = call.settings.quotas.vpcs
    if len(call.tx.all(r.Vpc, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("VpcLimitExceeded", "VPCs", limit)
    vpc = r.Vpc(
        id=call.new_id("vpc"),
        account_id=call.account_id,
        cidr_block=str(network),
        state=PENDING,
        created_at=call.now,
        enable_dns_hostnames=enable_dns_hostnames,
        dhcp_options_id=default_options_id(call),
        is_default=is_default,
    )
    call.tx.insert(vpc)
    new_main_route_table(call, vpc.id)
    vpc_defaults.create(call, vpc)
    return vpc


_FILTERS: Final[Mapping[str, Callable[[r.Vpc], object]]] = {
    **dict.fromkeys(("cidr", "cidr-block", "cidrBlock"), lambda v: v.cidr_block),
    **dict.fromkeys(("dhcp-options-id", "dhcpOptionsId"), lambda v: v.dhcp_options_id),
    **dict.fromkeys(("is-default", "isDefault"), lambda v: v.is_default),
    "owner-id": lambda v: v.account_id,
    "state": lambda v: v.state,
    **dict.fromkeys(("vpc-id", "vpcId"), lambda v: v.id),
} | absent(*(f"ipv6-cidr-block-association.{n}" for n in ("ipv6-cidr-block", "ipv6-pool", "association-id", "state")))
"""Those of the API reference, and older names of theirs that clients still use."""


@operation("DescribeVpcs")
def describe_vpcs(call: Call, request: Request) -> Response:
    blocks = vpc_cidrs.associations(call)
    filters = {
        **_FILTERS,
        "cidr-block-association.association-id": lambda v: [b["AssociationId"] for b in blocks(v)],
        "cidr-block-association.cidr-block": lambda v: [b["CidrBlock"] for b in blocks(v)],
        "cidr-block-association.state": lambda v: [b["CidrBlockState"]["State"] for b in blocks(v)],
    }
    vpcs = select(call, request, r.Vpc, "vpc", "VpcIds", filters)
    tags = tag_sets(call, [v.id for v in vpcs])
    return paginate(request, [_shape(v, blocks, tags) for v in vpcs], "Vpcs", "VpcIds")


@operation("DeleteVpc")
def delete_vpc(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    tx = call.tx
    main = {a.route_table_id for a in tx.all(r.RouteTableAssociation, vpc_id=vpc.id, main=True)}
    attachments = tx.all(r.VpnGatewayAttachment, vpc_id=vpc.id)
    dependants = [i.id for i in tx.all(r.NetworkInterface, vpc_id=vpc.id)]
    dependants += [s.id for s in tx.all(r.Subnet, vpc_id=vpc.id)]
    dependants += [t.id for t in tx.all(r.RouteTable, vpc_id=vpc.id) if t.id not in main]
    dependants += [g.id for g in tx.all(r.InternetGateway, vpc_id=vpc.id)]
    dependants += [a.id for a in attachments if a.state != DETACHED]
    if dependants:
        raise errors.has_dependencies("vpc", vpc.id, dependants)
    vpc_defaults.delete(call, vpc)
    tx.delete(r.RouteTableAssociation, *(a.id for a in tx.all(r.RouteTableAssociation, vpc_id=vpc.id)))
    for table in tx.all(r.RouteTable, vpc_id=vpc.id):
        remove_route_table(call, table)
    tx.delete(r.VpnGatewayAttachment, *(a.id for a in attachments))
    tx.delete(r.VpcCidrBlock, *(b.id for b in tx.all(r.VpcCidrBlock, vpc_id=vpc.id)))
    tx.delete(r.Vpc, vpc.id)
    delete_tags_of(call, vpc.id)
    return {}


def vpc_shape(call: Call, vpc: r.Vpc) -> dict[str, Any]:
    """`Vpc` as it is shown."""
    return _shape(vpc, vpc_cidrs.associations(call), tag_sets(call, [vpc.id]))


def _shape(
    vpc: r.Vpc,
    blocks: Callable[[r.Vpc], list[dict[str, Any]]],
    tags: Mapping[str, list[dict[str, str]]],
) -> dict[str, Any]:
    return {
        "VpcId": vpc.id,
        "OwnerId": vpc.account_id,
        "State": vpc.state,
        "CidrBlock": vpc.cidr_block,
        "DhcpOptionsId": vpc.dhcp_options_id,
        "InstanceTenancy": vpc.instance_tenancy,
        "IsDefault": vpc.is_default,
        "BlockPublicAccessStates": PUBLIC_ACCESS,
        "Ipv6CidrBlockAssociationSet": [],
        "CidrBlockAssociationSet": blocks(vpc),
        "Tags": tags[vpc.id],
    }
