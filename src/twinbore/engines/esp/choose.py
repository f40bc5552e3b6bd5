"""Which ESP engine this host uses, and why, in words.

`auto` takes the kernel's if the kernel can: an xfrm interface can be made and an ESP SA be added. Both are tried in a
network namespace that exists only for the try and goes with the thread that made it, since neither a configuration file
nor a version number tells: modules may be missing, or forbidden in a container.

References: linux/xfrm.h (struct xfrm_usersa_info, XFRM_MSG_NEWSA, XFRMA_ALG_AEAD); unshare(2), network_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from twinbore.engines.esp.kernel import create
from twinbore.engines.esp.xfrm import NETLINK_XFRM
from twinbore.engines.netlink import RouteSocket
from twinbore.model.desired import TunnelInterface

XFRM_MSG_NEWSA: Final = 16
XFRMA_ALG_AEAD: Final = 18
IPPROTO_ESP: Final = 50
_NLM_F_REQUEST_ACK: Final = 0x5
_CLONE_NEWNET: Final = 0x40000000
_PROBE_IF_ID: Final = 1


@dataclass(frozen=True, slots=True)
class EspChoice:
    """The engine to use and the reason for it."""

    engine: Literal["kernel", "user"]
    reason: str


def choose(setting: str, probe: Callable[[], str | None] | None = None) -> EspChoice:
    """The engine for a setting `auto`, `kernel` or `user`. Blocking, a few ms.

    `probe` says what the kernel lacks, or None; it is asked only when the setting leaves the choice open or asks for
    the kernel. Raises ValueError for another setting.
    """
    if setting == "user":
        return EspChoice("user", "the setting esp = user asks for twinbore-esp")
    if setting not in ("auto", "kernel"):
        raise ValueError(f"esp = {setting!r}: must be auto, kernel or user")
    missing = (probe or kernel_lacks)()
    if setting == "kernel":
        remark = f", though {missing}" if missing else ", and the kernel has all that it needs"
        return EspChoice("kernel", f"the setting esp = kernel asks for it{remark}")
    if missing is not None:
        return EspChoice("user", missing)
    return EspChoice("kernel", "the kernel has ESP and xfrm interfaces")


def kernel_lacks() -> str | None:
    """What the kernel lacks for the kernel engine, in words; None when it can do everything. Blocking."""
    outcome: list[str | None] = []
    thread = threading.Thread(target=lambda: outcome.append(_try_in_own_namespace()), name="esp-probe")
    thread.start()
    thread.join()
    return outcome[0] if outcome else "the kernel's ESP could not be tried"


def sa_message() -> bytes:
    """A request to add an ESP SA with AES-GCM between two documentation addresses, as the kernel takes it.

    Layout: nlmsghdr, xfrm_usersa_info (selector 56 bytes, id 24, source 16, lifetimes and use 124, family and flags),
    XFRMA_ALG_AEAD (name 64 bytes, key and ICV length in bits, key).
    """
    selector = struct.pack("=16s16sHHHHHBBBxxxiI", b"", b"", 0, 0, 0, 0, socket.AF_INET, 0, 0, 0, 0, 0)
    identity = struct.pack("=16s4sBxxx", socket.inet_aton("192.0.2.1"), struct.pack("!I", 0x1000), IPPROTO_ESP)
    source = struct.pack("=16s", socket.inet_aton("192.0.2.2"))
    unlimited = (1 << 64) - 1
    lifetime = struct.pack("=8Q", unlimited, unlimited, unlimited, unlimited, 0, 0, 0, 0)
    current, counters = struct.pack("=4Q", 0, 0, 0, 0), struct.pack("=3I", 0, 0, 0)
    tail = struct.pack("=IIHBBB7x", 0, 0, socket.AF_INET, 1, 0, 0)
    info = selector + identity + source + lifetime + current + counters + tail
    key = bytes(20)
    algorithm = struct.pack("=64sII", b"rfc4106(gcm(aes))", len(key) * 8, 128) + key
    attribute = struct.pack("=HH", 4 + len(algorithm), XFRMA_ALG_AEAD) + algorithm
    body = info + attribute
    return struct.pack("=IHHII", 16 + len(body), XFRM_MSG_NEWSA, _NLM_F_REQUEST_ACK, 1, 0) + body


def _try_in_own_namespace() -> str | None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        why = os.strerror(ctypes.get_errno())
        return f"no network namespace can be made to try the kernel's ESP in ({why})"
    return _try_interface() or _try_sa()


def _try_interface() -> str | None:
    probe = TunnelInterface(_PROBE_IF_ID, "", "", 1400, "", False)
    try:
        with RouteSocket() as sock:
            create(sock, probe)
    except OSError as error:
        return f"the kernel has no xfrm interfaces ({error.strerror})"
    return None


def _try_sa() -> str | None:
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_XFRM) as sock:
            sock.bind((0, 0))
            sock.send(sa_message())
            (code,) = struct.unpack_from("=i", sock.recv(4096), 16)
    except OSError as error:
        return f"the kernel has no XFRM ({error.strerror})"
    if code != 0:
        name = errno.errorcode.get(-code, str(-code))
        return f"the kernel has no ESP with AES-GCM ({name})"
    return None
