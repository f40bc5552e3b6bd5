"""Resource ids as AWS forms them: `vpn-` and 17 hexadecimal digits (8 in old accounts, accepted when given).

Randomness is passed in as a function, so that tests are deterministic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

PREFIXES: Final[dict[str, str]] = {
    "vpc": "vpc",
    "vpc-cidr-block-association": "vpc-cidr-assoc",
    "subnet": "subnet",
    "route-table": "rtb",
    "route-table-association": "rtbassoc",
    "internet-gateway": "igw",
    "network-interface": "eni",
    "customer-gateway": "cgw",
    "vpn-gateway": "vgw",
    "vpn-connection": "vpn",
    "dhcp-options": "dopt",
    "security-group": "sg",
    "security-group-rule": "sgr",
    "network-acl": "acl",
    "network-acl-association": "aclassoc",
    "prefix-list": "pl",
}
"""Resource type (as in TagSpecification.ResourceType) → id prefix."""

RandomHex = Callable[[int], str]
"""n → n random hexadecimal digits."""


def new_id(resource_type: str, random_hex: RandomHex) -> str:
    """A new id of the type. Raises KeyError for an unknown type."""
    return f"{PREFIXES[resource_type]}-{random_hex(17)}"


def is_id(resource_type: str, value: str) -> bool:
    """Whether `value` has the form of an id of the type; says nothing of existence."""
    return re.fullmatch(rf"{PREFIXES[resource_type]}-([0-9a-f]{{8}}|[0-9a-f]{{17}})", value) is not None


def resource_type_of(value: str) -> str | None:
    """The resource type of an id by its prefix, or None."""
    for resource_type, prefix in PREFIXES.items():
        if value.startswith(prefix + "-") and is_id(resource_type, value):
            return resource_type
    return None
