"""Tags: given at creation, read with a resource, removed with it.

References: Amazon EC2 User Guide, "Tag your resources" (restrictions: 50 tags, keys of 128 and values of 256 Unicode
characters, `aws:` reserved).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request
from twinbore.model import resources as r
from twinbore.model.extensions import problem

MAX_KEY: Final = 128
MAX_VALUE: Final = 256


def requested_tags(request: Request, resource_type: str) -> dict[str, str]:
    """The tags of a Create request's TagSpecifications, checked; refuses those of another resource type."""
    tags: dict[str, str] = {}
    for specification in request.get("TagSpecifications") or []:
        given = specification.get("ResourceType")
        if given != resource_type:
            raise errors.invalid_value("TagSpecification.ResourceType", given, resource_type)
        if not specification.get("Tags"):
            raise ApiError("InvalidParameterValue", "Tag specification must have at least one tag")
        for tag in specification["Tags"]:
            key, value = check_tag(resource_type, tag)
            if key in tags:
                raise duplicate(key)
            tags[key] = value
    return tags


def tag_on_create(call: Call, request: Request, resource_type: str, resource_id: str) -> None:
    """Store the tags of a Create request's TagSpecifications; refuses those of another resource type."""
    tags = requested_tags(request, resource_type)
    add_tags(call, resource_type, resource_id, [{"Key": key, "Value": value} for key, value in tags.items()])


def add_tags(call: Call, resource_type: str, resource_id: str, tags: Iterable[Mapping[str, Any]]) -> None:
    """Add or replace tags of one resource, within the limits."""
    present = {t.key: t for t in call.tx.all(r.Tag, resource_id=resource_id)}
    given: set[str] = set()
    for tag in tags:
        key, value = check_tag(resource_type, tag)
        if key in given:
            raise duplicate(key)
        given.add(key)
        row = r.Tag(f"{resource_id}/{key}", call.account_id, resource_id, resource_type, key, value)
        if row.key in present:
            call.tx.update(row)
        else:
            call.tx.insert(row)
        present[row.key] = row
    if len(present) > call.settings.quotas.tags_per_resource:
        raise ApiError(
            "TagLimitExceeded",
            f"The maximum number of Tags for a resource has been reached ({call.settings.quotas.tags_per_resource}).",
        )


def duplicate(key: str) -> ApiError:
    """What a request that gives a key twice is refused with."""
    return ApiError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")


def check_tag(resource_type: str, tag: Mapping[str, Any]) -> tuple[str, str]:
    """Key and value of a tag for a resource of this type. Raises `ApiError` with the rule that they break."""
    key: str | None = tag.get("Key")
    value: str = tag.get("Value") or ""
    if not key:
        raise ApiError("InvalidTagKey.Malformed", "The tag key is not valid: Tag.Key cannot be empty or null.")
    if key.lower().startswith("aws:"):
        raise ApiError("InvalidParameterValue", f"Tag keys starting with 'aws:' are reserved for internal use: {key}")
    if len(key) > MAX_KEY:
        raise ApiError("InvalidParameterValue", f"Tag key exceeds the maximum length of {MAX_KEY} characters")
    if len(value) > MAX_VALUE:
        raise ApiError("InvalidParameterValue", f"Tag value exceeds the maximum length of {MAX_VALUE} characters")
    rule = problem(resource_type, key, value)
    if rule is not None:
        raise errors.invalid_value(f"Tag {key}", value, rule)
    return key, value


def tag_sets(call: Call, ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Resource id → its tags as in answers, by key; a list for every id."""
    sets: dict[str, list[dict[str, str]]] = {key: [] for key in ids}
    for tag in call.tx.all(r.Tag, resource_id=list(sets)) if sets else []:
        sets[tag.resource_id].append({"Key": tag.key, "Value": tag.value})
    return sets


def tag_set(call: Call, resource_id: str) -> list[dict[str, str]]:
    """The tags of one resource."""
    return tag_sets(call, [resource_id])[resource_id]


def delete_tags_of(call: Call, resource_id: str) -> None:
    """Remove every tag of a resource that goes."""
    call.tx.delete(r.Tag, *(t.id for t in call.tx.all(r.Tag, resource_id=resource_id)))
