"""Network interfaces (ENIs): addresses of a subnet, to be plugged into a workload on the gateway host.

* A primary private IPv4 address each, and secondary ones (`private_addresses`).
* `in-use` means plugged into something (`twinbore plug`); such a one cannot be deleted.
* Without the source/destination check a network interface may send and receive for others, as a router does.
* Each wears security groups of its VPC (`network_interface_groups`). They are kept and shown; every packet that routing
  allows may pass.

References: EC2 API reference, CreateNetworkInterface, DescribeNetworkInterfaces, DeleteNetworkInterface; IEEE
802c (02: is a locally administered MAC address).
"""

from __future__ import annotations

from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import (
    absent,
    delete_tags_of,
    id_of_request,
    lookup,
    paginate,
    refuse_others,
    select,
    tag_on_create,
    tag_sets,
)
from twinbore.api.ops.network_interface_groups import (
    default_group,
    put_on,
    requested_groups,
    take_off,
    worn_groups,
)
from twinbore.api.ops.network_interface_view import INTERFACE_TYPE, attachment_id, interface_shape, status
from twinbore.api.ops.private_addresses import addresses_of, choose, wanted_addresses
from twinbore.api.ops.tagging import requested_tags
from twinbore.api.ops.zones import zone_ids
from twinbore.model import resources as r

MAX_DESCRIPTION: Final = 255


