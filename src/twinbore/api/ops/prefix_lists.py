"""Managed prefix lists: named lists of CIDR blocks for rules and routes; their versions are in `prefix_list_versions`.

* A list is of one address family and has room for as many entries as its MaxEntries says; that number is what counts
  against the quotas of what uses it.
* Changes are made at once: no list is ever seen in a state of progress.
* A list that a rule uses cannot be deleted.
* DescribePrefixLists, the older listing, is of AWS services only; there are none here.

References: EC2 API reference, CreateManagedPrefixList, DescribeManagedPrefixLists, GetManagedPrefixListAssociations,
DeleteManagedPrefixList, DescribePrefixLists; Amazon VPC User Guide, "Managed prefix lists".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import permission_fields as fields
from twinbore.api.ops.common import (
    check_id,
    delete_tags_of,
    filtered,
    id_of_request,
    lookup,
    paginate,
    select,
    tag_on_create,
    tag_sets,
)
from twinbore.api.ops.tagging import requested_tags
from twinbore.model import security as s

RESOURCE_TYPE: Final = "prefix-list"
FAMILIES: Final[Mapping[str, Callable[[str], str]]] = {"IPv4": fields.ipv4_block, "IPv6": fields.ipv6_block}
RESERVED_NAME: Final = "com.amazonaws"
MAX_TEXT: Final = 255
MAX_ENTRIES_OF_REQUEST: Final = 100
MAX_PAGE: Final = 100
MAX_ASSOCIATIONS_PAGE: Final = 255


@operation("CreateManagedPrefixList")
def create_managed_prefix_list(call: Call, request: Request) -> Response:
    name, family, size = request["PrefixListName"], request["AddressFamily"], request["MaxEntries"]
    check_name(name)
    if family not in FAMILIES:
        raise errors.invalid_value("AddressFamily", family, " or ".join(FAMILIES))
    check_size(call, size)
    check_count(request, "Entries")
    requested_tags(request, RESOURCE_TYPE)
    entries = requested_entries(family, "Entry", request.get("Entries") or [])
    made = s.PrefixList(
        id=id_of_request(call, request, RESOURCE_TYPE),
        account_id=call.account_id,
        name=name,
        address_family=family,
        max_entries=size,
        version=1,
        state="create-complete",
        created_at=call.now,
    )
    present = call.tx.get(s.PrefixList, made.id)
    if present is not None:
        if (present.name, present.address_family, present.max_entries) != (name, family, size):
            raise errors.idempotent_mismatch(request["ClientToken"], f"{present.id} ({present.name})")
        return answer(call, present)
    limit = call.settings.quotas.prefix_lists
    if len(call.tx.all(s.PrefixList, account_id=call.account_id)) >= limit:
        raise errors.limit_exceeded("PrefixListLimitExceeded", "prefix lists", limit)
    check_room(made, len(entries))
    call.tx.insert(made, *(new_entry(made, cidr, text) for cidr, text in entries.items()))
    tag_on_create(call, request, RESOURCE_TYPE, made.id)
    return answer(call, made)


_FILTERS: Final[Mapping[str, Callable[[s.PrefixList], object]]] = {
    "owner-id": lambda p: p.account_id,
    "prefix-list-id": lambda p: p.id,
    "prefix-list-name": lambda p: p.name,
}


@operation("DescribeManagedPrefixLists")
def describe_managed_prefix_lists(call: Call, request: Request) -> Response:
    lists = select(call, request, s.PrefixList, RESOURCE_TYPE, "PrefixListIds", _FILTERS)
    tags = tag_sets(call, [p.id for p in lists])
    shapes = [_shape(call, p, tags) for p in lists]
    return paginate(request, shapes, "PrefixLists", "PrefixListIds", MAX_PAGE, smallest_page=1)


@operation("GetManagedPrefixListAssociations")
def get_managed_prefix_list_associations(call: Call, request: Request) -> Response:
    found = lookup(call, s.PrefixList, RESOURCE_TYPE, request["PrefixListId"])
    shapes = [{"ResourceId": user, "ResourceOwner": found.account_id} for user in users_of(call, found)]
    return paginate(request, shapes, "PrefixListAssociations", largest_page=MAX_ASSOCIATIONS_PAGE)


@operation("DeleteManagedPrefixList")
def delete_managed_prefix_list(call: Call, request: Request) -> Response:
    found = lookup(call, s.PrefixList, RESOURCE_TYPE, request["PrefixListId"])
    users = users_of(call, found)
    if users:
        raise errors.dependency_violation(
            f"The prefix list '{found.id}' is in use and cannot be deleted. Remove it first from: {', '.join(users)}."
        )
    shown = answer(call, replace(found, state="delete-complete"))
    call.tx.delete(s.PrefixListEntry, *(e.id for e in call.tx.all(s.PrefixListEntry, prefix_list_id=found.id)))
    call.tx.delete(s.PrefixList, found.id)
    delete_tags_of(call, found.id)
    return shown


@operation("DescribePrefixLists")
def describe_prefix_lists(_call: Call, request: Request) -> Response:
    for value in request.get("PrefixListIds") or []:
        check_id(RESOURCE_TYPE, value)
        raise errors.not_found(RESOURCE_TYPE, value)
    names: Mapping[str, Callable[[dict[str, Any]], object]] = {
        "prefix-list-id": lambda p: p["PrefixListId"],
        "prefix-list-name": lambda p: p["PrefixListName"],
    }
    return paginate(request, filtered([], request, names), "PrefixLists")


def users_of(call: Call, prefix_list: s.PrefixList) -> list[str]:
    """The ids of the resources that use a list."""
    return sorted({rule.group_id for rule in call.tx.all(s.SecurityGroupRule, prefix_list_id=prefix_list.id)})


def check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_TEXT or name.startswith(RESERVED_NAME):
        raise errors.invalid_value(
            "PrefixListName", name, f"1 to {MAX_TEXT} characters, which do not start with {RESERVED_NAME}"
        )


def check_size(call: Call, size: int) -> None:
    limit = call.settings.quotas.entries_per_prefix_list
    if not 1 <= size <= limit:
        raise errors.invalid_value("MaxEntries", size, f"1 to {limit}")


def check_count(request: Request, *names: str) -> None:
    """Refuse more entries in these members together than one request may have."""
    if sum(len(request.get(name) or []) for name in names) > MAX_ENTRIES_OF_REQUEST:
        raise ApiError(
            "InvalidParameterValue",
            f"{' and '.join(names)}: the number of entries per request cannot exceed the limit "
            f"({MAX_ENTRIES_OF_REQUEST}).",
        )


def check_room(prefix_list: s.PrefixList, count: int) -> None:
    """Refuse more entries than the list has room for."""
    if count > prefix_list.max_entries:
        raise ApiError(
            "PrefixListMaxEntriesExceeded",
            f"You've reached the maximum number of entries for the prefix list: {count} entries with MaxEntries "
            f"{prefix_list.max_entries}.",
        )


def requested_entries(family: str, name: str, given: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    """CIDR block → description of the entries that a request adds."""
    found: dict[str, str | None] = {}
    for number, entry in enumerate(given, 1):
        cidr, text = FAMILIES[family](entry["Cidr"]), entry.get("Description") or None
        if text is not None and len(text) > MAX_TEXT:
            raise errors.invalid_value(f"{name}.{number}.Description", text, f"at most {MAX_TEXT} characters")
        if cidr in found:
            raise errors.invalid_value(f"{name}.{number}.Cidr", entry["Cidr"], "each block once")
        found[cidr] = text
    return found


def new_entry(prefix_list: s.PrefixList, cidr: str, description: str | None) -> s.PrefixListEntry:
    """An entry that holds from the list's version on."""
    return s.PrefixListEntry(
        id=f"{prefix_list.id}/{prefix_list.version}/{cidr}",
        account_id=prefix_list.account_id,
        prefix_list_id=prefix_list.id,
        cidr=cidr,
        description=description,
        first_version=prefix_list.version,
        last_version=None,
    )


def answer(call: Call, prefix_list: s.PrefixList) -> Response:
    return {"PrefixList": _shape(call, prefix_list, tag_sets(call, [prefix_list.id]))}


def _shape(call: Call, prefix_list: s.PrefixList, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    owner = prefix_list.account_id
    return {
        "PrefixListId": prefix_list.id,
        "PrefixListArn": f"arn:aws:ec2:{call.settings.region}:{owner}:prefix-list/{prefix_list.id}",
        "PrefixListName": prefix_list.name,
        "AddressFamily": prefix_list.address_family,
        "State": prefix_list.state,
        "MaxEntries": prefix_list.max_entries,
        "Version": prefix_list.version,
        "OwnerId": owner,
        "Tags": tags[prefix_list.id],
    }
