"""IPv4 blocks of a VPC: which a VPC may have, which may stand beside each other, and the routes inside them.

A VPC has a primary block and up to four more (a quota). A further block must not overlap one that is there, and must
come from the same private range, with AWS's exceptions; it must also be smaller than what the VPC's routes lead out of
it, or the local route would take over what a route was made for.

Pure: given what is there, the rule that a new block breaks, in words.

References: Amazon VPC User Guide, "VPC CIDR blocks" ("IPv4 CIDR block association restrictions"); RFC 1918, RFC 6598
(100.64.0.0/10), RFC 2544 (198.18.0.0/15), RFC 6890.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Final

LARGEST_BLOCK: Final = 16
SMALLEST_BLOCK: Final = 28
"""Prefix lengths of a VPC's and of a subnet's block."""

UNUSABLE: Final = tuple(IPv4Network(n) for n in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
PRIVATE: Final = tuple(IPv4Network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
BENCHMARK: Final = IPv4Network("198.19.0.0/16")
DEFAULT_VPC_RANGE: Final = IPv4Network("172.31.0.0/16")
_FIRST_TENS: Final = IPv4Network("10.0.0.0/15")
_FIRST_TEN: Final = IPv4Network("10.0.0.0/16")


def sized(network: IPv4Network) -> bool:
    """Whether the block is neither too large nor too small for a VPC or a subnet."""
    return LARGEST_BLOCK <= network.prefixlen <= SMALLEST_BLOCK


def problem(network: IPv4Network) -> str | None:
    """The rule that the block breaks as any block of a VPC, in words; None for a good one."""
    if sized(network) and not any(network.overlaps(n) for n in UNUSABLE):
        return None
    return f"a /{LARGEST_BLOCK} to a /{SMALLEST_BLOCK} outside {', '.join(str(n) for n in UNUSABLE)}"


def restricted(network: IPv4Network, present: Iterable[IPv4Network]) -> bool:
    """Whether AWS's restrictions keep `network` out of a VPC with the blocks `present`, of which it overlaps none."""
    return any(_excludes(block, network) for block in present)


def overlapping(network: IPv4Network, present: Iterable[str]) -> str | None:
    """The first of the blocks or destinations that `network` overlaps, or None."""
    return next((text for text in present if network.overlaps(IPv4Network(text))), None)


def swallowed_route(network: IPv4Network, destinations: Iterable[str]) -> str | None:
    """The first destination that the local route of `network` would take over: it lies within the block."""
    return next((text for text in destinations if IPv4Network(text).subnet_of(network)), None)


def block_of(network: IPv4Network, blocks: Iterable[str]) -> str | None:
    """The block that `network` lies in (or is), or None."""
    return next((text for text in blocks if network.subnet_of(IPv4Network(text))), None)


def _range(network: IPv4Network) -> IPv4Network | None:
    """The private or benchmark range that the block lies in; None for a publicly routable one and 100.64.0.0/10."""
    return next((n for n in (*PRIVATE, BENCHMARK) if network.subnet_of(n)), None)


def _excludes(block: IPv4Network, network: IPv4Network) -> bool:
    """Whether a VPC with `block` may not get `network`."""
    here, there = _range(block), _range(network)
    if there is None:
        return False
    if here != there:
        return True
    if block.overlaps(_FIRST_TENS) and network.overlaps(_FIRST_TEN):
        return True
    return here == PRIVATE[1] and network.overlaps(DEFAULT_VPC_RANGE)
