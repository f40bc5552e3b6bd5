"""VPCs: an IPv4 network of one's own, with a main route table from the start.

* A block is a /16 to a /28 of unicast addresses; host bits are refused (AWS would silently clear them). Two VPCs may
  have the same block: each is a network namespace.
* The main route table comes and goes with its VPC; so do the records of gateways that are detached.

References: EC2 API reference, CreateVpc, DeleteVpc, ModifyVpcAttribute; Amazon VPC User Guide, "VPC CIDR blocks",
"Delete your VPC"; RFC 6890 (special-purpose addresses).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpc_defaults
from twinbore.api.ops.common import (
    absent,
    cidr,
    delete_tags_of,
    lookup,
    paginate,
    refuse_others,
    select,
    tag_on_create,
    tag_sets,
)
from twinbore.api.ops.route_tables import new_main_route_table, remove_route_table
from twinbore.model import resources as r
from twinbore.model.states import DETACHED, PENDING

LARGEST_BLOCK: Final = 16
SMALLEST_BLOCK: Final = 28
UNUSABLE: Final = tuple(IPv4Network(n) for n in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
TENANCIES: Final = ("default", "dedicated", "host")
DEFAULT_DHCP_OPTIONS: Final = "default"
"""What AWS shows for a VPC without DHCP options."""


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
    network = cidr("CidrBlock", request["CidrBlock"])
    if not LARGEST_BLOCK <= network.prefixlen <= SMALLEST_BLOCK or any(network.overlaps(n) for n in UNUSABLE):
        raise errors.ApiError(
            "InvalidVpc.Range",
            f"The CIDR '{network}' is invalid. CidrBlock must be a /{LARGEST_BLOCK} to a /{SMALLEST_BLOCK} outside "
            + ", ".join(str(n) for n in UNUSABLE)
            + ".",
        )
    limit = call.settings.quotas.vpcs
    if len(call.tx.all(r.Vpc, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("VpcLimitExceeded", "VPCs", limit)
    vpc = r.Vpc(call.new_id("vpc"), call.account_id, str(network), PENDING, call.now, tenancy)
    call.tx.insert(vpc)
    new_main_route_table(call, vpc.id)
    vpc_defaults.create(call, vpc)
    tag_on_create(call, request, "vpc", vpc.id)
    return {"Vpc": _shape(vpc, tag_sets(call, [vpc.id]))}


def _association_id(vpc: r.Vpc) -> str:
    """The id of the association with the VPC's only block, made of the VPC's id."""
    return "vpc-cidr-assoc-" + vpc.id.removeprefix("vpc-")


_FILTERS: Final[Mapping[str, Callable[[r.Vpc], object]]] = {
    "cidr": lambda v: v.cidr_block,
    "cidr-block-association.association-id": _association_id,
    "cidr-block-association.cidr-block": lambda v: v.cidr_block,
    "cidr-block-association.state": lambda _: "associated",
    "dhcp-options-id": lambda _: DEFAULT_DHCP_OPTIONS,
    "is-default": lambda _: False,
    "isDefault": lambda _: False,
    "owner-id": lambda v: v.account_id,
    "state": lambda v: v.state,
    "vpc-id": lambda v: v.id,
} | absent(*(f"ipv6-cidr-block-association.{n}" for n in ("ipv6-cidr-block", "ipv6-pool", "association-id", "state")))


@operation("DescribeVpcs")
def describe_vpcs(call: Call, request: Request) -> Response:
    vpcs = select(call, request, r.Vpc, "vpc", "VpcIds", _FILTERS)
    tags = tag_sets(call, [v.id for v in vpcs])
    return paginate(request, [_shape(v, tags) for v in vpcs], "Vpcs", "VpcIds")


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
    tx.delete(r.Vpc, vpc.id)
    delete_tags_of(call, vpc.id)
    return {}


@operation("ModifyVpcAttribute")
def modify_vpc_attribute(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    given = {name: request[name]["Value"] for name in request if name != "VpcId"}
    if len(given) != 1:
        raise errors.combination(
            f"Fields for exactly one attribute are needed; given: {', '.join(sorted(given)) or 'none'}. "
            "Allowed: EnableDnsSupport, EnableDnsHostnames."
        )
    (name, value), *_ = given.items()
    if name == "EnableDnsSupport":
        call.tx.update(vpc, enable_dns_support=value)
    elif name == "EnableDnsHostnames":
        call.tx.update(vpc, enable_dns_hostnames=value)
    elif value:
        raise errors.unsupported(f"{name} is not supported by Twinbore: it can only be false.")
    return {}


@operation("DescribeVpcAttribute")
def describe_vpc_attribute(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    attributes = {
        "enableDnsSupport": ("EnableDnsSupport", vpc.enable_dns_support),
        "enableDnsHostnames": ("EnableDnsHostnames", vpc.enable_dns_hostnames),
        "enableNetworkAddressUsageMetrics": ("EnableNetworkAddressUsageMetrics", False),
    }
    if request["Attribute"] not in attributes:
        raise errors.invalid_value("Attribute", request["Attribute"], "one of " + ", ".join(attributes))
    name, value = attributes[request["Attribute"]]
    return {"VpcId": vpc.id, name: {"Value": value}}


def _shape(vpc: r.Vpc, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    association = {
        "AssociationId": _association_id(vpc),
        "CidrBlock": vpc.cidr_block,
        "CidrBlockState": {"State": "associated"},
    }
    return {
        "VpcId": vpc.id,
        "OwnerId": vpc.account_id,
        "State": vpc.state,
        "CidrBlock": vpc.cidr_block,
        "DhcpOptionsId": DEFAULT_DHCP_OPTIONS,
        "InstanceTenancy": vpc.instance_tenancy,
        "IsDefault": False,
        "Ipv6CidrBlockAssociationSet": [],
        "CidrBlockAssociationSet": [association],
        "Tags": tags[vpc.id],
    }
