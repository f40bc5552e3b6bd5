"""Security groups, network ACLs and prefix lists as values: what is stored of who may talk to whom.

A security group belongs to a VPC and is worn by network interfaces; its rules are rows of their own, because each has
an id, tags and a description. A network ACL belongs to a VPC and is used by whole subnets; a subnet without an
association of its own uses the VPC's default ACL, so that no row has to follow each subnet.

A prefix list has versions. An entry says from which version on it holds, and until which, so that any version can be
read without a copy of the whole list for each (`entries_at`).

Invariants:
* Every VPC has one group named `default` and one network ACL with `is_default`.
* A rule has exactly one of `cidr_ipv4`, `cidr_ipv6`, `prefix_list_id`, `referenced_group_id`.
* Protocols are `tcp`, `udp`, `icmp`, `icmpv6`, a number as text, or `-1` for all (in network ACLs always numbers);
  ports are None where the protocol has none.
* No entry of a prefix list holds twice in one version.

References: EC2 API reference, `SecurityGroup`, `SecurityGroupRule`, `NetworkAcl`, `ManagedPrefixList`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

DEFAULT_GROUP: Final = "default"


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    id: str
    account_id: str
    vpc_id: str
    name: str
    description: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """`from_port` and `to_port` are ports (tcp, udp) or ICMP's type and code, where -1 means all of them."""

    id: str
    account_id: str
    group_id: str
    egress: bool
    protocol: str
    from_port: int | None
    to_port: int | None
    cidr_ipv4: str | None
    cidr_ipv6: str | None
    prefix_list_id: str | None
    referenced_group_id: str | None
    description: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NetworkInterfaceGroup:
    """A network interface wears a security group. `id` is `<network interface id>/<group id>`."""

    id: str
    account_id: str
    network_interface_id: str
    group_id: str


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    id: str
    account_id: str
    vpc_id: str
    is_default: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NetworkAclEntry:
    """A numbered rule; the last one, which denies the rest, is not stored. `id` is `<ACL id>/<in or out>/<number>`."""

    id: str
    account_id: str
    network_acl_id: str
    egress: bool
    rule_number: int
    protocol: str
    rule_action: str
    cidr_block: str | None
    ipv6_cidr_block: str | None
    icmp_type: int | None
    icmp_code: int | None
    from_port: int | None
    to_port: int | None


@dataclass(frozen=True, slots=True)
class NetworkAclAssociation:
    """A subnet's own choice of a network ACL."""

    id: str
    account_id: str
    network_acl_id: str
    subnet_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PrefixList:
    """`address_family` is IPv4 or IPv6."""

    id: str
    account_id: str
    name: str
    address_family: str
    max_entries: int
    version: int
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PrefixListEntry:
    """Holds in the versions `first_version` to `last_version` (None: until further notice).

    `id` is `<prefix list id>/<first version>/<CIDR>`.
    """

    id: str
    account_id: str
    prefix_list_id: str
    cidr: str
    description: str | None
    first_version: int
    last_version: int | None


def entries_at(entries: Iterable[PrefixListEntry], version: int) -> list[PrefixListEntry]:
    """The entries of one prefix list that hold in this version, in the order given."""
    return [
        entry
        for entry in entries
        if entry.first_version <= version and (entry.last_version is None or version <= entry.last_version)
    ]
