"""VPCs: a CIDR block, its main route table, and the attributes that clients ask for.

A VPC comes with a main route table, which has the local route only.

References: EC2 API reference, CreateVpc, DescribeVpcs, DeleteVpc, ModifyVpcAttribute, DescribeVpcAttribute; Amazon VPC
User Guide, "VPC CIDR blocks" (/16 to /28).
"""

from __future__ import annotations

from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import cidr, delete_tags_of, lookup, paginate, select, tag_on_create, tag_sets
from twinbore.api.ops.route_tables import new_route_table
from twinbore.model import resources as r
from twinbore.model.states import DETACHED, PENDING

LONGEST: Final = 28
SHORTEST: Final = 16
DHCP_OPTIONS: Final = "default"
UNSUPPORTED_MEMBERS: Final = (
    "AmazonProvidedIpv6CidrBlock",
    "Ipv6CidrBlock",
    "Ipv6Pool",
    "Ipv4IpamPoolId",
    "Ipv6IpamPoolId",
    "Ipv4NetmaskLength",
    "Ipv6NetmaskLength",
    "Ipv6CidrBlockNetworkBorderGroup",
    "VpcEncryptionControl",
)


@operation("CreateVpc")
def create_vpc(call: Call, request: Request) -> Response:
    for name in UNSUPPORTED_MEMBERS:
        if request.get(name):
            raise errors.unsupported(f"{name}: a VPC has one IPv4 block here, given as CidrBlock.")
    if request.get("CidrBlock") is None:
        raise errors.missing_parameter("CidrBlock")
    tenancy = request.get("InstanceTenancy", "default")
    if tenancy not in ("default", "dedicated"):
        raise errors.invalid_value("InstanceTenancy", tenancy, "default, dedicated")
    network = cidr("CidrBlock", request["CidrBlock"])
    if not SHORTEST <= network.prefixlen <= LONGEST:
        raise ApiError(
            "InvalidVpc.Range", f"The CIDR '{network}' is invalid: a VPC takes a /{SHORTEST} to a /{LONGEST}."
        )
    limit = call.settings.quotas.vpcs
    if len(call.tx.all(r.Vpc, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("VpcLimitExceeded", "VPCs", limit)
    vpc = r.Vpc(call.new_id("vpc"), call.account_id, str(network), PENDING, call.now, tenancy)
    call.tx.insert(vpc)
    tag_on_create(call, request, "vpc", vpc.id)
    main = new_route_table(call, vpc.id)
    call.tx.insert(
        r.RouteTableAssociation(
            call.new_id("route-table-association"), call.account_id, main.id, vpc.id, None, True, call.now
        )
    )
    return {"Vpc": _shape(vpc, tag_sets(call, [vpc.id]))}


@operation("DescribeVpcs")
def describe_vpcs(call: Call, request: Request) -> Response:
    filters: dict[str, Any] = {
        "cidr": lambda v: v.cidr_block,
        "cidr-block-association.cidr-block": lambda v: v.cidr_block,
        "cidr-block-association.association-id": _association_id,
        "cidr-block-association.state": lambda _: "associated",
        "dhcp-options-id": lambda _: DHCP_OPTIONS,
        "is-default": lambda _: False,
        "isDefault": lambda _: False,
        "owner-id": lambda v: v.account_id,
        "state": lambda v: v.state,
        "vpc-id": lambda v: v.id,
    }
    vpcs = select(call, request, r.Vpc, "vpc", "VpcIds", filters)
    tags = tag_sets(call, [v.id for v in vpcs])
    return paginate(request, [_shape(v, tags) for v in vpcs], "Vpcs")


@operation("DeleteVpc")
def delete_vpc(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    associations = call.tx.all(r.RouteTableAssociation, vpc_id=vpc.id, main=True)
    main = {a.route_table_id for a in associations}
    users = [s.id for s in call.tx.all(r.Subnet, vpc_id=vpc.id)]
    users += [g.id for g in call.tx.all(r.InternetGateway, vpc_id=vpc.id)]
    users += [t.id for t in call.tx.all(r.RouteTable, vpc_id=vpc.id) if t.id not in main]
    attachments = call.tx.all(r.VpnGatewayAttachment, vpc_id=vpc.id)
    users += [a.id for a in attachments if a.state != DETACHED]
    if users:
        raise errors.dependency_violation(
            f"The vpc '{vpc.id}' has dependencies and cannot be deleted: {', '.join(users)}."
        )
    call.tx.delete(r.VpnGatewayAttachment, *(a.id for a in attachments))
    call.tx.delete(r.RouteTableAssociation, *(a.id for a in associations))
    for table in main:
        call.tx.delete(r.StaticRoute, *(x.id for x in call.tx.all(r.StaticRoute, route_table_id=table)))
        call.tx.delete(r.Propagation, *(x.id for x in call.tx.all(r.Propagation, route_table_id=table)))
        delete_tags_of(call, table)
        call.tx.delete(r.RouteTable, table)
    delete_tags_of(call, vpc.id)
    call.tx.delete(r.Vpc, vpc.id)
    return {}


@operation("ModifyVpcAttribute")
def modify_vpc_attribute(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    known = {"EnableDnsSupport": "enable_dns_support", "EnableDnsHostnames": "enable_dns_hostnames"}
    given = [name for name in request if name != "VpcId"]
    if len(given) != 1:
        raise errors.combination(f"Exactly one attribute must be given: {', '.join(known)}.")
    if given[0] not in known:
        raise errors.unsupported(f"The attribute {given[0]} is not supported: {', '.join(known)}.")
    value = bool(request[given[0]].get("Value", False))
    call.tx.update(vpc, **{known[given[0]]: value})
    return {}


@operation("DescribeVpcAttribute")
def describe_vpc_attribute(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    values = {
        "enableDnsSupport": ("EnableDnsSupport", vpc.enable_dns_support),
        "enableDnsHostnames": ("EnableDnsHostnames", vpc.enable_dns_hostnames),
        "enableNetworkAddressUsageMetrics": ("EnableNetworkAddressUsageMetrics", False),
    }
    if request["Attribute"] not in values:
        raise errors.invalid_value("Attribute", request["Attribute"], ", ".join(values))
    member, value = values[request["Attribute"]]
    return {"VpcId": vpc.id, member: {"Value": value}}


def _association_id(vpc: r.Vpc) -> str:
    return "vpc-cidr-assoc-" + vpc.id.removeprefix("vpc-")


def _shape(vpc: r.Vpc, tags: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    return {
        "VpcId": vpc.id,
        "OwnerId": vpc.account_id,
        "CidrBlock": vpc.cidr_block,
        "State": vpc.state,
        "DhcpOptionsId": DHCP_OPTIONS,
        "InstanceTenancy": vpc.instance_tenancy,
        "IsDefault": False,
        "CidrBlockAssociationSet": [
            {
                "AssociationId": _association_id(vpc),
                "CidrBlock": vpc.cidr_block,
                "CidrBlockState": {"State": "associated"},
            }
        ],
        "Ipv6CidrBlockAssociationSet": [],
        "Tags": tags[vpc.id],
    }
