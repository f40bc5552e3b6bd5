"""The few XFRM netlink messages that set a tunnel up, written as charon writes them, to a daemon without charon.

Structures are those of linux/xfrm.h on 64-bit Linux. The socket is the one that the shim in charon connects to
(esp/wire): of type SEQPACKET, its first message says what it is for, then each message is a netlink message.
"""

from __future__ import annotations

import ipaddress
import itertools
import secrets
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.measure import NotReached

NEWSA: Final = 0x10
NEWPOLICY: Final = 0x13
IN, OUT, FORWARD = 0, 1, 2
_TMPL, _ENCAP, _ALG_AEAD, _IF_ID = 5, 4, 18, 31
_REQUEST_WITH_ACK: Final = 5
_NO_LIMIT: Final = 2**64 - 1
_ESP: Final = 50
_TUNNEL: Final = 1
_HEADER: Final = struct.Struct("=IHHII")
_AEAD: Final = struct.Struct("=64sII")
_HELLO: Final = struct.pack("!4sHBBI", b"TBES", 1, 1, 0, 0)


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One tunnel between `local` and `peer` (IPv4), ESP in UDP, any inner address. SPIs in host order."""

    if_id: int
    local: str
    peer: str
    spi_in: int
    spi_out: int


def messages(tunnel: Tunnel) -> list[bytes]:
    """Two SAs of AES-128-GCM and three policies, without netlink headers' sequence numbers."""
    return [
        _sa(tunnel, tunnel.peer, tunnel.local, tunnel.spi_in),
        _sa(tunnel, tunnel.local, tunnel.peer, tunnel.spi_out),
        _policy(tunnel, OUT, tunnel.local, tunnel.peer, tunnel.spi_out),
        _policy(tunnel, IN, tunnel.peer, tunnel.local, 0),
        _policy(tunnel, FORWARD, tunnel.peer, tunnel.local, 0),
    ]


class Client:
    """What charon is to the daemon: requests one at a time, each acknowledged."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(10)
        self._socket.connect(str(path))
        self._socket.send(_HELLO)
        self._numbers = itertools.count(1)

    def request(self, message: bytes) -> None:
        """Raises `NotReached` when the daemon refuses."""
        length, kind, flags, _, _ = _HEADER.unpack_from(message)
        header = _HEADER.pack(length, kind, flags, next(self._numbers), 0)
        self._socket.send(header + message[_HEADER.size :])
        (error,) = struct.unpack_from("=i", self._socket.recv(4096), _HEADER.size)
        if error:
            raise NotReached(f"XFRM message {kind:#x} is refused with {error}")

    def close(self) -> None:
        self._socket.close()


def _message(kind: int, fixed: bytes, *attributes: tuple[int, bytes]) -> bytes:
    body = fixed + b"".join(_attribute(number, payload) for number, payload in attributes)
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_WITH_ACK, 0, 0) + body


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def _address(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed + bytes(12)


def _id(destination: str, spi: int) -> bytes:
    """struct xfrm_id."""
    return _address(destination) + struct.pack("!IB3x", spi, _ESP)


def _lifetime(soft_seconds: int, hard_seconds: int) -> bytes:
    """struct xfrm_lifetime_cfg."""
    return struct.pack("=8Q", *(_NO_LIMIT,) * 4, soft_seconds, hard_seconds, 0, 0)


def _any_selector() -> bytes:
    """struct xfrm_selector for every IPv4 packet."""
    return struct.pack("=16x16x8xHBBB3x8x", socket.AF_INET, 0, 0, 0)


def _sa(tunnel: Tunnel, source: str, destination: str, spi: int) -> bytes:
    """NEWSA with struct xfrm_usersa_info; lifetimes as of a child SA of an hour."""
    fixed = bytes(56) + _id(destination, spi) + _address(source) + _lifetime(3200, 3600) + bytes(32 + 12)
    fixed += struct.pack("=IIHBBB7x", 0, tunnel.if_id, socket.AF_INET, _TUNNEL, 32, 0)
    algorithm = _AEAD.pack(b"rfc4106(gcm(aes))", 160, 128) + secrets.token_bytes(20)
    encapsulation = struct.pack("=H", 2) + struct.pack("!HH", 4500, 4500) + bytes(18)
    if_id = struct.pack("=I", tunnel.if_id)
    return _message(NEWSA, fixed, (_ALG_AEAD, algorithm), (_ENCAP, encapsulation), (_IF_ID, if_id))


def _policy(tunnel: Tunnel, direction: int, source: str, destination: str, spi: int) -> bytes:
    """NEWPOLICY with struct xfrm_userpolicy_info and one template."""
    fixed = _any_selector() + _lifetime(0, 0) + bytes(32) + struct.pack("=IIBBBB4x", 400000, 0, direction, 0, 0, 0)
    template = _id(destination, spi) + struct.pack("=H2x", socket.AF_INET) + _address(source)
    template += struct.pack("=IBBBxIII", tunnel.if_id, _TUNNEL, 0, 0, *(0xFFFFFFFF,) * 3)
    return _message(NEWPOLICY, fixed, (_TMPL, template), (_IF_ID, struct.pack("=I", tunnel.if_id)))
