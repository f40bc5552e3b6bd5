"""The fields of a rule of a security group: what clients may write, and the one form that each is stored in.

Pure: text and numbers in, the stored form out, or the refusal that names the field. Two requests for the same rule give
equal `Permission`s, whatever their spelling (`6` or `tcp`, 10.0.0.9/24 or 10.0.0.0/24), which is how duplicates are
seen and how a rule to revoke is found.

* tcp and udp need both ports; icmp needs type and code; icmpv6 may go without (then all of them).
* Other protocols, and `-1` for all of them, have no ports: AWS documents that those given have no meaning.
* CIDR blocks are cut to their network address, as AWS does here (and not for VPCs).

References: EC2 API reference, `IpPermission`, `SecurityGroupRuleRequest`, CreateSecurityGroup (characters); IANA,
"Protocol Numbers"; RFC 5952 (text of IPv6 addresses).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.model.security import SecurityGroupRule

MAX_TEXT: Final = 255
MAX_PORT: Final = 65535
MAX_ICMP: Final = 255
MAX_PROTOCOL: Final = 255
EVERY: Final = -1
ALL_PROTOCOLS: Final = "-1"
NUMBERS: Final = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
_CHARACTERS: Final = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*", re.ASCII)
_PREFIX: Final = re.compile(r"[0-9a-fA-F.:]+/[0-9]{1,3}", re.ASCII)
ALLOWED_TEXT: Final = f"at most {MAX_TEXT} characters of a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"


@dataclass(frozen=True, slots=True)
class Permission:
    """A rule without its group and direction: exactly one of the last four but the description is set."""

    protocol: str
    from_port: int | None
    to_port: int | None
    cidr_ipv4: str | None = None
    cidr_ipv6: str | None = None
    prefix_list_id: str | None = None
    referenced_group_id: str | None = None
    description: str | None = None

    @property
    def key(self) -> Permission:
        """What makes two rules of a group and direction the same: everything but the description."""
        return replace(self, description=None)

    def __str__(self) -> str:
        """In AWS's words."""
        peer = self.cidr_ipv4 or self.cidr_ipv6 or self.prefix_list_id or self.referenced_group_id
        name = "ALL" if self.protocol == ALL_PROTOCOLS else self.protocol.upper()
        ports = "" if self.from_port is None else f", from port: {self.from_port}, to port: {self.to_port}"
        return f"peer: {peer}, {name}{ports}, ALLOW"


def permission_of(rule: SecurityGroupRule) -> Permission:
    """A stored rule as a permission."""
    return Permission(
        protocol=rule.protocol,
        from_port=rule.from_port,
        to_port=rule.to_port,
        cidr_ipv4=rule.cidr_ipv4,
        cidr_ipv6=rule.cidr_ipv6,
        prefix_list_id=rule.prefix_list_id,
        referenced_group_id=rule.referenced_group_id,
        description=rule.description,
    )


def protocol(name: str, text: str | None) -> str:
    """A protocol as it is stored: a name of `NUMBERS`, another number as text, or -1."""
    if not text:
        raise errors.missing_parameter(name)
    lower = text.lower()
    if lower in (ALL_PROTOCOLS, "all"):
        return ALL_PROTOCOLS
    if lower in NUMBERS.values():
        return lower
    if re.fullmatch(r"[0-9]{1,3}", lower, re.ASCII) and int(lower) <= MAX_PROTOCOL:
        number = str(int(lower))
        return NUMBERS.get(number, number)
    raise ApiError(
        "InvalidParameterValue",
        f"Invalid value '{text}' for IP protocol. Unknown protocol. Allowed {name}: "
        f"{', '.join(NUMBERS.values())}, a number from 0 to {MAX_PROTOCOL}, or -1 for all.",
    )


def ports(protocol_name: str, first: int | None, last: int | None) -> tuple[int | None, int | None]:
    """FromPort and ToPort as they are stored for this protocol."""
    if protocol_name in ("tcp", "udp"):
        return _ports(first, last)
    if protocol_name in ("icmp", "icmpv6"):
        return _icmp(protocol_name, first, last)
    return None, None


def _ports(first: int | None, last: int | None) -> tuple[int, int]:
    if first is None or last is None:
        raise ApiError(
            "InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
        )
    for port in (first, last):
        if not 0 <= port <= MAX_PORT:
            raise ApiError("InvalidParameterValue", f"TCP/UDP port ({port}) out of range. Allowed: 0 to {MAX_PORT}.")
    if first > last:
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid TCP/UDP port range ({first}:{last}). Allowed: FromPort not greater than ToPort.",
        )
    return first, last


def _icmp(protocol_name: str, kind: int | None, code: int | None) -> tuple[int, int]:
    if kind is None and code is None and protocol_name == "icmpv6":
        return EVERY, EVERY
    if kind is None or code is None:
        raise ApiError(
            "InvalidParameterValue",
            "Invalid value for portRange. Must specify both from and to ports with ICMP: its type (FromPort) and code "
            "(ToPort), -1 for all.",
        )
    for what, number in (("type", kind), ("code", code)):
        if not EVERY <= number <= MAX_ICMP:
            raise ApiError(
                "InvalidParameterValue", f"ICMP {what} ({number}) out of range. Allowed: 0 to {MAX_ICMP}, -1 for all."
            )
    if kind == EVERY and code != EVERY:
        raise ApiError("InvalidParameterValue", f"ICMP code ({code}) out of range. Allowed for all types (-1): -1.")
    return kind, code


def ipv4_block(text: str) -> str:
    """An IPv4 CIDR block, cut to its network address."""
    return _block(IPv4Network, text, "IPv4, as 10.0.0.0/16")


def ipv6_block(text: str) -> str:
    """An IPv6 CIDR block, cut to its network address."""
    return _block(IPv6Network, text, "IPv6, as 2001:db8::/32")


def _block(kind: type[IPv4Network] | type[IPv6Network], text: str, form: str) -> str:
    try:
        if _PREFIX.fullmatch(text):
            return str(kind(text, strict=False))
    except ValueError:
        pass
    raise ApiError("InvalidParameterValue", f"CIDR block {text} is malformed. Allowed: {form}.")


def rule_description(text: str | None) -> str | None:
    """A rule's description; None when there is none."""
    if text and (len(text) > MAX_TEXT or not _CHARACTERS.fullmatch(text)):
        raise ApiError(
            "InvalidParameterValue", f"Invalid rule description '{text}'. Valid descriptions: {ALLOWED_TEXT}."
        )
    return text or None


def group_text(name: str, text: str) -> str:
    """A group's name or description."""
    if not text:
        raise errors.missing_parameter(name)
    if len(text) > MAX_TEXT or not _CHARACTERS.fullmatch(text):
        raise errors.invalid_value(name, text, ALLOWED_TEXT)
    return text
