"""Subnets: parts of a VPC's blocks, each in one availability zone.

* A block is a /16 to a /28 inside one of the VPC's that overlaps no other subnet; its host bits are cleared. Five
  addresses of each belong to AWS's reservations: the network address, the router, two for services, and the last one.
* A subnet without an association of its own uses the VPC's main route table.
* What attributes say of instances at launch is kept and shown; nothing is launched here, so nothing follows from it.

References: EC2 API reference, CreateSubnet, DeleteSubnet, ModifySubnetAttribute; Amazon VPC User Guide, "Subnet sizing
for IPv4".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpc_defaults
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
from twinbore.api.ops.vpc_cidrs import blocks_of
from twinbore.api.ops.zones import zone_ids, zone_of_request
from twinbore.model import resources as r
from twinbore.model.states import PENDING
from twinbore.model.vpc_blocks import LARGEST_BLOCK, SMALLEST_BLOCK, block_of, sized

RESERVED_ADDRESSES: Final = 5
HOSTNAME_TYPE: Final = "ip-name"
HOSTNAME_TYPES: Final = (HOSTNAME_TYPE, "resource-name")
PUBLIC_ACCESS: Final = {"InternetGatewayBlockMode": "off"}
"""Nothing blocks what an internet gateway would carry (`BlockPublicAccessStates`)."""


@operation("CreateSubnet")
def create_subnet(call: Call, request: Request) -> Response:
    refuse_others(request, "VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId", "TagSpecifications")
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    if request.get("CidrBlock") is None:
        raise errors.missing_parameter("CidrBlock")
    network = canonical_cidr("CidrBlock", request["CidrBlock"])
    zone = zone_of_request(call.settings, request)
    blocks = blocks_of(call, vpc)
    if not sized(network) or block_of(network, blocks) is None:
        raise errors.ApiError(
            "InvalidSubnet.Range",
            f"The CIDR '{network}' is invalid. CidrBlock must be a /{LARGEST_BLOCK} to a /{SMALLEST_BLOCK} inside "
            f"a block of {vpc.id}: {', '.join(blocks)}.",
        )
    subnet = new_subnet(call, vpc, network, zone)
    tag_on_create(call, request, "subnet", subnet.id)
    return {"Subnet": subnet_shape(call, subnet, 0, tag_sets(call, [subnet.id]))}


def new_subnet(
    call: Call,
    vpc: r.Vpc,
    network: IPv4Network,
    zone: str,
    *,
    map_public_ip_on_launch: bool = False,
    default_for_az: bool = False,
) -> r.Subnet:
    """Store a subnet. Raises InvalidSubnet.Conflict and SubnetLimitExceeded."""
    others = call.tx.all(r.Subnet, vpc_id=vpc.id)
    for other in others:
        if network.overlaps(IPv4Network(other.cidr_block)):
            raise errors.ApiError(
                "InvalidSubnet.Conflict",
                f"The CIDR '{network}' conflicts with another subnet: {other.id} has {other.cidr_block}.",
            )
    limit = call.settings.quotas.subnets_per_vpc
    if len(others) >= limit:
        raise errors.limit_exceeded("SubnetLimitExceeded", f"subnets of {vpc.id}", limit)
    subnet = r.Subnet(
        id=call.new_id("subnet"),
        account_id=call.account_id,
        vpc_id=vpc.id,
        cidr_block=str(network),
        availability_zone=zone,
        state=PENDING,
        created_at=call.now,
        map_public_ip_on_launch=map_public_ip_on_launch,
        default_for_az=default_for_az,
    )
    call.tx.insert(subnet)
    return subnet


@operation("DescribeSubnets")
def describe_subnets(call: Call, request: Request) -> Response:
    used: Counter[str] = Counter()
    for interface in call.tx.all(r.NetworkInterface, account_id=call.account_id):
        used[interface.subnet_id] += 1 + len(interface.secondary_addresses)
    ids = zone_ids(call.settings)
    filters: dict[str, Any] = {
        "available-ip-address-count": lambda s: _available(s, used[s.id]),
        "enable-dns64": lambda _: False,
        "ipv6-native": lambda _: False,
        "map-customer-owned-ip-on-launch": lambda _: False,
        "map-public-ip-on-launch": lambda s: s.map_public_ip_on_launch,
        "owner-id": lambda s: s.account_id,
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record": lambda _: False,
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": lambda _: False,
        "private-dns-name-options-on-launch.hostname-type": lambda _: HOSTNAME_TYPE,
        "state": lambda s: s.state,
        "subnet-arn": lambda s: _arn(call, s),
        "subnet-id": lambda s: s.id,
        "vpc-id": lambda s: s.vpc_id,
    }
    filters |= dict.fromkeys(("availability-zone", "availabilityZone"), lambda s: s.availability_zone)
    filters |= dict.fromkeys(("availability-zone-id", "availabilityZoneId"), lambda s: ids.get(s.availability_zone))
    filters |= dict.fromkeys(("cidr-block", "cidr", "cidrBlock"), lambda s: s.cidr_block)
    filters |= dict.fromkeys(("default-for-az", "defaultForAz"), lambda s: s.default_for_az)
    filters |= absent("customer-owned-ipv4-pool", "enable-lni-at-device-index", "outpost-arn")
    filters |= absent(*(f"ipv6-cidr-block-association.{n}" for n in ("ipv6-cidr-block", "association-id", "state")))
    subnets = select(call, request, r.Subnet, "subnet", "SubnetIds", filters)
    tags = tag_sets(call, [s.id for s in subnets])
    return paginate(request, [subnet_shape(call, s, used[s.id], tags) for s in subnets], "Subnets", "SubnetIds")


@operation("DeleteSubnet")
def delete_subnet(call: Call, request: Request) -> Response:
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    interfaces = [i.id for i in call.tx.all(r.NetworkInterface, subnet_id=subnet.id)]
    if interfaces:
        raise errors.has_dependencies("subnet", subnet.id, interfaces)
    associations = call.tx.all(r.RouteTableAssociation, subnet_id=subnet.id)
    call.tx.delete(r.RouteTableAssociation, *(a.id for a in associations))
    vpc_defaults.delete_of_subnet(call, subnet)
    call.tx.delete(r.Subnet, subnet.id)
    delete_tags_of(call, subnet.id)
    return {}


@operation("ModifySubnetAttribute")
def modify_subnet_attribute(call: Call, request: Request) -> Response:
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    values = {name: request[name] for name in request if name != "SubnetId"}
    values = {name: given.get("Value", False) if isinstance(given, dict) else given for name, given in values.items()}
    if len(values) != 1:
        raise errors.combination(
            f"Exactly one attribute may be modified at a time; given: {', '.join(sorted(values)) or 'none'}."
        )
    (name, value), *_ = values.items()
    if name == "MapPublicIpOnLaunch":
        call.tx.update(subnet, map_public_ip_on_launch=value)
    elif name == "PrivateDnsHostnameTypeOnLaunch":
        if value not in HOSTNAME_TYPES:
            raise errors.invalid_value(name, value, "one of " + ", ".join(HOSTNAME_TYPES))
        if value != HOSTNAME_TYPE:
            raise errors.unsupported(f"{name} {value}: there are no instances here. It can only be {HOSTNAME_TYPE}.")
    elif value:
        raise errors.unsupported(f"{name} is not supported by Twinbore: it can only be false, or left out.")
    return {}


def _available(subnet: r.Subnet, used: int) -> int:
    return IPv4Network(subnet.cidr_block).num_addresses - RESERVED_ADDRESSES - used


def _arn(call: Call, subnet: r.Subnet) -> str:
    return f"arn:aws:ec2:{call.settings.region}:{subnet.account_id}:subnet/{subnet.id}"


def subnet_shape(call: Call, subnet: r.Subnet, used: int, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    """`Subnet` as it is shown; `used` is the number of addresses that network interfaces have in the subnet."""
    return {
        "SubnetId": subnet.id,
        "SubnetArn": _arn(call, subnet),
        "OwnerId": subnet.account_id,
        "VpcId": subnet.vpc_id,
        "State": subnet.state,
        "CidrBlock": subnet.cidr_block,
        "AvailableIpAddressCount": _available(subnet, used),
        "AvailabilityZone": subnet.availability_zone,
        "AvailabilityZoneId": zone_ids(call.settings).get(subnet.availability_zone),
        "DefaultForAz": subnet.default_for_az,
        "MapPublicIpOnLaunch": subnet.map_public_ip_on_launch,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "EnableDns64": False,
        "Ipv6Native": False,
        "BlockPublicAccessStates": PUBLIC_ACCESS,
        "Ipv6CidrBlockAssociationSet": [],
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": HOSTNAME_TYPE,
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "Tags": tags[subnet.id],
    }
