"""Keys in twinbore-esp's memory: there while an SA is, gone when it goes.

The test reads the daemon's whole memory, which only root with CAP_SYS_PTRACE can, and looks for a key that it gave it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.namespace.esp_site import DAEMON, UserSite, name_prefix

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(60),
]

NLMSG_ERROR = 2
NEWSA, DELSA, GETSA, UPDSA, FLUSHSA = 0x10, 0x11, 0x12, 0x1A, 0x1C
ALG_AUTH_TRUNC, ALG_CRYPT, ALG_AEAD, IF_ID = 20, 2, 18, 31
HERE, PEER = socket.inet_aton("192.0.2.1"), socket.inet_aton("198.51.100.1")
SPI = 0xC0FFEE01


@pytest.fixture
def site(tmp_path: Path) -> Iterator[UserSite]:
    """A daemon without charon."""
    site = UserSite(f"{name_prefix()}a", "192.0.2.1/24", "10.1.0.1", tmp_path / "a")
    try:
        site.start_daemon()
        yield site
    finally:
        site.remove()


class Xfrm:
    """A connection as charon's: netlink messages, each answered."""

    def __init__(self, site: UserSite) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(10)
        self._socket.connect(str(site.home / "run" / "xfrm"))
        self._socket.send(b"TBES" + struct.pack(">HBBI", 1, 1, 0, 0))

    def ask(self, kind: int, body: bytes) -> bytes:
        """The answer to a request; that of an acknowledgement is empty."""
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
        answer = self._socket.recv(8192)
        if struct.unpack_from("=H", answer, 4)[0] != NLMSG_ERROR:
            return answer[16:]
        assert struct.unpack_from("=i", answer, 16)[0] == 0, answer
        return b""


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def algorithm(name: bytes, key: bytes, icv_bits: int | None = None) -> bytes:
    lengths = struct.pack("=I", 8 * len(key)) + (b"" if icv_bits is None else struct.pack("=I", icv_bits))
    return name.ljust(64, b"\0") + lengths + key


def sa(attributes: bytes) -> bytes:
    """`struct xfrm_usersa_info` of an inbound SA in tunnel mode, and attributes."""
    selector = bytes(40) + struct.pack("=H", socket.AF_INET) + bytes(14)
    identity = HERE + bytes(12) + struct.pack(">IB3x", SPI, socket.IPPROTO_ESP)
    rest = struct.pack("=IIHBBB7x", 0, 1, socket.AF_INET, 1, 32, 0)
    return selector + identity + PEER + bytes(12) + bytes(64 + 32 + 12) + rest + attributes


def sa_id() -> bytes:
    return HERE + bytes(12) + struct.pack(">I", SPI) + struct.pack("=HBx", socket.AF_INET, socket.IPPROTO_ESP)


def copies(site: UserSite, secret: bytes) -> int:
    """How often `secret` stands in the daemon's writable memory."""
    assert site.daemon is not None
    found = 0
    with Path(f"/proc/{site.daemon.pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{site.daemon.pid}/maps").read_text().splitlines():
            bounds, modes = line.split()[:2]
            if "w" not in modes:
                continue
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            memory.seek(start)
            found += memory.read(end - start).count(secret)
    return found


def is_gone(site: UserSite, secret: bytes) -> bool:
    """Whether `secret` is soon nowhere any more: the daemon wipes its copy of a request after it has answered it."""
    end = time.monotonic() + 10
    while copies(site, secret) and time.monotonic() < end:
        time.sleep(0.05)
    return copies(site, secret) == 0


def suites() -> list[tuple[str, bytes, bytes]]:
    """A name, the secret to look for, and the attributes with it."""
    key, other = os.urandom(32), os.urandom(32)
    gcm = attribute(ALG_AEAD, algorithm(b"rfc4106(gcm(aes))", key + b"salt", 128))
    crypt = attribute(ALG_CRYPT, algorithm(b"cbc(aes)", key))
    auth = attribute(ALG_AUTH_TRUNC, algorithm(b"hmac(sha256)", other, 128))
    return [("gcm", key, gcm), ("cbc", key, crypt + auth), ("hmac", other, crypt + auth)]


@pytest.mark.parametrize(("secret", "attributes"), [suite[1:] for suite in suites()], ids=["gcm", "cbc", "hmac"])
def test_a_key_goes_with_its_sa(site: UserSite, secret: bytes, attributes: bytes) -> None:
    xfrm = Xfrm(site)
    attributes += attribute(IF_ID, struct.pack("=I", site.if_id))
    assert copies(site, secret) == 0
    for end in ((DELSA, sa_id()), (FLUSHSA, bytes(8))):
        xfrm.ask(NEWSA, sa(attributes))
        assert copies(site, secret) >= 1
        assert secret in xfrm.ask(GETSA, sa_id())
        xfrm.ask(UPDSA, sa(attributes))
        xfrm.ask(*end)
        assert is_gone(site, secret)


def test_a_refused_key_is_forgotten(site: UserSite) -> None:
    xfrm = Xfrm(site)
    secret = os.urandom(40)
    with pytest.raises(AssertionError):
        xfrm.ask(NEWSA, sa(attribute(ALG_AEAD, algorithm(b"rfc4106(gcm(aes))", secret, 128))))
    assert is_gone(site, secret)
