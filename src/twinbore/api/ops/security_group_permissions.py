"""The permissions that a request names: `IpPermissions`, and the flat members that are older than they are.

One IpPermission is as many rules as it has sources. A source that is a security group is one of the same VPC; there are
no groups of other VPCs or accounts to reach, since VPCs do not peer here. SourceSecurityGroupName is short for all of
tcp, udp and icmp from that group.

References: EC2 API reference, AuthorizeSecurityGroupIngress, `IpPermission`, `UserIdGroupPair`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request
from twinbore.api.ops import permission_fields as fields
from twinbore.api.ops.common import lookup, refuse_others
from twinbore.api.ops.permission_fields import Permission
from twinbore.api.ops.security_group_names import source_named
from twinbore.model import security as s

FLAT: Final = ("IpProtocol", "FromPort", "ToPort", "CidrIp", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId")
EVERY_PORT: Final = (("tcp", 0, fields.MAX_PORT), ("udp", 0, fields.MAX_PORT), ("icmp", fields.EVERY, fields.EVERY))
"""What SourceSecurityGroupName allows."""


def requested_permissions(call: Call, group: s.SecurityGroup, request: Request, *, egress: bool) -> list[Permission]:
    """What a request of Authorize or Revoke names, each once."""
    flat: dict[str, Any] = {name: request[name] for name in FLAT if name in request}
    listed: list[dict[str, Any]] = request.get("IpPermissions") or []
    if egress and flat:
        raise errors.unsupported(f"{next(iter(flat))} is not supported for outbound rules: use IpPermissions instead.")
    if flat and listed:
        raise errors.combination(f"The parameter IpPermissions may not be used in combination with {next(iter(flat))}")
    if "SourceSecurityGroupName" in flat or "SourceSecurityGroupOwnerId" in flat:
        return _of_named_source(call, group, flat)
    if flat:
        if "CidrIp" not in flat:
            raise errors.missing_parameter("CidrIp")
        first, last = flat.get("FromPort"), flat.get("ToPort")
        permission: dict[str, Any] = {"IpProtocol": flat.get("IpProtocol"), "FromPort": first, "ToPort": last}
        return list(_spread(call, group, "", permission | {"IpRanges": [{"CidrIp": flat["CidrIp"]}]}))
    return listed_permissions(call, group, listed)


def _of_named_source(call: Call, group: s.SecurityGroup, flat: Mapping[str, Any]) -> list[Permission]:
    name, owner = flat.get("SourceSecurityGroupName"), flat.get("SourceSecurityGroupOwnerId")
    if name is None:
        raise errors.missing_parameter("SourceSecurityGroupName")
    others = [member for member in flat if not member.startswith("SourceSecurityGroup")]
    if others:
        raise errors.combination(
            f"The parameter SourceSecurityGroupName may not be used in combination with {others[0]}: use IpPermissions."
        )
    source = source_named(call, group, name)
    if owner not in (None, source.account_id):
        raise ApiError("InvalidGroup.NotFound", f"The security group '{name}' of the account '{owner}' does not exist")
    return [Permission(*ports, referenced_group_id=source.id) for ports in EVERY_PORT]


def listed_permissions(call: Call, group: s.SecurityGroup, listed: list[dict[str, Any]]) -> list[Permission]:
    """The permissions of IpPermissions, each once."""
    if not listed:
        raise errors.missing_parameter("IpPermissions")
    found: dict[Permission, Permission] = {}
    for number, item in enumerate(listed, 1):
        for permission in _spread(call, group, f"IpPermissions.{number}.", item):
            if permission.key in found:
                raise ApiError(
                    "InvalidParameterValue", f"The same permission must not appear multiple times ({permission})"
                )
            found[permission.key] = permission
    return list(found.values())


def _spread(call: Call, group: s.SecurityGroup, path: str, item: Mapping[str, Any]) -> Iterator[Permission]:
    """One IpPermission as its rules."""
    protocol = fields.protocol(f"{path}IpProtocol", item.get("IpProtocol"))
    first, last = fields.ports(protocol, item.get("FromPort"), item.get("ToPort"))
    sources = list(_sources(call, group, path, item))
    if not sources:
        raise errors.missing_parameter(f"{path}IpRanges, Ipv6Ranges, PrefixListIds or Groups")
    for source in sources:
        yield Permission(protocol, first, last, **source)


def _sources(call: Call, group: s.SecurityGroup, path: str, item: Mapping[str, Any]) -> Iterator[dict[str, str | None]]:
    for place in item.get("IpRanges") or []:
        block = fields.ipv4_block(_required(place, "CidrIp", f"{path}IpRanges"))
        yield {"cidr_ipv4": block, "description": fields.rule_description(place.get("Description"))}
    for place in item.get("Ipv6Ranges") or []:
        block = fields.ipv6_block(_required(place, "CidrIpv6", f"{path}Ipv6Ranges"))
        yield {"cidr_ipv6": block, "description": fields.rule_description(place.get("Description"))}
    for place in item.get("PrefixListIds") or []:
        key = prefix_list_of(call, _required(place, "PrefixListId", f"{path}PrefixListIds")).id
        yield {"prefix_list_id": key, "description": fields.rule_description(place.get("Description"))}
    for place in item.get("UserIdGroupPairs") or []:
        key = _group_of_pair(call, group, f"{path}Groups", place)
        yield {"referenced_group_id": key, "description": fields.rule_description(place.get("Description"))}


def _required(place: Mapping[str, Any], member: str, path: str) -> str:
    value: str | None = place.get(member)
    if value is None:
        raise errors.missing_parameter(f"{path}.{member}")
    return value


def _group_of_pair(call: Call, group: s.SecurityGroup, path: str, pair: dict[str, Any]) -> str:
    refuse_others(pair, "Description", "UserId", "GroupName", "GroupId")
    group_id, name = pair.get("GroupId"), pair.get("GroupName")
    if group_id is not None and name is not None:
        raise errors.combination(f"The parameters {path}.GroupId and {path}.GroupName cannot be used together.")
    if name is not None:
        found = source_named(call, group, name)
    elif group_id is not None:
        found = referenced_group(call, group, group_id)
    else:
        raise errors.missing_parameter(f"{path}.GroupId")
    if pair.get("UserId", found.account_id) != found.account_id:
        raise errors.not_found("security-group", found.id)
    return found.id


def referenced_group(call: Call, group: s.SecurityGroup, group_id: str) -> s.SecurityGroup:
    """The group that a rule of `group` names; it is one of the same VPC."""
    found = lookup(call, s.SecurityGroup, "security-group", group_id)
    if found.vpc_id != group.vpc_id:
        raise ApiError(
            "InvalidGroup.NotFound",
            f"You have specified two resources that belong to different networks: {group.id} of {group.vpc_id} and "
            f"{found.id} of {found.vpc_id}.",
        )
    return found


def prefix_list_of(call: Call, prefix_list_id: str) -> s.PrefixList:
    return lookup(call, s.PrefixList, "prefix-list", prefix_list_id)
