"""Whether this kernel can sign TCP segments with MD5 (RFC 2385), which a password of a BGP session needs.

A socket option, given to a socket that is thrown away: the kernel answers ENOPROTOOPT where it was built without
CONFIG_TCP_MD5SIG, and EPERM or the like where it may not (FIPS mode).

References: tcp(7); Linux include/uapi/linux/tcp.h (TCP_MD5SIG, struct tcp_md5sig).
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

TCP_MD5SIG: Final = 14
_STORAGE_BYTES: Final = 128
_KEY_BYTES: Final = 80


def problem() -> str:
    """What the kernel says against a signature, or an empty string."""
    peer = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton("127.0.0.1")).ljust(_STORAGE_BYTES, b"\0")
    signature = peer + struct.pack(f"=BBHI{_KEY_BYTES}s", 0, 0, 1, 0, b"x")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, signature)
        except OSError as error:
            return os.strerror(error.errno or 0)
    return ""
