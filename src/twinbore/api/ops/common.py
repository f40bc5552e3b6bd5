"""What every operation needs: finding resources by id, Describe's ids and filters, pages.

References: EC2 API reference, "Listing and filtering your resources"; "Pagination".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import AddressValueError, IPv4Network
from typing import Any, Final, TypeVar

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request
from twinbore.api.ops.tagging import delete_tags_of, tag_on_create, tag_set, tag_sets
from twinbore.model import resources as r
from twinbore.model.ids import PREFIXES, is_id

__all__ = [
    "cidr",
    "delete_tags_of",
    "lookup",
    "matching",
    "paginate",
    "select",
    "tag_on_create",
    "tag_set",
    "tag_sets",
]

Row = TypeVar("Row")
Filters = Mapping[str, Callable[[Row], object]]

MIN_PAGE: Final = 5
MAX_PAGE: Final = 1000


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
    rows: list[Row] = call.tx.all(kind, account_id=call.account_id)
    identified = {row.id: row for row in rows}  # type: ignore[attr-defined]
    for value in wanted:
        if value not in identified:
            raise errors.not_found(resource_type, value)
    chosen = [identified[value] for value in dict.fromkeys(wanted)] if wanted else rows
    by_resource: dict[str, list[r.Tag]] = {}
    if tags and any(str(f.get("Name", "")).startswith("tag") for f in request.get("Filters") or []):
        for tag in call.tx.all(r.Tag, account_id=call.account_id):
            by_resource.setdefault(tag.resource_id, []).append(tag)
    return matching(request, chosen, filters, by_resource if tags else None)


def matching(
    request: Request,
    rows: list[Row],
    filters: Filters[Row],
    tags: Mapping[str, list[r.Tag]] | None = None,
) -> list[Row]:
    """The rows that every filter of the request lets through. `tags` by resource id, None where there are no tags."""
    chosen = rows
    for entry in request.get("Filters") or []:
        values = _values_of(entry, filters, tags)
        patterns = [_pattern(str(value)) for value in entry.get("Values") or []]
        chosen = [row for row in chosen if _passes(values(row), patterns)]
    return chosen


def _values_of(
    entry: Mapping[str, Any], filters: Filters[Any], tags: Mapping[str, list[r.Tag]] | None
) -> Callable[[Any], object]:
    name = entry.get("Name")
    if name is None:
        raise errors.missing_parameter("Filter.Name")
    if tags is not None and name.startswith("tag:"):
        return lambda row: [t.value for t in tags.get(row.id, []) if t.key == name[4:]]
    if tags is not None and name == "tag-key":
        return lambda row: [t.key for t in tags.get(row.id, [])]
    if tags is not None and name == "tag-value":
        return lambda row: [t.value for t in tags.get(row.id, [])]
    if name not in filters:
        raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return filters[name]


def _passes(value: object, patterns: list[re.Pattern[str]]) -> bool:
    values: Iterable[object] = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    return any(p.fullmatch(_text(v)) for v in values if v is not None for p in patterns)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pattern(text: str) -> re.Pattern[str]:
    pieces: list[str] = []
    escaped = False
    for character in text:
        if escaped or character not in "*?\\":
            pieces.append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            pieces.append(".*" if character == "*" else ".")
    return re.compile("".join(pieces), re.DOTALL)


def paginate(request: Request, items: list[dict[str, Any]], member: str) -> dict[str, Any]:
    """One page of `items` as an answer: `member` and, when there is more, `NextToken`."""
    start = 0
    if token := request.get("NextToken"):
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("twinbore:"))
        except ValueError:
            raise ApiError("InvalidNextToken", f"The token '{token}' is invalid.") from None
    size = request.get("MaxResults")
    if size is None:
        return {member: items[start:]}
    if not MIN_PAGE <= size <= MAX_PAGE:
        raise errors.invalid_value("MaxResults", size, f"a number from {MIN_PAGE} to {MAX_PAGE}")
    answer: dict[str, Any] = {member: items[start : start + size]}
    if start + size < len(items):
        answer["NextToken"] = base64.urlsafe_b64encode(f"twinbore:{start + size}".encode()).decode()
    return answer


def cidr(name: str, text: str) -> IPv4Network:
    """An IPv4 CIDR block without host bits. Raises InvalidParameterValue in AWS's words."""
    try:
        return IPv4Network(text)
    except (AddressValueError, ValueError):
        pass
    try:
        canonical = IPv4Network(text, strict=False)
    except (AddressValueError, ValueError):
        raise ApiError(
            "InvalidParameterValue", f"Value ({text}) for parameter {name} is invalid. This is not a valid CIDR block."
        ) from None
    raise ApiError(
        "InvalidParameterValue",
        f"Value ({text}) for parameter {name} is invalid. The CIDR block has host bits set; use {canonical}.",
    )
