"""What every operation needs: finding resources by id, Describe's ids and filters, pages.

References: EC2 API reference, "Listing and filtering your resources"; "Pagination".
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any, Final, TypeVar

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request
from twinbore.api.ops.tagging import delete_tags_of, tag_on_create, tag_set, tag_sets
from twinbore.model import resources as r
from twinbore.model.ids import PREFIXES, is_id, new_id

__all__ = [
    "absent",
    "canonical_cidr",
    "check_id",
    "cidr",
    "delete_tags_of",
    "filtered",
    "id_of_request",
    "lookup",
    "paginate",
    "refuse_others",
    "select",
    "tag_on_create",
    "tag_set",
    "tag_sets",
    "taken",
]

Row = TypeVar("Row")
Filters = Mapping[str, Callable[[Row], object]]

Pattern = Callable[[str], bool]

MAX_FILTERS: Final = 50
MAX_FILTER_VALUES: Final = 200
MAX_WILD_LENGTH: Final = 255
"""Amazon EC2 User Guide, "Find your Amazon EC2 resources": 50 filters, 200 values of each, 255 characters."""

MAX_CLIENT_TOKEN: Final = 64
MIN_PAGE: Final = 5
MAX_PAGE: Final = 1000
_CIDR: Final = re.compile(r"[0-9.]+/(0|[1-9][0-9]?)", re.ASCII)
_PLACE: Final = "twinbore:"


def lookup(call: Call, kind: type[Row], resource_type: str, value: str) -> Row:
    """The caller's resource with this id. Raises the type's Malformed or NotFound error."""
    check_id(resource_type, value)
    row: Any = call.tx.get(kind, value)
    if row is None or row.account_id != call.account_id:
        raise errors.not_found(resource_type, value)
    found: Row = row
    return found


def check_id(resource_type: str, value: str) -> None:
    """Refuse what does not have the form of an id of the type."""
    if not is_id(resource_type, value):
        raise errors.malformed_id(resource_type, value, f"{PREFIXES[resource_type]}-...")


def id_of_request(call: Call, request: Request, resource_type: str) -> str:
    """The id for what a Create request makes: made of its ClientToken when it has one, else a new one.

    So a request that is sent again (clients do when an answer is lost) finds what the first one has made, for as long
    as that exists.
    """
    token: str | None = request.get("ClientToken")
    if not token:
        return call.new_id(resource_type)
    if len(token) > MAX_CLIENT_TOKEN:
        raise errors.invalid_value("ClientToken", token, f"at most {MAX_CLIENT_TOKEN} characters")
    digest = hashlib.sha256(f"{call.account_id}/{resource_type}/{token}".encode()).hexdigest()
    return new_id(resource_type, lambda digits: digest[:digits])


def select(  # noqa: PLR0917 - the same six in every Describe
    call: Call,
    request: Request,
    kind: type[Row],
    resource_type: str,
    ids_member: str | None,
    filters: Filters[Row],
    *,
    tags: bool = True,
) -> list[Row]:
    """The caller's resources that a Describe request names and that its filters let through.

    A filter function gives what a resource has: a scalar, None, or several values. Filters are joined by "and", their
    values by "or"; `*` and `?` are wildcards, a backslash takes their meaning away. `tag:<key>`, `tag-key` and
    `tag-value` are known everywhere.
    """
    wanted: list[str] = (request.get(ids_member) or []) if ids_member else []
    for value in wanted:
        check_id(resource_type, value)
    rows: list[Row] = call.tx.all(kind, account_id=call.account_id, **({"id": wanted} if wanted else {}))
    identified = {row.id: row for row in rows}  # type: ignore[attr-defined]
    for value in wanted:
        if value not in identified:
            raise errors.not_found(resource_type, value)
    chosen = [identified[value] for value in dict.fromkeys(wanted)] if wanted else rows
    return filtered(chosen, request, {**filters, **_tag_filters(call, request)} if tags else filters)


def filtered(items: list[Row], request: Request, filters: Filters[Row]) -> list[Row]:
    """The items that every filter of the request lets through. Raises InvalidParameterValue for an unknown one."""
    chosen = items
    entries = request.get("Filters") or []
    if len(entries) > MAX_FILTERS:
        raise ApiError("FilterLimitExceeded", f"The request has {len(entries)} filters. Allowed: {MAX_FILTERS}.")
    for entry in entries:
        name = entry.get("Name")
        if name is None:
            raise errors.missing_parameter("Filter.Name")
        if name not in filters:
            raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
        values = entry.get("Values") or []
        if len(values) > MAX_FILTER_VALUES:
            raise ApiError(
                "FilterLimitExceeded", f"The filter {name} has {len(values)} values. Allowed: {MAX_FILTER_VALUES}."
            )
        patterns = [_pattern(name, str(value)) for value in values]
        if not patterns:
            raise errors.missing_parameter(f"Filter.Value of the filter {name}")
        chosen = [item for item in chosen if _passes(filters[name](item), patterns)]
    return chosen


def absent(*names: str) -> dict[str, Callable[[Any], object]]:
    """Filters that AWS documents for what no resource here has: known, and without a match."""
    return {name: lambda _: None for name in names}


def refuse_others(request: Request, *supported: str) -> None:
    """Refuse every parameter that is set (to other than false, zero or empty) and that is not among `supported`.

    AWS knows the parameter, or the codec had refused it; to ignore it would promise what nobody does. The frame would
    refuse it in the end; this does so before anything else is looked at, and lets pass what asks for nothing.
    """
    for name in [name for name in request if name not in supported]:
        if request[name]:
            raise errors.unsupported(f"The parameter {name} is not supported by Twinbore: leave it out.")


def taken(request: Request, *names: str) -> None:
    """Take members that need nothing done, whatever their value: it asks for what is so in any case."""
    for name in names:
        request.get(name)


def _tag_filters(call: Call, request: Request) -> dict[str, Callable[[Any], object]]:
    """The filters over tags that the request has."""
    names = {str(entry.get("Name")) for entry in request.get("Filters") or []}
    wanted = {name for name in names if name in ("tag-key", "tag-value") or name.startswith("tag:")}
    if not wanted:
        return {}
    by_resource: defaultdict[str, list[r.Tag]] = defaultdict(list)
    for tag in call.tx.all(r.Tag, account_id=call.account_id):
        by_resource[tag.resource_id].append(tag)

    def values(name: str) -> Callable[[Any], object]:
        if name == "tag-key":
            return lambda row: [tag.key for tag in by_resource[row.id]]
        if name == "tag-value":
            return lambda row: [tag.value for tag in by_resource[row.id]]
        return lambda row: [tag.value for tag in by_resource[row.id] if tag.key == name.removeprefix("tag:")]

    return {name: values(name) for name in wanted}


def _passes(value: object, patterns: list[Pattern]) -> bool:
    values: Iterable[object] = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    return any(matches(_text(v)) for v in values if v is not None for matches in patterns)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pattern(name: str, text: str) -> Pattern:
    """A filter's value as a predicate. What a `*` has passed is not tried again (atomic groups), which changes no match
    and keeps the time to length times length, whatever a client has written."""
    pieces, plain = [""], ""
    escaped = wild = False
    for character in text:
        if escaped or character not in "*?\\":
            pieces[-1] += re.escape(character)
            plain += character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            wild = True
            if character == "*":
                pieces.append("")
            else:
                pieces[-1] += "."
    if not wild:
        return plain.__eq__
    if len(text) > MAX_WILD_LENGTH:
        raise errors.invalid_value(
            f"Filter.Value of the filter {name}", text, f"at most {MAX_WILD_LENGTH} characters where it has wildcards"
        )
    first, *others = pieces
    middle = "".join(f"(?>.*?{piece})" for piece in others[:-1] if piece)
    whole = re.compile(first + middle + (".*" + others[-1] if others else ""), re.DOTALL)
    return lambda value: whole.fullmatch(value) is not None


def paginate(
    request: Request,
    items: list[dict[str, Any]],
    member: str,
    ids_member: str | None = None,
    largest_page: int = MAX_PAGE,
    *,
    smallest_page: int = MIN_PAGE,
) -> dict[str, Any]:
    """One page of `items` as an answer: `member` and, when there is more, `NextToken`.

    A token is the place to go on from, in a form that says so to nobody. Raises InvalidNextToken, InvalidMaxResults,
    and InvalidParameterCombination for pages of resources that were asked for by `ids_member`.
    """
    start = _start(request.get("NextToken"))
    size = request.get("MaxResults")
    if size is None:
        return {member: items[start:]}
    if ids_member and request.get(ids_member):
        raise errors.combination(f"The parameter {ids_member} cannot be used with the parameter MaxResults")
    if not smallest_page <= size <= largest_page:
        raise ApiError(
            "InvalidMaxResults",
            f"Value ({size}) for parameter MaxResults is invalid. Allowed: {smallest_page} to {largest_page}.",
        )
    answer: dict[str, Any] = {member: items[start : start + size]}
    if start + size < len(items):
        answer["NextToken"] = base64.urlsafe_b64encode(f"{_PLACE}{start + size}".encode()).decode()
    return answer


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        match = re.fullmatch(_PLACE + "([0-9]{1,9})", base64.urlsafe_b64decode(token.encode()).decode())
    except ValueError:
        match = None
    if match is None:
        raise ApiError("InvalidNextToken", f"The token '{token}' is invalid: use NextToken of the answer before.")
    return int(match[1])


def cidr(name: str, text: str) -> IPv4Network:
    """An IPv4 CIDR block without host bits. Raises InvalidParameterValue in AWS's words."""
    network = canonical_cidr(name, text)
    if str(network) != text:
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter {name} is invalid. The CIDR block has host bits set; use {network}.",
        )
    return network


def canonical_cidr(name: str, text: str) -> IPv4Network:
    """An IPv4 CIDR block in its canonical form: host bits are cleared. Raises InvalidParameterValue in AWS's words."""
    invalid = f"Value ({text}) for parameter {name} is invalid."
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        network = None
    if network is None or not _CIDR.fullmatch(text):
        raise ApiError(
            "InvalidParameterValue",
            f"{invalid} This is not a valid CIDR block (IPv4, as 10.0.0.0/16).",
        )
    return network
