"""Internet gateways: attached to one VPC at most, which has one at most.

Network interfaces have no public addresses here, so that a route to an internet gateway shows as active and carries
nothing: what it is good for is the coexistence of two default routes, the static and the propagated one.

References: EC2 API reference, CreateInternetGateway, AttachInternetGateway, DetachInternetGateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import delete_tags_of, lookup, paginate, select, tag_on_create, tag_sets
from twinbore.model import resources as r

ATTACHMENT_STATE: Final = "available"
"""What AWS shows for an attached internet gateway (API reference: "present only if a VPC is attached")."""


@operation("CreateInternetGateway")
def create_internet_gateway(call: Call, request: Request) -> Response:
    gateway = new_internet_gateway(call, None)
    tag_on_create(call, request, "internet-gateway", gateway.id)
    return {"InternetGateway": _shape(gateway, tag_sets(call, [gateway.id]))}


def new_internet_gateway(call: Call, vpc_id: str | None) -> r.InternetGateway:
    """Store an internet gateway, attached to the VPC or to none. Raises InternetGatewayLimitExceeded."""
    limit = call.settings.quotas.internet_gateways
    if len(call.tx.all(r.InternetGateway, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("InternetGatewayLimitExceeded", "internet gateways", limit)
    gateway = r.InternetGateway(call.new_id("internet-gateway"), call.account_id, vpc_id, call.now)
    call.tx.insert(gateway)
    return gateway


_FILTERS: Final[Mapping[str, Callable[[r.InternetGateway], object]]] = {
    "attachment.state": lambda g: ATTACHMENT_STATE if g.vpc_id else None,
    "attachment.vpc-id": lambda g: g.vpc_id,
    "internet-gateway-id": lambda g: g.id,
    "owner-id": lambda g: g.account_id,
}


@operation("DescribeInternetGateways")
def describe_internet_gateways(call: Call, request: Request) -> Response:
    gateways = select(call, request, r.InternetGateway, "internet-gateway", "InternetGatewayIds", _FILTERS)
    tags = tag_sets(call, [g.id for g in gateways])
    return paginate(request, [_shape(g, tags) for g in gateways], "InternetGateways", "InternetGatewayIds")


@operation("DeleteInternetGateway")
def delete_internet_gateway(call: Call, request: Request) -> Response:
    gateway = _lookup(call, request)
    if gateway.vpc_id is not None:
        raise errors.has_dependencies("internet-gateway", gateway.id, [f"its attachment to {gateway.vpc_id}"])
    call.tx.delete(r.InternetGateway, gateway.id)
    delete_tags_of(call, gateway.id)
    return {}


@operation("AttachInternetGateway")
def attach_internet_gateway(call: Call, request: Request) -> Response:
    gateway = _lookup(call, request)
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    if gateway.vpc_id is not None:
        raise ApiError(
            "Resource.AlreadyAssociated", f"resource {gateway.id} is already attached to network {gateway.vpc_id}"
        )
    for other in call.tx.all(r.InternetGateway, vpc_id=vpc.id):
        raise ApiError(
            "InvalidParameterValue", f"Network {vpc.id} already has an internet gateway attached: {other.id}"
        )
    call.tx.update(gateway, vpc_id=vpc.id)
    return {}


@operation("DetachInternetGateway")
def detach_internet_gateway(call: Call, request: Request) -> Response:
    gateway = _lookup(call, request)
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    if gateway.vpc_id != vpc.id:
        raise ApiError("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {vpc.id}")
    call.tx.update(gateway, vpc_id=None)
    return {}


def _lookup(call: Call, request: Request) -> r.InternetGateway:
    return lookup(call, r.InternetGateway, "internet-gateway", request["InternetGatewayId"])


def _shape(gateway: r.InternetGateway, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    attached = [{"VpcId": gateway.vpc_id, "State": ATTACHMENT_STATE}] if gateway.vpc_id else []
    return {
        "InternetGatewayId": gateway.id,
        "OwnerId": gateway.account_id,
        "Attachments": attached,
        "Tags": tags[gateway.id],
    }
