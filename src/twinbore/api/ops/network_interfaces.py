"""Network interfaces (ENIs): an address of a subnet, which `twinbore plug` gives to a workload.

References: EC2 API reference, CreateNetworkInterface, DescribeNetworkInterfaces, DeleteNetworkInterface,
ModifyNetworkInterfaceAttribute; Amazon VPC User Guide, "Subnet sizing" (the first four addresses and the last one of a
subnet are reserved).
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import delete_tags_of, lookup, paginate, select, tag_on_create, tag_sets
from twinbore.model import resources as r
from twinbore.model.states import AVAILABLE, IN_USE

RESERVED_FIRST: Final = 4
SUPPORTED_MEMBERS: Final = ("SubnetId", "Description", "PrivateIpAddress", "TagSpecifications", "ClientToken")
MAX_DESCRIPTION: Final = 255


@operation("CreateNetworkInterface")
def create_network_interface(call: Call, request: Request) -> Response:
    for name, value in request.items():
        if name not in SUPPORTED_MEMBERS and value:
            raise errors.unsupported(f"{name} is not supported for network interfaces here; leave it out.")
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    description = request.get("Description", "")
    if len(description) > MAX_DESCRIPTION:
        raise errors.invalid_value("description", description, f"at most {MAX_DESCRIPTION} characters")
    limit = call.settings.quotas.network_interfaces
    if len(call.tx.all(r.NetworkInterface, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("NetworkInterfaceLimitExceeded", "network interfaces", limit)
    number = call.tx.next_number("network_interface")
    interface = r.NetworkInterface(
        id=call.new_id("network-interface"),
        account_id=call.account_id,
        vpc_id=subnet.vpc_id,
        subnet_id=subnet.id,
        availability_zone=subnet.availability_zone,
        private_ip_address=_address(call, subnet, request.get("PrivateIpAddress")),
        mac_address=_mac(number),
        description=description,
        source_dest_check=True,
        created_at=call.now,
    )
    call.tx.insert(interface)
    tag_on_create(call, request, "network-interface", interface.id)
    return {"NetworkInterface": _shape(interface, set(), tag_sets(call, [interface.id]))}


@operation("DescribeNetworkInterfaces")
def describe_network_interfaces(call: Call, request: Request) -> Response:
    plugged = {p.id for p in call.tx.all(r.Port, account_id=call.account_id)}
    filters: dict[str, Any] = {
        "addresses.private-ip-address": lambda i: i.private_ip_address,
        "availability-zone": lambda i: i.availability_zone,
        "description": lambda i: i.description,
        "interface-type": lambda _: "interface",
        "mac-address": lambda i: i.mac_address,
        "network-interface-id": lambda i: i.id,
        "owner-id": lambda i: i.account_id,
        "private-ip-address": lambda i: i.private_ip_address,
        "source-dest-check": lambda i: i.source_dest_check,
        "status": lambda i: _status(i, plugged),
        "subnet-id": lambda i: i.subnet_id,
        "vpc-id": lambda i: i.vpc_id,
    }
    interfaces = select(call, request, r.NetworkInterface, "network-interface", "NetworkInterfaceIds", filters)
    tags = tag_sets(call, [i.id for i in interfaces])
    return paginate(request, [_shape(i, plugged, tags) for i in interfaces], "NetworkInterfaces")


@operation("DeleteNetworkInterface")
def delete_network_interface(call: Call, request: Request) -> Response:
    interface = lookup(call, r.NetworkInterface, "network-interface", request["NetworkInterfaceId"])
    port = call.tx.get(r.Port, interface.id)
    if port is not None:
        raise ApiError(
            "InvalidNetworkInterface.InUse",
            f"The network interface '{interface.id}' is currently in use: it is plugged into {port.target}; "
            f"twinbore unplug {interface.id}",
        )
    delete_tags_of(call, interface.id)
    call.tx.delete(r.NetworkInterface, interface.id)
    return {}


@operation("ModifyNetworkInterfaceAttribute")
def modify_network_interface_attribute(call: Call, request: Request) -> Response:
    interface = lookup(call, r.NetworkInterface, "network-interface", request["NetworkInterfaceId"])
    given = [name for name in request if name != "NetworkInterfaceId"]
    if given == ["SourceDestCheck"]:
        call.tx.update(interface, source_dest_check=bool(request["SourceDestCheck"].get("Value", True)))
    elif given == ["Description"]:
        call.tx.update(interface, description=str(request["Description"].get("Value", ""))[:MAX_DESCRIPTION])
    else:
        raise errors.combination("Exactly one attribute must be given: SourceDestCheck or Description.")
    return {}


def _address(call: Call, subnet: r.Subnet, given: str | None) -> str:
    network = IPv4Network(subnet.cidr_block)
    first, last = int(network.network_address) + RESERVED_FIRST, int(network.broadcast_address) - 1
    used = {i.private_ip_address for i in call.tx.all(r.NetworkInterface, subnet_id=subnet.id)}
    if given is None:
        for number in range(first, last + 1):
            if str(IPv4Address(number)) not in used:
                return str(IPv4Address(number))
        raise ApiError(
            "InsufficientFreeAddressesInSubnet",
            f"The specified subnet {subnet.id} ({subnet.cidr_block}) does not have enough free addresses.",
        )
    try:
        address = IPv4Address(given)
    except AddressValueError:
        raise errors.invalid_value("privateIpAddress", given, f"an IPv4 address of {subnet.cidr_block}") from None
    if not first <= int(address) <= last:
        raise errors.invalid_value(
            "privateIpAddress",
            given,
            f"{IPv4Address(first)} to {IPv4Address(last)}: the others of the subnet are reserved",
        )
    if str(address) in used:
        raise ApiError("InvalidIPAddress.InUse", f"Address {given} is in use.")
    return str(address)


def _mac(number: int) -> str:
    """A locally administered unicast address (IEEE 802, second bit of the first octet)."""
    octets = (0x02, 0x54, *number.to_bytes(4, "big"))
    return ":".join(f"{octet:02x}" for octet in octets)


def _status(interface: r.NetworkInterface, plugged: set[str]) -> str:
    return IN_USE if interface.id in plugged else AVAILABLE


def _shape(interface: r.NetworkInterface, plugged: set[str], tags: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": interface.id,
        "VpcId": interface.vpc_id,
        "SubnetId": interface.subnet_id,
        "OwnerId": interface.account_id,
        "RequesterManaged": False,
        "AvailabilityZone": interface.availability_zone,
        "Description": interface.description,
        "InterfaceType": "interface",
        "MacAddress": interface.mac_address,
        "PrivateIpAddress": interface.private_ip_address,
        "SourceDestCheck": interface.source_dest_check,
        "Status": _status(interface, plugged),
        "Groups": [],
        "Ipv6Addresses": [],
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": interface.private_ip_address}],
        "TagSet": tags[interface.id],
    }
