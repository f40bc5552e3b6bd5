"""CreateTags, DeleteTags and DescribeTags over every resource that can have tags.

Reference: EC2 API reference, CreateTags, DeleteTags, DescribeTags.
"""

from __future__ import annotations

from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import lookup, paginate, select
from twinbore.api.ops.tagging import add_tags
from twinbore.model import resources as r
from twinbore.model.ids import resource_type_of

TAGGABLE: Final[dict[str, type]] = {
    "vpc": r.Vpc,
    "subnet": r.Subnet,
    "route-table": r.RouteTable,
    "internet-gateway": r.InternetGateway,
    "network-interface": r.NetworkInterface,
    "customer-gateway": r.CustomerGateway,
    "vpn-gateway": r.VpnGateway,
    "vpn-connection": r.VpnConnection,
}


@operation("CreateTags")
def create_tags(call: Call, request: Request) -> Response:
    for value in request["Resources"]:
        add_tags(call, _resource_type(call, value), value, request["Tags"])
    return {}


@operation("DeleteTags")
def delete_tags(call: Call, request: Request) -> Response:
    """Without Tags all are removed; a tag given with a value goes only when it has that value."""
    given = request.get("Tags")
    for value in request["Resources"]:
        _resource_type(call, value)
        for tag in call.tx.all(r.Tag, resource_id=value):
            if given is None or any(g.get("Key") == tag.key and g.get("Value", tag.value) == tag.value for g in given):
                call.tx.delete(r.Tag, tag.id)
    return {}


@operation("DescribeTags")
def describe_tags(call: Call, request: Request) -> Response:
    filters: dict[str, Any] = {
        "key": lambda t: t.key,
        "resource-id": lambda t: t.resource_id,
        "resource-type": lambda t: t.resource_type,
        "value": lambda t: t.value,
    }
    tags = select(call, request, r.Tag, "tag", None, filters, tags=False)
    shapes = [
        {"ResourceId": t.resource_id, "ResourceType": t.resource_type, "Key": t.key, "Value": t.value} for t in tags
    ]
    return paginate(request, shapes, "Tags")


def _resource_type(call: Call, value: str) -> str:
    resource_type = resource_type_of(value)
    if resource_type not in TAGGABLE:
        raise errors.ApiError("InvalidID", f"The ID '{value}' is not valid")
    lookup(call, TAGGABLE[resource_type], resource_type, value)
    return resource_type
