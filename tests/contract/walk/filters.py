"""Every filter of a listing, by what the listing itself shows.

A filter's name says where its value stands in an item: `attachment.vpc-id` is VpcAttachments[].VpcId. Each value that
stands there must bring exactly the items that have it, and a value that stands nowhere must bring none. Names that do
not say it are in `PLACES`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from tests.contract.walk import model
from tests.contract.walk.walker import Walker
from twinbore.api.differences import FILTERS

TRIED_VALUES: Final = 3
TAG: Final = "tag:Name"

PLACES: Final[dict[str, str]] = {
    "DescribeAvailabilityZones/message": "Messages.Message",
    "DescribeCustomerGateways/bgp-asn": "BgpAsn|BgpAsnExtended",
    "DescribeRouteTables/association.main": "Associations.Main",
    "DescribeVpnConnections/option.static-routes-only": "Options.StaticRoutesOnly",
    "DescribeVpcs/cidr": "CidrBlock",
    "DescribeNetworkInterfaces/addresses.primary": "PrivateIpAddresses.Primary",
    "DescribeNetworkInterfaces/addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
    "DescribeNetworkInterfaces/group-id": "Groups.GroupId",
    "DescribeNetworkAcls/association.association-id": "Associations.NetworkAclAssociationId",
    "DescribeNetworkAcls/default": "IsDefault",
    **{
        f"DescribeNetworkAcls/entry.{name}": f"Entries.{place}"
        for name, place in (
            *(("cidr", "CidrBlock"), ("egress", "Egress"), ("ipv6-cidr", "Ipv6CidrBlock"), ("protocol", "Protocol")),
            *(("icmp.code", "IcmpTypeCode.Code"), ("icmp.type", "IcmpTypeCode.Type")),
            *(("port-range.from", "PortRange.From"), ("port-range.to", "PortRange.To")),
            *(("rule-action", "RuleAction"), ("rule-number", "RuleNumber")),
        )
    },
    **{
        f"DescribeSecurityGroups/{prefix}ip-permission.{name}": f"IpPermissions{suffix}.{place}"
        for prefix, suffix in (("", ""), ("egress.", "Egress"))
        for name, place in (
            *(("cidr", "IpRanges.CidrIp"), ("ipv6-cidr", "Ipv6Ranges.CidrIpv6"), ("protocol", "IpProtocol")),
            *(("from-port", "FromPort"), ("to-port", "ToPort"), ("prefix-list-id", "PrefixListIds.PrefixListId")),
            *(("group-id", "UserIdGroupPairs.GroupId"), ("user-id", "UserIdGroupPairs.UserId")),
        )
    },
    "DescribeVpcs/cidr-block-association.state": "CidrBlockAssociationSet.CidrBlockState.State",
    "tag-key": "Tags.Key|TagSet.Key",
}
"""`operation/filter` or filter → the place, as names of members; `|` between places that are alike."""


def check_filters(walker: Walker, operation: str, member: str, but: tuple[str, ...] = (), **parameters: Any) -> None:
    """Try every filter of the operation on what it lists now in `member`; `but` are those that the example tries."""
    items: list[dict[str, Any]] = walker(operation, **parameters)[member]
    assert items, f"{operation} lists nothing"
    walker("DescribeTags")
    walker.effects[operation] |= {("Filters", "Name"), ("Filters", "Values")}
    for name in model.filters(operation):
        if name in but:
            continue
        if name in FILTERS.get(operation, {}):
            _check_unmatched(walker, operation, member, name, parameters)
        else:
            _check_filter(walker, operation, member, name, items, parameters)


def _find(walker: Walker, operation: str, member: str, name: str, value: str, more: dict[str, Any]) -> list[Any]:
    found: list[Any] = walker(operation, Filters=[{"Name": name, "Values": [value]}], **more)[member]
    return found


def _check_unmatched(walker: Walker, operation: str, member: str, name: str, more: dict[str, Any]) -> None:
    if _find(walker, operation, member, name, "*", more):
        walker.problems.append(f"{operation}: the filter {name} matches something, and is said to match nothing")
    else:
        walker.filtered[operation].add(name)


def _check_filter(
    walker: Walker, operation: str, member: str, name: str, items: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    place = PLACES.get(f"{operation}/{name}") or PLACES.get(name)
    having: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        for value in dict.fromkeys(_values(item, name, place)):
            having.setdefault(value, []).append(item)
    for value, expected in list(having.items())[:TRIED_VALUES]:
        found = _find(walker, operation, member, name, re.sub(r"([*?\\])", r"\\\1", value), more)
        if found != expected:
            walker.problems.append(
                f"{operation}: {name} = {value!r} brings {len(found)} of {len(items)}, not the {len(expected)} with it"
            )
    if _find(walker, operation, member, name, "no-such-value", more):
        walker.problems.append(f"{operation}: the filter {name} is without effect")
    elif having:
        walker.filtered[operation].add(name)


def _values(item: dict[str, Any], name: str, place: str | None) -> list[str]:
    if name == TAG:
        return _tagged(item)
    return _at(item, place) if place else _named(item, name)


def _tagged(item: dict[str, Any]) -> list[str]:
    """The values of the tag that filters are tried with; DescribeTags lists the tags themselves."""
    tags = item.get("Tags") or item.get("TagSet") or ([item] if "Key" in item else [])
    return [tag["Value"] for tag in tags if f"tag:{tag['Key']}" == TAG]


def _at(item: Any, place: str) -> list[str]:
    found = []
    for one in place.split("|"):
        values = [item]
        for step in one.split("."):
            values = [v[step] for v in _flat(values) if step in v]
        found += [_text(v) for v in _flat(values)]
    return found


def _flat(values: list[Any]) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list) else [value])]


def _named(item: Any, name: str) -> list[str]:
    """The values whose place is called as the filter is, each part of the way by a part of the name."""
    *way, last = [part.replace("-", "").lower() for part in re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).split(".")]
    return [_text(v) for path, v in _leaves(item, ()) if _fits(path, way, last)]


def _leaves(value: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for name, below in value.items() for leaf in _leaves(below, (*path, name.lower()))]
    if isinstance(value, list):
        return [leaf for below in value for leaf in _leaves(below, path)]
    return [(path, value)]


def _fits(path: tuple[str, ...], way: list[str], last: str) -> bool:
    if path[-1] == last and not way and len(path) == 1:
        return True
    if len(path) - 1 != len(way) or not way:
        return False
    leaf_fits = path[-1] == last or path[-1] == way[-1] + last
    return leaf_fits and all(
        part.startswith(w) or part.removesuffix("s").endswith(w) for part, w in zip(path, way, strict=False)
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)
