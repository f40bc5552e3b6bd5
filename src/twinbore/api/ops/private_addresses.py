"""Private addresses of network interfaces: given or the lowest free ones, a primary one and secondary ones.

The first four and the last address of a subnet are reserved. An address belongs to one network interface. The primary
one is the interface's for life; secondary ones come and go, and may be taken over from another interface of the subnet
when the request allows it, which is how two hosts share one. A workload is set up with its primary address, and has to
add the secondary ones itself, as an instance has to.

References: EC2 API reference, AssignPrivateIpAddresses, UnassignPrivateIpAddresses, CreateNetworkInterface,
`PrivateIpAddressSpecification`; Amazon VPC User Guide, "Subnet sizing for IPv4".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import lookup, refuse_others
from twinbore.model import resources as r

FIRST_FREE: Final = 4
"""Addresses of a subnet before this one are reserved; so is the last."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a CreateNetworkInterface request says: `primary` may be None for any; `count` more secondary ones, any."""

    primary: str | None
    secondary: tuple[str, ...]
    count: int


def addresses_of(interface: r.NetworkInterface) -> tuple[str, ...]:
    """All addresses, the primary one first."""
    return (interface.private_ip_address, *interface.secondary_addresses)


def wanted_addresses(request: Request) -> Wanted:
    """The addresses that a request asks for, in any of the ways that there are."""
    simple: str | None = request.get("PrivateIpAddress")
    listed: list[Mapping[str, Any]] = request.get("PrivateIpAddresses") or []
    count: int = request.get("SecondaryPrivateIpAddressCount") or 0
    if count < 0:
        raise errors.invalid_value("SecondaryPrivateIpAddressCount", count, "0 or more")
    if count and len(listed) > 1:
        raise errors.combination(
            "The parameter SecondaryPrivateIpAddressCount cannot be used with more than one of PrivateIpAddresses."
        )
    addresses: list[str] = []
    marked: list[str] = []
    for number, item in enumerate(listed, 1):
        address: str | None = item.get("PrivateIpAddress")
        if address is None:
            raise errors.missing_parameter(f"PrivateIpAddresses.{number}.PrivateIpAddress")
        addresses.append(address)
        marked += [address] if item.get("Primary") else []
    if len(marked) + (simple is not None) > 1 or simple in addresses:
        raise errors.combination("Only one address can be primary: PrivateIpAddress, or one of PrivateIpAddresses.")
    primary = simple or next(iter(marked), None)
    if primary is None and listed and "Primary" not in listed[0]:
        primary = addresses[0]
    if simple is None and primary is not None:
        addresses.remove(primary)
    return Wanted(primary, tuple(addresses), count)


def choose(call: Call, subnet: r.Subnet, wanted: Wanted) -> list[str]:
    """The addresses of a new network interface, the primary one first."""
    taken = _taken(call, subnet.id)
    chosen = [] if wanted.primary is None else [_given(subnet, wanted.primary, taken)]
    secondary = [_given(subnet, address, taken) for address in wanted.secondary]
    if not chosen:
        chosen = _free(subnet, 1, taken)
    chosen += [*secondary, *_free(subnet, wanted.count, taken)]
    _check_count(call, chosen)
    return chosen


