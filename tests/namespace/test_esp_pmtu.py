"""Packet sizes on real wires: what fits a 1500-byte path, and what a sender is told when it does not fit.

    host h  ── lan ──  routing domain of a  ══ tunnel ══  b          the wire between a and b has 1500 bytes, or 1400

One pair of sites for each outside family is kept for all tests; each negotiates anew, since what an SA has learned
about its path ends with the SA.

Reference: AWS Site-to-Site VPN User Guide, "Best practices for your customer gateway device" (MTU by algorithm).
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import pytest

from tests.namespace.esp_site import DAEMON, Child, Pair, Site, UserSite, renegotiate, transfer
from twinbore.engines.net import ruleset
from twinbore.lab import namespaces
from twinbore.lab.namespaces import inside, run
from twinbore.model.desired import PacketFilter

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(60),
    pytest.mark.xdist_group("esp-pmtu"),
]

TABLE = {
    "aes128gcm16": (1446, 1438),
    "aes256gcm16": (1446, 1438),
    "aes128-sha1": (1438, 1422),
    "aes256-sha256": (1438, 1422),
    "aes256-sha384": (1422, 1422),
    "aes256-sha512": (1422, 1406),
}
"""charon's name → AWS's MTU over IPv4 without and with UDP encapsulation."""
CBC_ICV = {"sha1": 12, "sha256": 16, "sha384": 24, "sha512": 32}
HEADERS = {4: 28, 6: 48}
"""IP and ICMP."""
DEAF = """\
table ip deaf {
    chain leaving {
        type filter hook output priority 0
        icmp type destination-unreachable drop
    }
}
"""
FRESH = 1.1
"""Seconds after which the daemon asks the kernel anew about a path."""
LARGE = 2000
"""An MTU of the TUN that never is the limit."""


@dataclass
class Ends:
    a: UserSite
    b: UserSite
    host: str
    path: int = 1500

    def wire_mtu(self, mtu: int) -> None:
        for site in (self.a, self.b):
            run(["ip", "-n", site.underlay, "link", "set", "wan", "mtu", str(mtu)])

    def negotiate(self, child: Child, tun_mtu: int, wire_mtu: int = 1500) -> None:
        if wire_mtu != self.path:
            self.wire_mtu(wire_mtu)
            self.path = wire_mtu
            time.sleep(FRESH)
        renegotiate(self.a, self.b, child)
        for site in (self.a, self.b):
            site.set_mtu(tun_mtu)
        for namespace in (self.host, self.a.traffic, self.a.underlay):
            for family in ("-4", "-6"):
                run(["ip", family, "-n", namespace, "route", "flush", "cache"])

    def told(self, size: int, version: int = 4) -> int | None:
        """The MTU that a host behind a is told for a packet of `size` that may not be fragmented; None: it passes."""
        address = self.b.inside_address if version == 4 else self.b.inside6
        command = ["ping", "-c", "1", "-W", "1", "-M", "do", "-s", str(size - HEADERS[version]), address]
        done = subprocess.run(inside(self.host, command), capture_output=True, text=True, check=False)
        if " 1 received" in done.stdout:
            return None
        match = re.search(r"mtu ?[=:] ?(\d+)", done.stdout + done.stderr)
        assert match, f"neither an answer nor an error for {size} bytes: {done.stdout}{done.stderr}"
        return int(match[1])


def largest(proposal: str, encap: bool, version: int, path: int = 1500) -> int:
    """The largest inner packet, by trying: RFC 4303 2, the outer header, and UDP's 8 bytes."""
    iv, block, icv = (8, 4, 16) if "gcm" in proposal else (16, 16, CBC_ICV[proposal.split("-")[1]])
    around = {4: 20, 6: 40}[version] + (8 if encap else 0) + 8 + iv + icv
    return max(size for size in range(path) if around + -(-(size + 2) // block) * block <= path)


def fragments(site: Site) -> int:
    """Outer packets that the kernel had to cut, counted by their pieces."""
    names, values = (
        line.split()
        for line in run(["cat", "/proc/net/snmp"], namespace=site.underlay).splitlines()
        if line.startswith("Ip:")
    )
    v6 = dict(line.split() for line in run(["cat", "/proc/net/snmp6"], namespace=site.underlay).splitlines())
    return int(dict(zip(names, values, strict=True))["FragCreates"]) + int(v6["Ip6FragCreates"])


def make_host(a: UserSite) -> str:
    """A host behind the routing domain of a, which routes for it."""
    host = f"{a.traffic}h"
    namespaces.create(host)
    run(["ip", "link", "add", "lan", "netns", a.traffic, "type", "veth", "peer", "name", "lan", "netns", host])
    for namespace, number in ((a.traffic, 1), (host, 2)):
        run(["ip", "-n", namespace, "address", "add", f"10.11.0.{number}/24", "dev", "lan"])
        run(["ip", "-n", namespace, "address", "add", f"fd11::{number}/64", "dev", "lan", "nodad"])
        run(["ip", "-n", namespace, "link", "set", "lan", "up"])
    run(["ip", "-n", host, "route", "add", "default", "via", "10.11.0.1"])
    run(["ip", "-n", host, "route", "add", "default", "via", "fd11::1"])
    run(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"], namespace=a.traffic)
    return host


@pytest.fixture(scope="module")
def ends_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Ends]]:
    with ExitStack() as stack:

        @cache
        def of(version: int) -> Ends:
            a, b = Pair(tmp_path_factory.mktemp("sites"), stack).users(Child(), version=version)
            host = make_host(a)
            stack.callback(namespaces.remove, host)
            return Ends(a, b, host)

        yield of


transports = pytest.mark.parametrize("encap", [True, False], ids=["udp", "esp"])
families = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])


