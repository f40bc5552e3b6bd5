"""Entries of network ACLs: rules with a number in each direction, the lowest that matches decides.

Protocols are numbers here, unlike in security groups. tcp (6) and udp (17) need a port range; icmp (1), and icmpv6 (58)
with an IPv6 block, need type and code; for the others AWS documents that ports, types and codes have no meaning, so
they are not kept. CIDR blocks are cut to their network address, as AWS does.

References: EC2 API reference, CreateNetworkAclEntry, ReplaceNetworkAclEntry, DeleteNetworkAclEntry, `NetworkAclEntry`;
Amazon VPC User Guide, "Network ACL rules", "Amazon VPC quotas" (rules are counted for each direction).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.members import read_all
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import permission_fields as fields
from twinbore.api.ops.common import lookup
from twinbore.model import security as s

LAST_NUMBER: Final = 32767
"""The entry that denies the rest; those that can be made are below."""

FIRST_RULE: Final = 100
EVERYWHERE: Final = "0.0.0.0/0"
ACTIONS: Final = ("allow", "deny")
ICMP: Final = "1"
ICMPV6: Final = "58"
PAIRS: Final = {"IcmpTypeCode": ("Icmp", "Type", "Code"), "PortRange": ("PortRange", "From", "To")}
"""Member of a request → its name on the wire, and its own members."""

NUMBERS: Final[Mapping[str, str]] = {name: number for number, name in fields.NUMBERS.items()}


@operation("CreateNetworkAclEntry")
def create_network_acl_entry(call: Call, request: Request) -> Response:
    acl = lookup(call, s.NetworkAcl, "network-acl", request["NetworkAclId"])
    entry = _requested(acl, request)
    if call.tx.get(s.NetworkAclEntry, entry.id) is not None:
        raise ApiError(
            "NetworkAclEntryAlreadyExists", f"The network acl entry identified by {entry.rule_number} already exists."
        )
    present = call.tx.all(s.NetworkAclEntry, network_acl_id=acl.id, egress=entry.egress)
    limit = call.settings.quotas.rules_per_network_acl
    if len(present) >= limit:
        way = "outbound" if entry.egress else "inbound"
        raise errors.limit_exceeded("NetworkAclEntryLimitExceeded", f"{way} entries of {acl.id}", limit)
    call.tx.insert(entry)
    return {}


@operation("ReplaceNetworkAclEntry")
def replace_network_acl_entry(call: Call, request: Request) -> Response:
    acl = lookup(call, s.NetworkAcl, "network-acl", request["NetworkAclId"])
    entry = _requested(acl, request)
    _check_present(call, acl, entry.rule_number, entry.egress)
    call.tx.update(entry)
    return {}


@operation("DeleteNetworkAclEntry")
def delete_network_acl_entry(call: Call, request: Request) -> Response:
    acl = lookup(call, s.NetworkAcl, "network-acl", request["NetworkAclId"])
    number, egress = request["RuleNumber"], request["Egress"]
    _check_number(number)
    _check_present(call, acl, number, egress)
    call.tx.delete(s.NetworkAclEntry, _id(acl, egress, number))
    return {}


def allow_everything(acl: s.NetworkAcl) -> list[s.NetworkAclEntry]:
    """The entries of a default ACL, one for each direction."""
    return [_for_everything(acl, egress, FIRST_RULE, "allow") for egress in (False, True)]


def last_entries(acl: s.NetworkAcl) -> list[s.NetworkAclEntry]:
    """What ends an ACL in each direction; not stored."""
    return [_for_everything(acl, egress, LAST_NUMBER, "deny") for egress in (False, True)]


def entry_shape(entry: s.NetworkAclEntry) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "RuleNumber": entry.rule_number,
        "Egress": entry.egress,
        "Protocol": entry.protocol,
        "RuleAction": entry.rule_action,
        "CidrBlock": entry.cidr_block,
        "Ipv6CidrBlock": entry.ipv6_cidr_block,
    }
    if entry.icmp_type is not None:
        shape["IcmpTypeCode"] = {"Type": entry.icmp_type, "Code": entry.icmp_code}
    if entry.from_port is not None:
        shape["PortRange"] = {"From": entry.from_port, "To": entry.to_port}
    return shape


def _requested(acl: s.NetworkAcl, request: Request) -> s.NetworkAclEntry:
    number, egress, action = request["RuleNumber"], request["Egress"], request["RuleAction"]
    _check_number(number)
    if action not in ACTIONS:
        raise errors.invalid_value("RuleAction", action, " or ".join(ACTIONS))
    blocks = [name for name in ("CidrBlock", "Ipv6CidrBlock") if request.get(name) is not None]
    if len(blocks) != 1:
        raise errors.combination(
            f"Exactly one of CidrBlock and Ipv6CidrBlock is needed; given: {' and '.join(blocks) or 'none'}."
        )
    ipv4 = fields.ipv4_block(request["CidrBlock"]) if blocks == ["CidrBlock"] else None
    ipv6 = fields.ipv6_block(request["Ipv6CidrBlock"]) if ipv4 is None else None
    name = fields.protocol("Protocol", request["Protocol"])
    protocol = NUMBERS.get(name, name)
    icmp = protocol == ICMP or (protocol == ICMPV6 and ipv6 is not None)
    kind, code = _pair(request, "IcmpTypeCode", "icmp") if icmp else (None, None)
    first, last = _pair(request, "PortRange", name) if name in ("tcp", "udp") else (None, None)
    for member in PAIRS:
        read_all(request.get(member))  # AWS documents that other protocols' have no meaning
    return s.NetworkAclEntry(
        id=_id(acl, egress, number),
        account_id=acl.account_id,
        network_acl_id=acl.id,
        egress=egress,
        rule_number=number,
        protocol=protocol,
        rule_action=action,
        cidr_block=ipv4,
        ipv6_cidr_block=ipv6,
        icmp_type=kind,
        icmp_code=code,
        from_port=first,
        to_port=last,
    )


def _pair(request: Request, member: str, protocol: str) -> tuple[int | None, int | None]:
    """The two numbers that this protocol needs."""
    wire_name, *names = PAIRS[member]
    given: Mapping[str, int] = request.get(member) or {}
    for name in names:
        if given.get(name) is None:
            raise errors.missing_parameter(f"{wire_name}.{name}")
    first, last = (given[name] for name in names)
    return fields.ports(protocol, first, last)


def _check_number(number: int) -> None:
    if not 1 <= number < LAST_NUMBER:
        raise errors.invalid_value("RuleNumber", number, f"1 to {LAST_NUMBER - 1}")


def _check_present(call: Call, acl: s.NetworkAcl, number: int, egress: bool) -> None:
    if call.tx.get(s.NetworkAclEntry, _id(acl, egress, number)) is None:
        way = "outbound" if egress else "inbound"
        raise ApiError(
            "InvalidNetworkAclEntry.NotFound",
            f"The network acl entry identified by {number} ({way}) does not exist in {acl.id}.",
        )


def _id(acl: s.NetworkAcl, egress: bool, number: int) -> str:
    return f"{acl.id}/{'out' if egress else 'in'}/{number}"


def _for_everything(acl: s.NetworkAcl, egress: bool, number: int, action: str) -> s.NetworkAclEntry:
    return s.NetworkAclEntry(
        id=_id(acl, egress, number),
        account_id=acl.account_id,
        network_acl_id=acl.id,
        egress=egress,
        rule_number=number,
        protocol=fields.ALL_PROTOCOLS,
        rule_action=action,
        cidr_block=EVERYWHERE,
        ipv6_cidr_block=None,
        icmp_type=None,
        icmp_code=None,
        from_port=None,
        to_port=None,
    )
