"""The default VPC and its subnets: made at a request only, with the parts that AWS gives them.

172.31.0.0/16, in each zone a /20 that is the zone's default subnet, an attached internet gateway, and a default route
to it in the main route table. What it is made of can be deleted like anything else, and then made again.

References: EC2 API reference, CreateDefaultVpc, CreateDefaultSubnet; Amazon VPC User Guide, "Default VPCs".
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import refuse_others, tag_sets
from twinbore.api.ops.internet_gateways import new_internet_gateway
from twinbore.api.ops.routes import new_static_route
from twinbore.api.ops.subnets import new_subnet, subnet_shape
from twinbore.api.ops.vpcs import new_vpc, vpc_shape
from twinbore.api.ops.zones import zone_ids, zone_of_request
from twinbore.model import resources as r
from twinbore.model.vpc_blocks import DEFAULT_VPC_RANGE, overlapping

SUBNET_LENGTH: Final = 20


@operation("CreateDefaultVpc")
def create_default_vpc(call: Call, _request: Request) -> Response:
    present = default_vpc(call)
    if present is not None:
        raise ApiError(
            "DefaultVpcAlreadyExists",
            f"A Default VPC already exists for this account in this region: {present.id}.",
        )
    vpc = new_vpc(call, DEFAULT_VPC_RANGE, enable_dns_hostnames=True, is_default=True)
    gateway = new_internet_gateway(call, vpc.id)
    (main,) = call.tx.all(r.RouteTableAssociation, vpc_id=vpc.id, main=True)
    new_static_route(call, main.route_table_id, "0.0.0.0/0", gateway_id=gateway.id)
    for zone in zone_ids(call.settings):
        _new_default_subnet(call, vpc, zone)
    return {"Vpc": vpc_shape(call, vpc)}


@operation("CreateDefaultSubnet")
def create_default_subnet(call: Call, request: Request) -> Response:
    refuse_others(request, "AvailabilityZone", "AvailabilityZoneId")
    if request.get("AvailabilityZone") is None and request.get("AvailabilityZoneId") is None:
        raise errors.missing_parameter("AvailabilityZone or AvailabilityZoneId")
    zone = zone_of_request(call.settings, request)
    vpc = default_vpc(call)
    if vpc is None:
        raise ApiError("DefaultVpcDoesNotExist", "No default VPC for this account: make it with CreateDefaultVpc.")
    for subnet in call.tx.all(r.Subnet, vpc_id=vpc.id, availability_zone=zone, default_for_az=True):
        raise ApiError(
            "DefaultSubnetAlreadyExistsInAvailabilityZone",
            f"'{subnet.id}' is already the default subnet in {zone}.",
        )
    subnet = _new_default_subnet(call, vpc, zone)
    return {"Subnet": subnet_shape(call, subnet, 0, tag_sets(call, [subnet.id]))}


def default_vpc(call: Call) -> r.Vpc | None:
    """The account's default VPC."""
    return next(iter(call.tx.all(r.Vpc, account_id=call.account_id, is_default=True)), None)


def _new_default_subnet(call: Call, vpc: r.Vpc, zone: str) -> r.Subnet:
    taken = [s.cidr_block for s in call.tx.all(r.Subnet, vpc_id=vpc.id)]
    for network in IPv4Network(vpc.cidr_block).subnets(new_prefix=SUBNET_LENGTH):
        if overlapping(network, taken) is None:
            return new_subnet(call, vpc, network, zone, map_public_ip_on_launch=True, default_for_az=True)
    raise ApiError("InsufficientFreeAddressesInVpc", f"{vpc.id} has no free /{SUBNET_LENGTH} left in {vpc.cidr_block}.")
