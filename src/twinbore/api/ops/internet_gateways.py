"""Internet gateways as resources and as targets of routes.

They carry no traffic: network interfaces have no public addresses, so that, as on AWS, what a route sends to an
internet gateway is dropped there.

References: EC2 API reference, CreateInternetGateway, AttachInternetGateway, DetachInternetGateway,
DescribeInternetGateways, DeleteInternetGateway.
"""

from __future__ import annotations

from typing import Any

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import delete_tags_of, lookup, paginate, select, tag_on_create, tag_sets
from twinbore.model import resources as r
from twinbore.model.states import AVAILABLE


@operation("CreateInternetGateway")
def create_internet_gateway(call: Call, request: Request) -> Response:
    limit = call.settings.quotas.internet_gateways
    if len(call.tx.all(r.InternetGateway, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("InternetGatewayLimitExceeded", "internet gateways", limit)
    gateway = r.InternetGateway(call.new_id("internet-gateway"), call.account_id, None, call.now)
    call.tx.insert(gateway)
    tag_on_create(call, request, "internet-gateway", gateway.id)
    return {"InternetGateway": _shape(gateway, tag_sets(call, [gateway.id]))}


@operation("DescribeInternetGateways")
def describe_internet_gateways(call: Call, request: Request) -> Response:
    filters: dict[str, Any] = {
        "attachment.state": lambda g: AVAILABLE if g.vpc_id else None,
        "attachment.vpc-id": lambda g: g.vpc_id,
        "internet-gateway-id": lambda g: g.id,
        "owner-id": lambda g: g.account_id,
    }
    gateways = select(call, request, r.InternetGateway, "internet-gateway", "InternetGatewayIds", filters)
    tags = tag_sets(call, [g.id for g in gateways])
    return paginate(request, [_shape(g, tags) for g in gateways], "InternetGateways")


@operation("DeleteInternetGateway")
def delete_internet_gateway(call: Call, request: Request) -> Response:
    gateway = _gateway(call, request)
    if gateway.vpc_id is not None:
        raise errors.dependency_violation(
            f"The internetGateway '{gateway.id}' has dependencies and cannot be deleted: it is attached to "
            f"{gateway.vpc_id}."
        )
    delete_tags_of(call, gateway.id)
    call.tx.delete(r.InternetGateway, gateway.id)
    return {}


@operation("AttachInternetGateway")
def attach_internet_gateway(call: Call, request: Request) -> Response:
    gateway = _gateway(call, request)
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
    gateway = _gateway(call, request)
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    if gateway.vpc_id != vpc.id:
        raise ApiError("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {vpc.id}")
    call.tx.update(gateway, vpc_id=None)
    return {}


def _gateway(call: Call, request: Request) -> r.InternetGateway:
    return lookup(call, r.InternetGateway, "internet-gateway", request["InternetGatewayId"])


def _shape(gateway: r.InternetGateway, tags: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    attachments = [{"State": AVAILABLE, "VpcId": gateway.vpc_id}] if gateway.vpc_id else []
    return {
        "InternetGatewayId": gateway.id,
        "OwnerId": gateway.account_id,
        "Attachments": attachments,
        "Tags": tags[gateway.id],
    }