@operation("AssignPrivateIpAddresses")
def assign_private_ip_addresses(call: Call, request: Request) -> Response:
    refuse_others(
        request,
        *("NetworkInterfaceId", "PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "AllowReassignment"),
    )
    interface = _lookup(call, request)
    subnet = lookup(call, r.Subnet, "subnet", interface.subnet_id)
    given: list[str] = request.get("PrivateIpAddresses") or []
    count: int = request.get("SecondaryPrivateIpAddressCount") or 0
    if bool(given) == bool(count):
        raise errors.combination(
            "Exactly one of PrivateIpAddresses and SecondaryPrivateIpAddressCount must be given (a count of 1 or more)."
        )
    if count < 0:
        raise errors.invalid_value("SecondaryPrivateIpAddressCount", count, "1 or more")
    if request.get("AllowReassignment"):
        given = [address for address in given if address not in interface.secondary_addresses]
        _take_over(call, interface, given)
    taken = _taken(call, subnet.id)
    new = [_given(subnet, address, taken) for address in given] + _free(subnet, count, taken)
    _check_count(call, [*addresses_of(interface), *new])
    call.tx.update(interface, secondary_addresses=(*interface.secondary_addresses, *new))
    return {
        "NetworkInterfaceId": interface.id,
        "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address in new],
        "AssignedIpv4Prefixes": [],
    }


@operation("UnassignPrivateIpAddresses")
def unassign_private_ip_addresses(call: Call, request: Request) -> Response:
    refuse_others(request, "NetworkInterfaceId", "PrivateIpAddresses")
    interface = _lookup(call, request)
    given: list[str] = request.get("PrivateIpAddresses") or []
    if not given:
        raise errors.missing_parameter("PrivateIpAddress")
    for address in given:
        if address not in interface.secondary_addresses:
            allowed = f"the secondary addresses of {interface.id}: {', '.join(interface.secondary_addresses) or 'none'}"
            raise errors.invalid_value("PrivateIpAddress", address, allowed)
    left = tuple(address for address in interface.secondary_addresses if address not in given)
    call.tx.update(interface, secondary_addresses=left)
    return {}


def _lookup(call: Call, request: Request) -> r.NetworkInterface:
    return lookup(call, r.NetworkInterface, "network-interface", request["NetworkInterfaceId"])


def _take_over(call: Call, interface: r.NetworkInterface, given: Iterable[str]) -> None:
    """Take secondary addresses from the other network interfaces of the subnet."""
    wanted = set(given)
    for other in call.tx.all(r.NetworkInterface, subnet_id=interface.subnet_id):
        left = tuple(address for address in other.secondary_addresses if address not in wanted)
        if left != other.secondary_addresses:
            call.tx.update(other, secondary_addresses=left)


def _taken(call: Call, subnet_id: str) -> set[str]:
    return {
        address for other in call.tx.all(r.NetworkInterface, subnet_id=subnet_id) for address in addresses_of(other)
    }


def _check_count(call: Call, addresses: list[str]) -> None:
    limit = call.settings.quotas.private_addresses_per_network_interface
    if len(addresses) > limit:
        what = "private addresses per network interface"
        raise errors.limit_exceeded("PrivateIpAddressLimitExceeded", what, limit)


def _span(subnet: r.Subnet) -> tuple[IPv4Address, IPv4Address]:
    """The first and the last address that network interfaces may have."""
    network = IPv4Network(subnet.cidr_block)
    return network.network_address + FIRST_FREE, network.broadcast_address - 1


def _free(subnet: r.Subnet, count: int, taken: set[str]) -> list[str]:
    """The lowest free addresses; they are taken then."""
    first, last = _span(subnet)
    found: list[str] = []
    for number in range(int(first), int(last) + 1):
        if len(found) == count:
            break
        address = str(IPv4Address(number))
        if address not in taken:
            found.append(address)
    if len(found) < count:
        raise ApiError(
            "InsufficientFreeAddressesInSubnet",
            f"The subnet '{subnet.id}' has no free address left of {first} to {last}.",
        )
    taken.update(found)
    return found


def _given(subnet: r.Subnet, wanted: str, taken: set[str]) -> str:
    """A given address of the subnet that is free; it is taken then."""
    network = IPv4Network(subnet.cidr_block)
    first, last = _span(subnet)
    try:
        address = IPv4Address(wanted)
    except AddressValueError:
        raise errors.invalid_value("PrivateIpAddress", wanted, "an IPv4 address in dotted decimal form") from None
    if address not in network:
        raise errors.invalid_value("PrivateIpAddress", wanted, f"an address of {network}, the block of {subnet.id}")
    if not first <= address <= last:
        raise ApiError(
            "InvalidParameterValue",
            f"Address {address} is in subnet's reserved address range. Allowed PrivateIpAddress: {first} to {last}.",
        )
    if wanted in taken:
        raise ApiError("InvalidIPAddress.InUse", f"Address {address} is in use.")
    taken.add(wanted)
    return wanted
