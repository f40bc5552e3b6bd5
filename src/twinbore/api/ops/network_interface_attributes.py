"""Attributes of a network interface, one in each request: its description, groups, and source/destination check.

What an attachment would be asked or told is not to be had here: a network interface is plugged and unplugged with
`twinbore`, never deleted with a workload, and has no public address.

References: EC2 API reference, ModifyNetworkInterfaceAttribute, DescribeNetworkInterfaceAttribute,
ResetNetworkInterfaceAttribute.
"""

from __future__ import annotations

from typing import Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import lookup, refuse_others
from twinbore.api.ops.network_interface_groups import put_on, requested_groups, worn_groups
from twinbore.api.ops.network_interface_view import attachment_shape
from twinbore.api.ops.network_interfaces import check_description
from twinbore.model import resources as r

MODIFIABLE: Final = ("Description", "SourceDestCheck", "Groups")
ATTRIBUTES: Final = ("description", "groupSet", "sourceDestCheck", "attachment", "associatePublicIpAddress")


@operation("ModifyNetworkInterfaceAttribute")
def modify_network_interface_attribute(call: Call, request: Request) -> Response:
    refuse_others(request, "NetworkInterfaceId", *MODIFIABLE)
    interface = _lookup(call, request)
    given = [name for name in MODIFIABLE if name in request]
    if len(given) != 1:
        raise errors.combination(
            f"Exactly one of {', '.join(MODIFIABLE)} may be modified at a time; given: {', '.join(given) or 'none'}."
        )
    (name,) = given
    if name == "Groups":
        groups = requested_groups(call, interface.vpc_id, request)
        if groups is None:
            raise errors.missing_parameter("SecurityGroupId")
        put_on(call, interface, groups)
        return {}
    value = request[name]["Value"]
    if name == "Description":
        check_description(value)
        call.tx.update(interface, description=value)
    else:
        call.tx.update(interface, source_dest_check=value)
    return {}


@operation("ResetNetworkInterfaceAttribute")
def reset_network_interface_attribute(call: Call, request: Request) -> Response:
    """The source/destination check is on again, whatever its parameter's value: AWS documents none."""
    interface = _lookup(call, request)
    if request.get("SourceDestCheck") is None:
        raise errors.missing_parameter("SourceDestCheck")
    call.tx.update(interface, source_dest_check=True)
    return {}


@operation("DescribeNetworkInterfaceAttribute")
def describe_network_interface_attribute(call: Call, request: Request) -> Response:
    interface = _lookup(call, request)
    attribute = request.get("Attribute")
    if attribute is None:
        raise errors.missing_parameter("Attribute")
    answer: Response = {"NetworkInterfaceId": interface.id}
    if attribute == "description":
        return answer | {"Description": {"Value": interface.description}}
    if attribute == "groupSet":
        return answer | {"Groups": worn_groups(call, [interface.id])[interface.id]}
    if attribute == "sourceDestCheck":
        return answer | {"SourceDestCheck": {"Value": interface.source_dest_check}}
    if attribute == "attachment":
        port = call.tx.get(r.Port, interface.id)
        return answer if port is None else answer | {"Attachment": attachment_shape(interface, port)}
    if attribute == "associatePublicIpAddress":
        return answer | {"AssociatePublicIpAddress": False}
    raise errors.invalid_value("Attribute", attribute, "one of " + ", ".join(ATTRIBUTES))


def _lookup(call: Call, request: Request) -> r.NetworkInterface:
    return lookup(call, r.NetworkInterface, "network-interface", request["NetworkInterfaceId"])
