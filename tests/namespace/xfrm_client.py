"""charon's part of XFRM, and ESP packets, made by hand: for tests that must know keys or be faster than IKE.

A `Client` connects to twinbore-esp as the shim does and sends the requests that charon sends for a child SA and its
rekey. Each waits for its answer. Suite: AES-128-GCM with a 16-octet ICV, keys derived from the SPI; `seal` makes ESP
packets of such an SA (RFC 4303, RFC 4106).

References: linux/xfrm.h, linux/netlink.h; the greeting is that of the crate `twinbore-esp-wire`.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NEWSA, DELSA, GETSA, NEWPOLICY, GETPOLICY, ALLOCSPI = 0x10, 0x11, 0x12, 0x13, 0x15, 0x16
UPDPOLICY, UPDSA, GETAE = 0x19, 0x1A, 0x1F
IN, OUT, FORWARD = 0, 1, 2
ESP: Final = 50
_REQUEST_ACK: Final = 5
_NLMSG_ERROR: Final = 2
_ALG_AEAD, _ENCAP, _TMPL, _REPLAY_ESN, _IF_ID = 18, 4, 5, 23, 31
_UDP_ENCAP_ESPINUDP: Final = 2
_UNLIMITED: Final = 2**64 - 1
_TUNNEL: Final = 1
WINDOW: Final = 1024


@dataclass(frozen=True)
class Sa:
    """One direction. Addresses are the outer ones."""

    spi: int
    src: str
    dst: str
    if_id: int
    reqid: int = 1
    encap: bool = True


def address(text: str) -> bytes:
    return ip_address(text).packed.ljust(16, b"\0")


def family(text: str) -> int:
    return socket.AF_INET if ip_address(text).version == 4 else socket.AF_INET6


def keys(spi: int) -> bytes:
    """The AES key and the salt."""
    return hashlib.sha256(spi.to_bytes(4, "big")).digest()[:20]


def seal(spi: int, seq: int, inner: bytes, *, next_header: int = 4) -> bytes:
    """The ESP packet number `seq` of an SA without extended sequence numbers."""
    header = struct.pack("!II", spi, seq)
    iv = os.urandom(8)
    padding = -(len(inner) + 2) % 4
    text = inner + bytes(range(1, padding + 1)) + bytes([padding, next_header])
    return header + iv + AESGCM(keys(spi)[:16]).encrypt(keys(spi)[16:] + iv, text, header)


class Refused(Exception):
    """The answer was an error; `errno` is positive."""

    def __init__(self, errno: int) -> None:
        super().__init__(os.strerror(errno))
        self.errno = errno


class Client:
    """A connection to the daemon's XFRM socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(10)
        self._socket.connect(str(path))
        self._socket.send(b"TBES" + struct.pack("!HBBI", 1, 1, 0, 0))
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self._socket.close()

    def ask(self, kind: int, body: bytes) -> bytes:
        """Sends one request and returns the body of its answer; of an acknowledgement, nothing."""
        number = next(self._numbers)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_ACK, number, 0) + body)
        answer = self._socket.recv(4096)
        length, answered, _, echoed, _ = struct.unpack_from("=IHHII", answer)
        assert (length, echoed) == (len(answer), number)
        if answered != _NLMSG_ERROR:
            return answer[16:]
        (error,) = struct.unpack_from("=i", answer, 16)
        if error:
            raise Refused(-error)
        return b""

    def allocate(self, src: str, dst: str) -> int:
        """A reserved SPI for packets to `dst`."""
        body = _sa_info(Sa(0, src, dst, 0)) + struct.pack("=II", 0xC0000000, 0xCFFFFFFF)
        return int.from_bytes(self.ask(ALLOCSPI, body)[72:76], "big")

    def install(self, sa: Sa, kind: int) -> None:
        """`kind` is UPDSA for an SA whose SPI was allocated here, NEWSA for one of the peer's."""
        algorithm = b"rfc4106(gcm(aes))".ljust(64, b"\0") + struct.pack("=II", 160, 128) + keys(sa.spi)
        replay = struct.pack("=6I", WINDOW // 32, 0, 0, 0, 0, WINDOW) + bytes(WINDOW // 8)
        body = _sa_info(sa) + _attribute(_ALG_AEAD, algorithm) + _attribute(_REPLAY_ESN, replay)
        if sa.encap:
            encap = struct.pack("=H", _UDP_ENCAP_ESPINUDP) + struct.pack("!HH", 4500, 4500) + bytes(18)
            body += _attribute(_ENCAP, encap)
        self.ask(kind, body + _attribute(_IF_ID, struct.pack("=I", sa.if_id)))

    def policy(
        self, sa: Sa, direction: int, kind: int = UPDPOLICY, src: str = "0.0.0.0/0", dst: str = "0.0.0.0/0"
    ) -> None:
        """A policy whose template means `sa`; `src` and `dst` are the selector's prefixes."""
        info = _selector(src, dst) + struct.pack("=8Q", *[_UNLIMITED] * 4, *[0] * 4) + bytes(32)
        info += struct.pack("=IIBBBB4x", 100, 0, direction, 0, 0, 0)
        spi = sa.spi if direction == OUT else 0
        template = _id(sa, spi) + struct.pack("=H2x", family(sa.dst)) + address(sa.src)
        template += struct.pack("=IBBBxIII", sa.reqid, _TUNNEL, 0, 0, *[2**32 - 1] * 3)
        self.ask(kind, info + _attribute(_TMPL, template) + _attribute(_IF_ID, struct.pack("=I", sa.if_id)))

    def read(self, sa: Sa) -> None:
        """What charon asks about an SA: usage and replay state."""
        self.ask(GETSA, _sa_id(sa))
        self.ask(GETAE, _sa_id(sa) + bytes(24))

    def delete(self, sa: Sa) -> None:
        self.ask(DELSA, _sa_id(sa))


def _id(sa: Sa, spi: int) -> bytes:
    return address(sa.dst) + struct.pack("!IB3x", spi, ESP)


def _sa_id(sa: Sa) -> bytes:
    return address(sa.dst) + struct.pack("!I", sa.spi) + struct.pack("=HBx", family(sa.dst), ESP)


def _sa_info(sa: Sa) -> bytes:
    info = bytes(56) + _id(sa, sa.spi) + address(sa.src)
    info += struct.pack("=8Q", *[_UNLIMITED] * 4, 3000, 3600, 0, 0) + bytes(32 + 12)
    return info + struct.pack("=IIHBBB7x", 0, sa.reqid, family(sa.dst), _TUNNEL, 0, 0)


def _selector(src: str, dst: str) -> bytes:
    (source, source_bits), (destination, destination_bits) = (text.split("/") for text in (src, dst))
    prefixes = struct.pack("=HBBB3xII", family(source), int(destination_bits), int(source_bits), 0, 0, 0)
    return address(destination) + address(source) + bytes(8) + prefixes


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)
