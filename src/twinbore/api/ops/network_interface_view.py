"""How network interfaces are shown. Being plugged into a workload is shown as AWS shows an attachment.

References: EC2 API reference, `NetworkInterface`, `NetworkInterfaceAttachment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twinbore.api.operation import Call
from twinbore.api.ops.private_addresses import addresses_of
from twinbore.api.ops.zones import zone_ids
from twinbore.model import resources as r

INTERFACE_TYPE: Final = "interface"


def status(port: r.Port | None) -> str:
    return "available" if port is None else "in-use"


def attachment_id(interface: r.NetworkInterface) -> str:
    """The id of the only attachment that a network interface can have, made of its own."""
    return "eni-attach-" + interface.id.removeprefix("eni-")


def attachment_shape(interface: r.NetworkInterface, port: r.Port) -> dict[str, Any]:
    return {
        "AttachmentId": attachment_id(interface),
        "InstanceOwnerId": interface.account_id,
        "Status": "attached",
        "AttachTime": port.created_at,
        "DeleteOnTermination": False,
    }


def interface_shape(
    call: Call,
    interface: r.NetworkInterface,
    port: r.Port | None,
    groups: Mapping[str, list[dict[str, str]]],
    tags: Mapping[str, list[dict[str, str]]],
) -> dict[str, Any]:
    """A network interface; `port` is what it is plugged into."""
    shape: dict[str, Any] = {
        "NetworkInterfaceId": interface.id,
        "OwnerId": interface.account_id,
        "VpcId": interface.vpc_id,
        "SubnetId": interface.subnet_id,
        "AvailabilityZone": interface.availability_zone,
        "AvailabilityZoneId": zone_ids(call.settings).get(interface.availability_zone),
        "Description": interface.description,
        "InterfaceType": INTERFACE_TYPE,
        "MacAddress": interface.mac_address,
        "PrivateIpAddress": interface.private_ip_address,
        "SourceDestCheck": interface.source_dest_check,
        "RequesterManaged": False,
        "Status": status(port),
        "PrivateIpAddresses": [
            {"Primary": address == interface.private_ip_address, "PrivateIpAddress": address}
            for address in addresses_of(interface)
        ],
        "Ipv6Addresses": [],
        "Groups": groups[interface.id],
        "Operator": {"Managed": False},
        "TagSet": tags[interface.id],
    }
    if port is not None:
        shape["Attachment"] = attachment_shape(interface, port)
    return shape
