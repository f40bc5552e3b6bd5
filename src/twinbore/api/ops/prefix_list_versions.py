"""Versions of managed prefix lists: each change of the entries makes one, and older ones can be read and restored.

A version is kept until there are more of them than the quota; then the oldest goes, as with AWS. Who changes entries
may say which version that is meant for, and is refused when it is not the current one any more. Entries and MaxEntries
change in requests of their own; the name and MaxEntries make no version.

References: EC2 API reference, ModifyManagedPrefixList, RestoreManagedPrefixListVersion, GetManagedPrefixListEntries;
Amazon VPC User Guide, "Amazon VPC quotas" (versions per prefix list).
"""

from __future__ import annotations

from typing import Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import lookup, paginate, refuse_others
from twinbore.api.ops.prefix_lists import (
    FAMILIES,
    MAX_PAGE,
    RESOURCE_TYPE,
    answer,
    check_count,
    check_name,
    check_room,
    check_size,
    new_entry,
    requested_entries,
)
from twinbore.api.ops.security_group_quota import check_rules
from twinbore.model import security as s

MODIFIED: Final = "modify-complete"
RESTORED: Final = "restore-complete"


@operation("ModifyManagedPrefixList")
def modify_managed_prefix_list(call: Call, request: Request) -> Response:
    changes = ("PrefixListName", "AddEntries", "RemoveEntries", "MaxEntries")
    refuse_others(request, "PrefixListId", "CurrentVersion", *changes)
    found = _lookup(call, request)
    check_count(request, "AddEntries", "RemoveEntries")
    given = [name for name in changes if request.get(name) is not None and request[name] != []]
    if not given:
        raise errors.missing_parameter("PrefixListName, AddEntry, RemoveEntry or MaxEntries")
    if request.get("CurrentVersion") is not None:
        _check_version(found, request["CurrentVersion"])
    if "PrefixListName" in given:
        check_name(request["PrefixListName"])
        found = call.tx.update(found, name=request["PrefixListName"], state=MODIFIED)
    entries = [name for name in ("AddEntries", "RemoveEntries") if name in given]
    if "MaxEntries" in given:
        if entries:
            raise errors.combination(
                f"MaxEntries and {entries[0]} cannot be used together: the size and the entries of a prefix list are "
                "modified one after the other."
            )
        return answer(call, _resize(call, found, request["MaxEntries"]))
    if entries:
        found = _new_version(call, found, _changed_entries(call, found, request), MODIFIED)
    return answer(call, found)


@operation("RestoreManagedPrefixListVersion")
def restore_managed_prefix_list_version(call: Call, request: Request) -> Response:
    """A new version with the entries of an earlier one."""
    found = _lookup(call, request)
    _check_version(found, request["CurrentVersion"])
    earlier = _entries(call, found, "PreviousVersion", request["PreviousVersion"])
    return answer(call, _new_version(call, found, {e.cidr: e.description for e in earlier}, RESTORED))


@operation("GetManagedPrefixListEntries")
def get_managed_prefix_list_entries(call: Call, request: Request) -> Response:
    found = _lookup(call, request)
    version = found.version if request.get("TargetVersion") is None else request["TargetVersion"]
    shapes = [
        {"Cidr": entry.cidr, "Description": entry.description}
        for entry in _entries(call, found, "TargetVersion", version)
    ]
    return paginate(request, shapes, "Entries", largest_page=MAX_PAGE, smallest_page=1)


def _lookup(call: Call, request: Request) -> s.PrefixList:
    return lookup(call, s.PrefixList, RESOURCE_TYPE, request["PrefixListId"])


def _check_version(found: s.PrefixList, given: int) -> None:
    if given != found.version:
        raise ApiError(
            "PrefixListVersionMismatch",
            f"The prefix list has the incorrect version number: {found.id} has version {found.version}, "
            f"CurrentVersion is {given}.",
        )


def _entries(call: Call, found: s.PrefixList, name: str, version: int) -> list[s.PrefixListEntry]:
    """The entries of a version that is there."""
    oldest = _oldest(call, found.version)
    if not oldest <= version <= found.version:
        raise errors.invalid_value(name, version, f"{oldest} to {found.version}, the versions of {found.id}")
    return s.entries_at(call.tx.all(s.PrefixListEntry, prefix_list_id=found.id), version)


def _oldest(call: Call, version: int) -> int:
    """The oldest version that is kept when this is the newest."""
    return max(1, version - call.settings.quotas.versions_per_prefix_list + 1)


def _resize(call: Call, found: s.PrefixList, size: int) -> s.PrefixList:
    """Another MaxEntries, which the entries and every security group that uses the list have to bear."""
    check_size(call, size)
    resized = call.tx.update(found, max_entries=size, state=MODIFIED)
    check_room(resized, len(_entries(call, found, "TargetVersion", found.version)))
    for group_id in sorted({x.group_id for x in call.tx.all(s.SecurityGroupRule, prefix_list_id=found.id)}):
        check_rules(call, group_id, call.tx.all(s.SecurityGroupRule, group_id=group_id))
    return resized


def _changed_entries(call: Call, found: s.PrefixList, request: Request) -> dict[str, str | None]:
    """CIDR block → description, as a request changes them."""
    entries = {e.cidr: e.description for e in _entries(call, found, "CurrentVersion", found.version)}
    canonical = FAMILIES[found.address_family]
    removed = [canonical(entry["Cidr"]) for entry in request.get("RemoveEntries") or []]
    added = requested_entries(found.address_family, "AddEntry", request.get("AddEntries") or [])
    for cidr in removed:
        if cidr in added:
            raise ApiError(
                "InvalidParameterValue",
                f"Request cannot contain Cidr {cidr} in both AddPrefixListEntries and RemovePrefixListEntries",
            )
        if cidr not in entries:
            raise ApiError("InvalidPrefixListModification", f"RemoveEntry: {cidr} is not an entry of {found.id}.")
        del entries[cidr]
    for cidr in added:
        if cidr in entries:
            raise ApiError(
                "InvalidRequest",
                f"AddEntry: {cidr} is an entry of {found.id} already. Remove it first to give it another description.",
            )
    return entries | added


def _new_version(call: Call, found: s.PrefixList, entries: dict[str, str | None], state: str) -> s.PrefixList:
    """Store the next version with these entries, and forget what no version needs any more."""
    check_room(found, len(entries))
    stored = call.tx.all(s.PrefixListEntry, prefix_list_id=found.id)
    new = call.tx.update(found, version=found.version + 1, state=state)
    kept: set[str] = set()
    for entry in s.entries_at(stored, found.version):
        if entry.cidr in entries and entries[entry.cidr] == entry.description:
            kept.add(entry.cidr)
        else:
            call.tx.update(entry, last_version=found.version)
    call.tx.insert(*(new_entry(new, cidr, text) for cidr, text in entries.items() if cidr not in kept))
    oldest = _oldest(call, new.version)
    gone = [e.id for e in stored if e.last_version is not None and e.last_version < oldest]
    call.tx.delete(s.PrefixListEntry, *gone)
    return new
