"""Addresses of a VPN connection: inside /30s, outside address pools, ASNs.

Pure allocation: given what is taken, choose. Randomness comes in as a function.

References: AWS Site-to-Site VPN User Guide, "Tunnel options" (reserved inside CIDRs), "Customer gateway options"
(ASN ranges); RFC 3927 (169.254.0.0/16), RFC 6996 and RFC 5398 (private ASNs).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

INSIDE_RANGE: Final = IPv4Network("169.254.0.0/16")
RESERVED_INSIDE_CIDRS: Final = frozenset(
    IPv4Network(text)
    for text in (
        "169.254.0.0/30",
        "169.254.1.0/30",
        "169.254.2.0/30",
        "169.254.3.0/30",
        "169.254.4.0/30",
        "169.254.5.0/30",
        "169.254.169.252/30",
    )
)

ATTACHMENT_DOMAIN_ADDRESS: Final = "169.254.0.1/30"
ATTACHMENT_VPC_ADDRESS: Final = "169.254.0.2/30"
"""The two ends of the link between a virtual private gateway and its VPC: inside a block that no tunnel may have."""

DEFAULT_AMAZON_SIDE_ASN: Final = 64512
DEFAULT_CUSTOMER_ASN: Final = 65000
MAX_ASN: Final = 4294967295


class PoolExhausted(Exception):
    """No pair of outside addresses, or no inside block, is left."""


@dataclass(frozen=True, slots=True)
class OutsideAddress:
    """An outside address: what the customer is given (`public`) and what the underlay has (`local`)."""

    public: str
    local: str


def inside_cidr_problem(text: str) -> str | None:
    """The rule that an inside IPv4 CIDR breaks, in words, or None when it may be used."""
    try:
        network = IPv4Network(text)
    except ValueError:
        return "a /30 CIDR block from 169.254.0.0/16 without host bits"
    if network.prefixlen != 30 or not network.subnet_of(INSIDE_RANGE):
        return "a size /30 CIDR block from the 169.254.0.0/16 range"
    if network in RESERVED_INSIDE_CIDRS:
        return "not one of the reserved blocks " + ", ".join(str(n) for n in sorted(RESERVED_INSIDE_CIDRS))
    return None


def allocate_inside_cidr(taken: Container[str], random_below: Callable[[int], int]) -> str:
    """A free /30 of 169.254.0.0/16. `random_below(n)` gives 0 <= x < n. Raises `PoolExhausted`."""
    size = 1 << 14
    start = random_below(size)
    for offset in range(size):
        number = (start + offset) % size
        network = IPv4Network((int(INSIDE_RANGE.network_address) + number * 4, 30))
        if network not in RESERVED_INSIDE_CIDRS and str(network) not in taken:
            return str(network)
    raise PoolExhausted("every /30 of 169.254.0.0/16 is in use on this virtual private gateway")


def inside_gateway(inside_cidr: str) -> IPv4Interface:
    """The gateway's (AWS's) inside address: the first host of the block, with its length."""
    network = IPv4Network(inside_cidr)
    return IPv4Interface((network.network_address + 1, 30))


def inside_customer(inside_cidr: str) -> IPv4Interface:
    """The customer's inside address: the second host of the block, with its length."""
    network = IPv4Network(inside_cidr)
    return IPv4Interface((network.network_address + 2, 30))


def inside_hosts(inside_cidr: str) -> tuple[str, str]:
    """The gateway's and the customer's inside address as text, for where there are thousands of blocks."""
    first, _, last = inside_cidr.removesuffix("/30").rpartition(".")
    return f"{first}.{int(last) + 1}", f"{first}.{int(last) + 2}"


def expand_pool(entries: Collection[str]) -> Iterator[OutsideAddress]:
    """The addresses of a pool's entries, in order: `address`, `prefix/len` or `public=local`.

    Of a prefix every host address is one. Raises ValueError with the entry that cannot be read.
    """
    for entry in entries:
        public, equals, local = entry.partition("=")
        try:
            if equals:
                yield OutsideAddress(str(IPv4Address(public.strip())), str(IPv4Address(local.strip())))
            else:
                for host in IPv4Network(entry.strip()).hosts():
                    yield OutsideAddress(str(host), str(host))
        except ValueError as error:
            raise ValueError(f"outside address pool entry {entry!r}: {error}") from error


def allocate_outside(
    pool: Collection[OutsideAddress],
    users: Callable[[str], int],
    peer_taken: Collection[str],
    other: str | None,
) -> OutsideAddress:
    """The outside address for a new tunnel out of `pool`.

    `users(local)` is how many tunnels use an address already: an unused one is preferred, then the least used.
    `peer_taken` are local addresses that tunnels of the same customer gateway address use already: (outside address,
    customer gateway) must be unique, or charon could not tell the peers apart. `other` is the local address of the
    connection's other tunnel, which must differ. Raises `PoolExhausted`.
    """
    free = [a for a in pool if a.local not in peer_taken and a.local != other]
    if not free:
        raise PoolExhausted(
            "no outside address is left for this customer gateway: add addresses to the outside address pools"
        )
    return min(free, key=lambda a: users(a.local))