def test_the_formula_gives_the_published_table() -> None:
    assert {name: tuple(largest(name, encap, 4) for encap in (False, True)) for name in TABLE} == TABLE


@pytest.mark.parametrize("proposal", TABLE)
@transports
@families
def test_the_largest_packet_fits_a_path_of_1500_bytes_and_one_more_byte_does_not(
    ends_of: Callable[[int], Ends], proposal: str, encap: bool, version: int
) -> None:
    ends = ends_of(version)
    ends.negotiate(Child(proposal, encap=encap), LARGE)
    size = largest(proposal, encap, version)
    for inner in (4, 6):
        before = fragments(ends.a), fragments(ends.b)
        assert ends.a.ping(ends.b, count=1, size=size - HEADERS[inner], version=inner)
        assert (fragments(ends.a), fragments(ends.b)) == before
    assert ends.a.ping(ends.b, count=1, size=size + 1 - HEADERS[4])
    assert fragments(ends.a) > before[0]


@transports
@families
def test_a_sender_is_told_the_mtu_of_the_tun(ends_of: Callable[[int], Ends], encap: bool, version: int) -> None:
    ends = ends_of(version)
    size = largest("aes128gcm16", encap, version)
    ends.negotiate(Child("aes128gcm16", encap=encap), size)
    for inner in (4, 6):
        assert ends.told(size, inner) is None
        assert ends.told(size + 1, inner) == size
    for inner in (4, 6):
        assert ends.a.ping(ends.b, size=3000, version=inner), "what may be fragmented arrives"


@transports
@families
def test_a_sender_is_told_what_a_smaller_path_takes_once_bulk_traffic_has_met_it(
    ends_of: Callable[[int], Ends], encap: bool, version: int
) -> None:
    ends = ends_of(version)
    size = largest("aes128gcm16", encap, version)
    ends.negotiate(Child("aes128gcm16", encap=encap), size, wire_mtu=1400)
    assert transfer(ends.host, ends.b.traffic, ends.b.inside_address, 1 << 20)
    smaller = largest("aes128gcm16", encap, version, 1400)
    before = fragments(ends.a)
    for inner in (4, 6):
        assert ends.told(smaller, inner) is None
        assert ends.told(smaller + 1, inner) == smaller
    assert fragments(ends.a) == before
    assert ends.a.ping(ends.b, size=3000)


@transports
@families
def test_a_sender_of_single_packets_is_told_what_a_smaller_path_takes(
    ends_of: Callable[[int], Ends], encap: bool, version: int
) -> None:
    ends = ends_of(version)
    size = largest("aes128gcm16", encap, version)
    ends.negotiate(Child("aes128gcm16", encap=encap), size, wire_mtu=1400)
    smaller = largest("aes128gcm16", encap, version, 1400)
    # The first ones may go out in fragments: that is how the path's MTU is met.
    assert smaller in [ends.told(size) for _ in range(3)]
    assert ends.told(smaller) is None


@families
def test_tcp_passes_by_its_clamped_mss_where_errors_do_not_reach_the_sender(
    ends_of: Callable[[int], Ends], version: int
) -> None:
    ends = ends_of(version)
    size = largest("aes256-sha512", True, version)
    ends.negotiate(Child("aes256-sha512"), size)
    ends.b.set_mtu(LARGE)  # so that the receiver does not ask for small segments by itself
    clamp = ruleset.render(PacketFilter(ends.a.traffic, clamp_mss=(("tun0", size - 40),))).script({})
    try:
        run(["nft", "-f", "-"], namespace=ends.a.traffic, text=DEAF + clamp)
        before = ends.a.drops().get("too_big", 0), fragments(ends.a)
        assert transfer(ends.host, ends.b.traffic, ends.b.inside_address, 1 << 20)
        assert (ends.a.drops().get("too_big", 0), fragments(ends.a)) == before
    finally:
        run(["nft", "flush", "ruleset"], namespace=ends.a.traffic)
