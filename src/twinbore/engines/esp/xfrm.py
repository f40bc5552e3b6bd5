"""Reading SAs of the kernel: which tunnels have an inbound and an outbound one. XFRM netlink, dump only.

pyroute2 has no XFRM messages; of the one that is needed here, XFRM_MSG_NEWSA, three things are read: the addresses, the
interface id and whether there is a key (an SPI that was only reserved has none).

Direction: an SA whose destination is an address of the underlay is inbound. The kernel's own attribute for it
(XFRMA_SA_DIR) is younger than the kernels that this runs on.

References: linux/xfrm.h (struct xfrm_usersa_info, 224 bytes; XFRMA_*), xfrm_user.c (dump of SAs).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from pyroute2.netlink import nlmsg  # type: ignore[import-untyped]

from twinbore.engines.netlink import NetlinkSocket, RouteSocket, message

NETLINK_XFRM: Final = 6
XFRM_MSG_GETSA: Final = 18
XFRMA_ALG_CRYPT, XFRMA_ALG_AEAD, XFRMA_IF_ID = 2, 18, 31

_HEADER_BYTES: Final = 16
_SELECTOR_BYTES: Final = 56
_DESTINATION: Final = _HEADER_BYTES + _SELECTOR_BYTES
_SOURCE: Final = _DESTINATION + 24
_FAMILY: Final = _HEADER_BYTES + 212
_ATTRIBUTES: Final = _HEADER_BYTES + 224


@dataclass(frozen=True, slots=True)
class KernelSa:
    """One SA with a key. `if_id` is 0 when it belongs to no interface."""

    source: str
    destination: str
    if_id: int


def parse_sa(data: bytes) -> KernelSa | None:
    """An XFRM_MSG_NEWSA message; None for a reserved SPI, and for a message that is too short."""
    if len(data) < _ATTRIBUTES:
        return None
    (family,) = struct.unpack_from("=H", data, _FAMILY)
    length = 16 if family == socket.AF_INET6 else 4
    attributes = dict(_attributes(data))
    if not attributes.keys() & {XFRMA_ALG_CRYPT, XFRMA_ALG_AEAD}:
        return None
    if_id = attributes.get(XFRMA_IF_ID, b"\0\0\0\0")
    return KernelSa(
        source=str(ip_address(data[_SOURCE : _SOURCE + length])),
        destination=str(ip_address(data[_DESTINATION : _DESTINATION + length])),
        if_id=struct.unpack_from("=I", if_id)[0],
    )


def carrying(sas: Iterable[KernelSa], local: Collection[str]) -> set[int]:
    """The interface ids that have an inbound and an outbound SA; `local` are the underlay's addresses."""
    inbound: set[int] = set()
    outbound: set[int] = set()
    for sa in sas:
        (inbound if sa.destination in local else outbound).add(sa.if_id)
    return (inbound & outbound) - {0}


def read_carrying(sock: RouteSocket) -> set[int]:
    """`carrying` of the calling thread's namespace. Blocking; runs in a netlink worker thread."""
    local = {address.partition("/")[0] for group in sock.addresses().values() for address in group}
    with NetlinkSocket(NETLINK_XFRM, strict=False) as xfrm:
        answers = xfrm.dump(message(nlmsg, XFRM_MSG_GETSA))
    return carrying((sa for sa in map(parse_sa, answers) if sa is not None), local)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = _ATTRIBUTES
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4 or offset + length > len(data):
            return
        yield kind, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
