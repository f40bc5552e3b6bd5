"""Inner MTU of a tunnel for each cipher suite, with and without UDP encapsulation, over a 1500-byte path.

Reference: AWS Site-to-Site VPN User Guide, "Best practices for your customer gateway device" (MTU and MSS by
algorithm); RFC 4303 section 2 for the sums behind the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

IPV4_AND_TCP_HEADERS: Final = 40

_GCM: Final = (1446, 1438)
_CBC: Final[dict[str, tuple[int, int]]] = {
    "SHA1": (1438, 1422),
    "SHA2-256": (1438, 1422),
    "SHA2-384": (1422, 1422),
    "SHA2-512": (1422, 1406),
}
"""Integrity algorithm → (MTU without, with UDP encapsulation)."""


def tunnel_mtu(encryption: Iterable[str], integrity: Iterable[str], *, encapsulated: bool) -> int:
    """The largest inner packet, in bytes, that fits whichever of the given algorithms is negotiated."""
    column = 1 if encapsulated else 0
    integrity = tuple(integrity)
    sizes: list[int] = []
    for algorithm in encryption:
        if "GCM" in algorithm:
            sizes.append(_GCM[column])
        else:
            sizes += [_CBC[name][column] for name in integrity]
    return min(sizes)