@operation("CreateNetworkInterface")
def create_network_interface(call: Call, request: Request) -> Response:
    refuse_others(
        request,
        *("SubnetId", "Description", "PrivateIpAddress", "PrivateIpAddresses", "Groups", "InterfaceType"),
        *("SecondaryPrivateIpAddressCount", "ClientToken", "TagSpecifications"),
    )
    if request.get("InterfaceType", INTERFACE_TYPE) != INTERFACE_TYPE:
        raise errors.unsupported(f"InterfaceType {request['InterfaceType']}: use {INTERFACE_TYPE}, or leave it out.")
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    groups = requested_groups(call, subnet.vpc_id, request) or [default_group(call, subnet.vpc_id)]
    description: str = request.get("Description", "")
    check_description(description)
    wanted = wanted_addresses(request)
    requested_tags(request, "network-interface")
    eni_id = id_of_request(call, request, "network-interface")
    present = call.tx.get(r.NetworkInterface, eni_id)
    if present is not None:
        worn = {group["GroupId"] for group in worn_groups(call, [present.id])[present.id]}
        same = (
            (present.subnet_id, present.description) == (subnet.id, description)
            and ("Groups" not in request or worn == set(groups))
            and wanted.primary in (None, present.private_ip_address)
            and set(wanted.secondary) <= set(present.secondary_addresses)
        )
        if not same:
            what = f"{eni_id} ({present.private_ip_address}) in {present.subnet_id}"
            raise errors.idempotent_mismatch(request["ClientToken"], what)
        return _answer(call, request, present)
    limit = call.settings.quotas.network_interfaces
    if len(call.tx.all(r.NetworkInterface, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("NetworkInterfaceLimitExceeded", "network interfaces", limit)
    primary, *secondary = choose(call, subnet, wanted)
    interface = r.NetworkInterface(
        id=eni_id,
        account_id=call.account_id,
        vpc_id=subnet.vpc_id,
        subnet_id=subnet.id,
        availability_zone=subnet.availability_zone,
        private_ip_address=primary,
        mac_address=_mac(call),
        description=description,
        source_dest_check=True,
        created_at=call.now,
        secondary_addresses=tuple(secondary),
    )
    call.tx.insert(interface)
    put_on(call, interface, groups)
    tag_on_create(call, request, "network-interface", interface.id)
    return _answer(call, request, interface)


def _answer(call: Call, request: Request, interface: r.NetworkInterface) -> Response:
    port = call.tx.get(r.Port, interface.id)
    groups, tags = worn_groups(call, [interface.id]), tag_sets(call, [interface.id])
    answer: Response = {"NetworkInterface": interface_shape(call, interface, port, groups, tags)}
    return answer | ({"ClientToken": request["ClientToken"]} if "ClientToken" in request else {})


@operation("DescribeNetworkInterfaces")
def describe_network_interfaces(call: Call, request: Request) -> Response:
    ports = {p.id: p for p in call.tx.all(r.Port, account_id=call.account_id)}
    ids = zone_ids(call.settings)
    worn = worn_groups(call, [i.id for i in call.tx.all(r.NetworkInterface, account_id=call.account_id)])
    filters: dict[str, Any] = {
        "addresses.primary": lambda i: [True, False] if i.secondary_addresses else True,
        "attachment.attach-time": lambda i: ports[i.id].created_at.isoformat() if i.id in ports else None,
        "attachment.attachment-id": lambda i: attachment_id(i) if i.id in ports else None,
        "attachment.delete-on-termination": lambda i: False if i.id in ports else None,
        "attachment.instance-owner-id": lambda i: i.account_id if i.id in ports else None,
        "attachment.status": lambda i: "attached" if i.id in ports else None,
        "availability-zone": lambda i: i.availability_zone,
        "availability-zone-id": lambda i: ids.get(i.availability_zone),
        "description": lambda i: i.description,
        "group-id": lambda i: [group["GroupId"] for group in worn[i.id]],
        "group-name": lambda i: [group["GroupName"] for group in worn[i.id]],
        "interface-type": lambda _: INTERFACE_TYPE,
        "mac-address": lambda i: i.mac_address,
        "network-interface-id": lambda i: i.id,
        "operator.managed": lambda _: False,
        "owner-id": lambda i: i.account_id,
        "requester-managed": lambda _: False,
        "source-dest-check": lambda i: i.source_dest_check,
        "status": lambda i: status(ports.get(i.id)),
        "subnet-id": lambda i: i.subnet_id,
        "vpc-id": lambda i: i.vpc_id,
    }
    filters |= dict.fromkeys(("addresses.private-ip-address", "private-ip-address"), addresses_of)
    filters |= absent("addresses.association.owner-id", "addresses.association.public-ip")
    address_of_the_internet = ("allocation-id", "association-id", "ip-owner-id", "public-dns-name", "public-ip")
    filters |= absent(*(f"association.{n}" for n in address_of_the_internet))
    filters |= absent("attachment.device-index", "attachment.instance-id", "ipv6-addresses.ipv6-address")
    filters |= absent("operator.principal", "private-dns-name", "requester-id")
    interfaces = select(call, request, r.NetworkInterface, "network-interface", "NetworkInterfaceIds", filters)
    tags = tag_sets(call, [i.id for i in interfaces])
    shapes = [interface_shape(call, i, ports.get(i.id), worn, tags) for i in interfaces]
    return paginate(request, shapes, "NetworkInterfaces", "NetworkInterfaceIds")


@operation("DeleteNetworkInterface")
def delete_network_interface(call: Call, request: Request) -> Response:
    interface = _lookup(call, request)
    port = call.tx.get(r.Port, interface.id)
    if port is not None:
        raise ApiError(
            "InvalidParameterValue",
            f"Network interface '{interface.id}' is currently in use. It is plugged into {port.target}: "
            f"twinbore unplug {interface.id}",
        )
    take_off(call, interface)
    call.tx.delete(r.NetworkInterface, interface.id)
    delete_tags_of(call, interface.id)
    return {}


def _lookup(call: Call, request: Request) -> r.NetworkInterface:
    return lookup(call, r.NetworkInterface, "network-interface", request["NetworkInterfaceId"])


def check_description(text: str) -> None:
    if len(text) > MAX_DESCRIPTION:
        raise errors.invalid_value("Description", text, f"at most {MAX_DESCRIPTION} characters")


def _mac(call: Call) -> str:
    digits = call.random.hex(10)
    return ":".join(["02", *(digits[i : i + 2] for i in range(0, 10, 2))])
