"""The shim without charon: a small program under LD_PRELOAD sees the sockets that charon would see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.esp_site import DAEMON_GONE_STATUS, SHIM, Site, UserSite, join, name_prefix
from twinbore.lab import namespaces
from twinbore.lab.namespaces import inside

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not SHIM.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(60),
]

PRELUDE = """
import errno, json, socket, struct, sys
NETLINK_XFRM, SO_DOMAIN = 6, 39
def domain(s): return s.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)
def show(**values): print(json.dumps(values), flush=True)
"""


class Peer(Site):
    """A namespace with plain sockets at the other end of the veth."""

    def start(self) -> None:
        """It has no process of its own."""

    def remove(self) -> None:
        namespaces.remove(self.underlay)


@pytest.fixture(params=[4, 6])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[UserSite, Peer]]:
    outside = {4: "192.0.2.{}/24", 6: "2001:db8::{}/64"}[request.param]
    prefix = name_prefix()
    a = UserSite(f"{prefix}a", outside.format(1), "10.1.0.1", tmp_path / "a")
    b = Peer(f"{prefix}b", outside.format(2), "10.2.0.1", 0, tmp_path / "b")
    try:
        join(a, b)
        a.start_daemon()
        yield a, b
    finally:
        for site in (a, b):
            if hasattr(site, "daemon"):
                site.charon.process = None
            site.remove()


def program(namespace: str, text: str, socket_path: Path | None, *arguments: object) -> subprocess.Popen[str]:
    """A Python program in a namespace; with the shim and the daemon's socket, if a path is given."""
    environment = [f"LD_PRELOAD={SHIM}"] + ([f"TWINBORE_ESP_SOCKET={socket_path}"] if socket_path else [])
    command = ["env", *environment, sys.executable, "-c", PRELUDE + text, *map(str, arguments)]
    return subprocess.Popen(inside(namespace, command), stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line that a program shows."""
    assert process.stdout is not None
    values: dict[str, Any] = json.loads(process.stdout.readline())
    return values


def finish(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=10)
    return process.returncode


def daemon_socket(site: UserSite) -> Path:
    return site.home / "run" / "xfrm"


SOCKETS = """
def redirected(kind, protocol):
    return domain(socket.socket(socket.AF_NETLINK, kind, protocol)) == socket.AF_UNIX
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    udp.bind(('0.0.0.0', int(sys.argv[1])))
    bound = domain(udp) == socket.AF_UNIX
except OSError as error:
    bound = error.errno
show(raw=redirected(socket.SOCK_RAW, NETLINK_XFRM), dgram=redirected(socket.SOCK_DGRAM, NETLINK_XFRM),
     route=redirected(socket.SOCK_RAW, 0), udp=bound)
"""


def test_only_sockets_of_xfrm_and_of_the_daemons_port_are_taken(ends: tuple[UserSite, Peer]) -> None:
    a, b = ends
    taken = told(program(a.underlay, SOCKETS, daemon_socket(a), 4500))
    assert taken == {"raw": True, "dgram": False, "route": False, "udp": True}
    assert told(program(a.underlay, SOCKETS, daemon_socket(a), 500))["udp"] is False
    # Without the environment variable, or the daemon, nothing or an error.
    untouched = told(program(b.underlay, SOCKETS, None, 4500))
    assert untouched == {"raw": False, "dgram": False, "route": False, "udp": False}


NO_DAEMON = """
for family, kind, protocol in ((socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM),
                               (socket.AF_INET, socket.SOCK_DGRAM, 0)):
    try:
        socket.socket(family, kind, protocol).bind(('0.0.0.0', 4500))
        show(error=None)
    except OSError as error:
        show(error=errno.errorcode[error.errno])
"""


def test_without_the_daemon_calls_fail(ends: tuple[UserSite, Peer]) -> None:
    _, b = ends
    process = program(b.underlay, NO_DAEMON, Path("/nonexistent/xfrm"))
    assert [told(process), told(process)] == [{"error": "ENOENT"}, {"error": "ENOENT"}]
    assert finish(process) == 0


REQUEST = """
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
s.bind((0, 0))
s.sendto(struct.pack('=IHHIII', 20, 0x25, 1, 42, 7, 0), (0, 0))
answer, sender = s.recvfrom(4096)
show(answer=struct.unpack_from('=IHHII', answer), length=len(answer), sender=sender)
s.recv(4096)
show(alive=True)
"""


def test_a_request_is_answered_as_by_the_kernel_and_the_end_of_the_daemon_is_the_end(
    ends: tuple[UserSite, Peer],
) -> None:
    a, _ = ends
    process = program(a.underlay, REQUEST, daemon_socket(a))
    shown = told(process)
    assert shown["answer"] == [shown["length"], 0x24, 0, 42, 7]
    assert shown["sender"] == [0, 0]
    a.kill_daemon()
    assert finish(process) == DAEMON_GONE_STATUS


IKE = """
local, version = sys.argv[1:]
family = socket.AF_INET if version == '4' else socket.AF_INET6
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind(('0.0.0.0' if version == '4' else '::', 4500))
level, option, info = (0, 8, '=i4s4s') if version == '4' else (41, 49, '=16si')
s.setsockopt(level, option, 1)
s.setsockopt(17, 100, 2)
show(ready=True)
for size, room in ((2000, 100), (6, 100), (2000, 8)):
    data, control, flags, sender = s.recvmsg(size, room)
    fields = [struct.unpack(info, value) for _, _, value in control]
    pick = (lambda f: (f[0], f[2])) if version == '4' else (lambda f: (f[1], f[0]))
    local_info = [(index, socket.inet_ntop(family, address)) for index, address in map(pick, fields)]
    show(data=data.hex(), flags=flags, sender=sender[:2], local=local_info,
         kinds=[(level, kind) for level, kind, _ in control])
    address = socket.inet_pton(family, local)
    source = struct.pack(info, 0, address, address) if version == '4' else struct.pack(info, address, 0)
    s.sendmsg([b'ans', b'wer'], [(level, option if version == '4' else 50, source)], 0, sender)
"""
ASK = """
here, there, version = sys.argv[1:]
s = socket.socket(socket.AF_INET if version == '4' else socket.AF_INET6, socket.SOCK_DGRAM)
s.bind((here, 40000))
s.settimeout(5)
for _ in range(3):
    s.sendto(bytes(4) + b'hello', (there, 4500))
    data, sender = s.recvfrom(2000)
    show(data=data.hex(), sender=sender[:2])
"""
MSG_TRUNC, MSG_CTRUNC = 0x20, 0x08


def test_the_virtual_ike_socket_looks_like_a_udp_socket(ends: tuple[UserSite, Peer]) -> None:
    a, b = ends
    version = a.outside.version
    here, there = str(a.outside.ip), str(b.outside.ip)
    ike = program(a.underlay, IKE, daemon_socket(a), here, version)
    assert told(ike) == {"ready": True}
    asking = program(b.underlay, ASK, None, there, here, version)
    pktinfo = [[0, 8]] if version == 4 else [[41, 50]]
    whole = (bytes(4) + b"hello").hex()
    for data, flags, kinds in ((whole, 0, pktinfo), (whole[:12], MSG_TRUNC, pktinfo), (whole, MSG_CTRUNC, [])):
        shown = told(ike)
        assert (shown["data"], shown["flags"], shown["kinds"]) == (data, flags, kinds)
        assert shown["sender"] == [there, 40000]
        assert [address for _, address in shown["local"]] == [here] * len(kinds)
        assert all(index > 0 for index, _ in shown["local"])
        assert told(asking) == {"data": b"answer".hex(), "sender": [here, 4500]}
    assert (finish(ike), finish(asking)) == (0, 0)
