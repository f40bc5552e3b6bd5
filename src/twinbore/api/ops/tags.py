"""Tags of any resource, after its creation.

References: EC2 API reference, CreateTags, DeleteTags, DescribeTags; Amazon EC2 User Guide, "Tag your resources".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import filtered, lookup, paginate
from twinbore.api.ops.customer_gateway_options import check_change
from twinbore.api.ops.tagging import add_tags
from twinbore.api.ops.vpn_chosen_addresses import refuse_changes
from twinbore.model import resources as r
from twinbore.model import security as s
from twinbore.model.ids import resource_type_of
from twinbore.model.states import DELETED

MAX_RESOURCES: Final = 1000
MAX_TAGS: Final = 50
"""In one request each."""

TAGGABLE: Final[Mapping[str, type]] = {
    "customer-gateway": r.CustomerGateway,
    "internet-gateway": r.InternetGateway,
    "network-interface": r.NetworkInterface,
    "route-table": r.RouteTable,
    "subnet": r.Subnet,
    "vpc": r.Vpc,
    "vpn-connection": r.VpnConnection,
    "vpn-gateway": r.VpnGateway,
    "security-group": s.SecurityGroup,
    "security-group-rule": s.SecurityGroupRule,
    "network-acl": s.NetworkAcl,
    "prefix-list": s.PrefixList,
}


@operation("CreateTags")
def create_tags(call: Call, request: Request) -> Response:
    for resource_type, resource_id in _resources(call, request):
        if resource_type == "vpn-connection":
            refuse_changes(call, resource_id, {str(tag.get("Key")): tag.get("Value") or "" for tag in request["Tags"]})
        add_tags(call, resource_type, resource_id, request["Tags"])
        _check_options(call, resource_type, resource_id)
    return {}


@operation("DeleteTags")
def delete_tags(call: Call, request: Request) -> Response:
    """A key alone removes the tag whatever its value; with a value, only a tag of that value; no tags, all of them."""
    given: list[dict[str, str]] | None = request.get("Tags")
    wanted = [(tag.get("Key"), tag.get("Value")) for tag in given or []]
    if not all(key for key, _ in wanted):
        raise errors.missing_parameter("Tag.Key")
    for resource_type, resource_id in _resources(call, request):
        for present in call.tx.all(r.Tag, resource_id=resource_id):
            if given is None or any(key == present.key and value in (None, present.value) for key, value in wanted):
                call.tx.delete(r.Tag, present.id)
        _check_options(call, resource_type, resource_id)
    return {}


_FILTERS: Final[Mapping[str, Callable[[r.Tag], object]]] = {
    "key": lambda t: t.key,
    "resource-id": lambda t: t.resource_id,
    "resource-type": lambda t: t.resource_type,
    "value": lambda t: t.value,
}


@operation("DescribeTags")
def describe_tags(call: Call, request: Request) -> Response:
    filters = dict(_FILTERS)
    for entry in request.get("Filters") or []:
        name: str = entry.get("Name", "")
        if name.startswith("tag:"):
            filters[name] = _value_of(name.removeprefix("tag:"))
    tags = filtered(call.tx.all(r.Tag, account_id=call.account_id), request, filters)
    return paginate(request, [_shape(t) for t in tags], "Tags")


def _value_of(key: str) -> Callable[[r.Tag], object]:
    return lambda tag: tag.value if tag.key == key else None


def _check_options(call: Call, resource_type: str, resource_id: str) -> None:
    """Refuse what a change has made of Twinbore's options of a resource (see `model.extensions`)."""
    if resource_type == "customer-gateway":
        tags = {tag.key: tag.value for tag in call.tx.all(r.Tag, resource_id=resource_id)}
        check_change(call, resource_id, tags)


def _resources(call: Call, request: Request) -> list[tuple[str, str]]:
    """Type and id of the request's resources, each of them there."""
    values: list[str] = request["Resources"]
    for name, given, limit in (("ResourceId", values, MAX_RESOURCES), ("Tag", request.get("Tags") or [], MAX_TAGS)):
        if len(given) > limit:
            raise errors.invalid_value(name, f"{len(given)} items", f"at most {limit} in one request")
    found: list[tuple[str, str]] = []
    for value in dict.fromkeys(values):
        resource_type = resource_type_of(value)
        if resource_type is None or resource_type not in TAGGABLE:
            raise ApiError("InvalidID", f"The ID '{value}' is not valid: it is not the id of a resource with tags.")
        row: Any = lookup(call, TAGGABLE[resource_type], resource_type, value)
        if getattr(row, "state", None) == DELETED:
            raise errors.not_found(resource_type, value)
        found.append((resource_type, value))
    return found


def _shape(tag: r.Tag) -> dict[str, str]:
    return {"Key": tag.key, "Value": tag.value, "ResourceId": tag.resource_id, "ResourceType": tag.resource_type}
