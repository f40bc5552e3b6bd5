"""Virtual private gateways and their attachment to a VPC.

* A gateway is attached to one VPC at most, and a VPC has one gateway at most. The attachment is a row of its own with
  the gateway's id; the agent moves it from `attaching` to `attached` and from `detaching` to `detached`.
* Detaching ends route propagation: a route table propagates only from a gateway that is attached to its VPC.
* A gateway can be detached while it has connections (AWS recommends that order when a VPC goes away), but not while one
  is being made. It can be deleted when it is detached and has no connection.
* The Amazon side ASN is private, and fixed for the gateway's life.

References: EC2 API reference, CreateVpnGateway, AttachVpnGateway, DetachVpnGateway, DeleteVpnConnection; RFC 6996.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.common import lookup, select, tag_on_create, tag_sets
from twinbore.api.ops.vpn_request import check_type
from twinbore.model import resources as r
from twinbore.model.addressing import DEFAULT_AMAZON_SIDE_ASN
from twinbore.model.states import (
    ATTACHED,
    ATTACHING,
    ATTACHMENT,
    DELETED,
    DELETING,
    DETACHED,
    DETACHING,
    MODIFYING,
    PENDING,
    RESOURCE,
    advance,
)

PRIVATE_ASNS: Final = (range(64512, 65535), range(4200000000, 4294967295))
PENDING_CONNECTIONS: Final = "This call cannot be completed because there are pending VPNs or Virtual Interfaces"


@operation("CreateVpnGateway")
def create_vpn_gateway(call: Call, request: Request) -> Response:
    check_type(request["Type"])
    zone: str | None = request.get("AvailabilityZone")
    zones = call.settings.availability_zones
    if zone is not None and zone not in zones:
        raise errors.ApiError(
            "InvalidZone.NotFound", f"The zone '{zone}' does not exist. There are: {', '.join(zones)}."
        )
    asn = request.get("AmazonSideAsn")
    if asn is None:
        asn = DEFAULT_AMAZON_SIDE_ASN
    if not any(asn in numbers for numbers in PRIVATE_ASNS):
        allowed = " or ".join(f"{numbers.start} to {numbers.stop - 1}" for numbers in PRIVATE_ASNS)
        raise errors.invalid_value("AmazonSideAsn", asn, f"a private ASN, {allowed}")
    limit = call.settings.quotas.vpn_gateways
    if sum(g.state != DELETED for g in call.tx.all(r.VpnGateway, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("VpnGatewayLimitExceeded", "virtual private gateways", limit)
    gateway = r.VpnGateway(
        id=call.new_id("vpn-gateway"),
        account_id=call.account_id,
        state=PENDING,
        type=request["Type"],
        amazon_side_asn=asn,
        number=call.tx.next_number("vpn_gateway"),
        availability_zone=zone,
        created_at=call.now,
    )
    call.tx.insert(gateway)
    tag_on_create(call, request, "vpn-gateway", gateway.id)
    return {"VpnGateway": _shape(gateway, None, tag_sets(call, [gateway.id]))}


@operation("DescribeVpnGateways")
def describe_vpn_gateways(call: Call, request: Request) -> Response:
    attachments = {a.id: a for a in call.tx.all(r.VpnGatewayAttachment, account_id=call.account_id)}

    def attachment_member(name: str) -> Any:
        return lambda gateway: getattr(attachments.get(gateway.id), name, None)

    filters: dict[str, Any] = {
        "amazon-side-asn": lambda g: g.amazon_side_asn,
        "attachment.state": attachment_member("state"),
        "attachment.vpc-id": attachment_member("vpc_id"),
        "availability-zone": lambda g: g.availability_zone,
        "state": lambda g: g.state,
        "type": lambda g: g.type,
        "vpn-gateway-id": lambda g: g.id,
    }
    gateways = select(call, request, r.VpnGateway, "vpn-gateway", "VpnGatewayIds", filters)
    tags = tag_sets(call, [g.id for g in gateways])
    return {"VpnGateways": [_shape(g, attachments.get(g.id), tags) for g in gateways]}


@operation("DeleteVpnGateway")
def delete_vpn_gateway(call: Call, request: Request) -> Response:
    gateway = vpn_lookup.vpn_gateway(call, request["VpnGatewayId"])
    if gateway.state == DELETING:
        return {}
    attachment = call.tx.get(r.VpnGatewayAttachment, gateway.id)
    if attachment is not None and attachment.state != DETACHED:
        raise errors.incorrect_state(
            f"The VPN gateway is in use. {gateway.id} is {attachment.state} ({attachment.vpc_id}): detach it and wait "
            "until it is detached."
        )
    connections = call.tx.all(r.VpnConnection, vpn_gateway_id=gateway.id)
    users = [c.id for c in connections if c.state != DELETED]
    if users:
        raise errors.incorrect_state(
            f"The VPN gateway is in use. {gateway.id} has {', '.join(users)}: delete that first and wait until it is "
            "deleted."
        )
    call.tx.update(gateway, state=advance(RESOURCE, gateway.state, DELETING))
    return {}


@operation("AttachVpnGateway")
def attach_vpn_gateway(call: Call, request: Request) -> Response:
    gateway = vpn_lookup.usable_vpn_gateway(call, request["VpnGatewayId"])
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    attachment = call.tx.get(r.VpnGatewayAttachment, gateway.id)
    if attachment is not None and attachment.state in (ATTACHING, ATTACHED):
        if attachment.vpc_id != vpc.id:
            raise errors.limit_exceeded("VpnGatewayAttachmentLimitExceeded", f"VPCs attached to {gateway.id}", 1)
        return {"VpcAttachment": _attachment_shape(attachment)}
    if attachment is not None and attachment.state == DETACHING:
        raise errors.incorrect_state(
            f"The virtual private gateway {gateway.id} is being detached from {attachment.vpc_id}: wait until it is "
            "detached."
        )
    for other in call.tx.all(r.VpnGatewayAttachment, vpc_id=vpc.id):
        if other.state != DETACHED:
            raise errors.ApiError(
                "InvalidVpcState", f"VPC {vpc.id} is currently attached to the Virtual Private Gateway {other.id}"
            )
    _refuse_pending_connections(call, gateway)
    if attachment is None:
        attachment = r.VpnGatewayAttachment(gateway.id, call.account_id, vpc.id, ATTACHING, call.now)
        call.tx.insert(attachment)
    else:
        state = advance(ATTACHMENT, attachment.state, ATTACHING)
        attachment = call.tx.update(attachment, vpc_id=vpc.id, state=state, created_at=call.now)
    return {"VpcAttachment": _attachment_shape(attachment)}


@operation("DetachVpnGateway")
def detach_vpn_gateway(call: Call, request: Request) -> Response:
    gateway = vpn_lookup.vpn_gateway(call, request["VpnGatewayId"])
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    attachment = call.tx.get(r.VpnGatewayAttachment, gateway.id)
    if attachment is None or attachment.vpc_id != vpc.id or attachment.state == DETACHED:
        raise errors.ApiError(
            "InvalidVpnGatewayAttachment.NotFound",
            f"The attachment with vpn gateway ID '{gateway.id}' and vpc ID '{vpc.id}' does not exist",
        )
    if attachment.state == DETACHING:
        return {}
    _refuse_pending_connections(call, gateway)
    call.tx.update(attachment, state=advance(ATTACHMENT, attachment.state, DETACHING))
    call.tx.delete(r.Propagation, *(p.id for p in call.tx.all(r.Propagation, gateway_id=gateway.id)))
    return {}


def _refuse_pending_connections(call: Call, gateway: r.VpnGateway) -> None:
    pending = call.tx.all(r.VpnConnection, vpn_gateway_id=gateway.id, state=(PENDING, MODIFYING))
    if pending:
        names = ", ".join(c.id for c in pending)
        raise errors.ApiError(
            "InvalidParameterValue", f"{PENDING_CONNECTIONS} ({names}). Try again when they are available."
        )


def _shape(
    gateway: r.VpnGateway, attachment: r.VpnGatewayAttachment | None, tags: Mapping[str, list[dict[str, str]]]
) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "VpnGatewayId": gateway.id,
        "State": gateway.state,
        "Type": gateway.type,
        "AmazonSideAsn": gateway.amazon_side_asn,
    }
    if gateway.availability_zone is not None:
        shape["AvailabilityZone"] = gateway.availability_zone
    attachments = [] if attachment is None else [_attachment_shape(attachment)]
    return shape | {"VpcAttachments": attachments, "Tags": tags.get(gateway.id, [])}


def _attachment_shape(attachment: r.VpnGatewayAttachment) -> dict[str, str]:
    return {"VpcId": attachment.vpc_id, "State": attachment.state}
