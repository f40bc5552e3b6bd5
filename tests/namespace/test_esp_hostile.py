"""A hostile network before twinbore-esp: what does not belong is dropped under its reason, and the tunnel goes on.

Two sites with charon are joined by a veth; everything hostile is sent into it from the peer's namespace: with raw
sockets where addresses are forged, else with plain ones. Packets of the tunnel are captured and sent again, whole and
damaged; packets of an SA whose keys the test knows carry inner packets that they may not.

References: RFC 4303 (ESP), RFC 3948 (UDP encapsulation), RFC 4301 5.2 (checks of inner packets).
"""

from __future__ import annotations

import ctypes
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.esp_site import CHILD, DAEMON, Child, UserSite, established, eventually, name_prefix
from tests.namespace.xfrm_client import IN, NEWPOLICY, UPDSA, Client, Sa, seal
from twinbore.lab.probe import Probe, checksum

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(90),
]

OUTSIDE = {4: "192.0.2.{}", 6: "2001:db8::{}"}
PREFIX = {4: 24, 6: 64}
NATT = 4500
ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
LOG_LINES = 60
"""That a test may add to a daemon's log: establishing and rekeying say a dozen."""


@dataclass
class Hostile:
    """The way to `target`, from the namespace of its peer."""

    target: UserSite
    peer: UserSite
    version: int
    encap: bool

    @property
    def source(self) -> str:
        return str(self.peer.outside.ip)

    @property
    def stranger(self) -> str:
        """An address that no tunnel knows."""
        return OUTSIDE[self.version].format(77)

    def send(self, payload: bytes, *, source: str | None = None, port: int = NATT, encap: bool | None = None) -> None:
        """One datagram to the target, on protocol 50 or UDP port 4500, from any address."""
        source, destination = source or self.source, str(self.target.outside.ip)
        if self.encap if encap is None else encap:
            header = struct.pack("!HHHH", port, NATT, 8 + len(payload), 0)
            payload, protocol = udp_checksum(header + payload, source, destination), socket.IPPROTO_UDP
        else:
            protocol = socket.IPPROTO_ESP
        family = {4: socket.AF_INET, 6: socket.AF_INET6}[self.version]
        with entered(self.peer.underlay), socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(ip_header(source, destination, protocol, len(payload)) + payload, (destination, 0))

    def capture(self, count: int) -> list[bytes]:
        """ESP packets from the peer to the target, as they are on the wire, while the tunnel is pinged."""
        found: list[bytes] = []
        with entered(self.peer.underlay):
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        with tap:
            tap.settimeout(5)
            assert self.peer.ping(self.target, count=count)
            while len(found) < count:
                esp = esp_in(tap.recv(65535), self.source, self.encap)
                if esp is not None:
                    found.append(esp)
        return found


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """This thread is in a network namespace."""
    with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{namespace}").open() as there:
        setns(there.fileno())
        try:
            yield
        finally:
            setns(home.fileno())


def setns(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def ip_header(source: str, destination: str, protocol: int, length: int) -> bytes:
    addresses = ip_address(source).packed + ip_address(destination).packed
    if len(addresses) == 32:
        return struct.pack("!IHBB", 6 << 28, length, protocol, 64) + addresses
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, protocol, 0) + addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def udp_checksum(datagram: bytes, source: str, destination: str) -> bytes:
    pseudo = ip_address(source).packed + ip_address(destination).packed
    pseudo += struct.pack("!II", len(datagram), socket.IPPROTO_UDP)
    total = checksum(pseudo + datagram + bytes(len(datagram) % 2)) or 0xFFFF
    return datagram[:6] + struct.pack("!H", total) + datagram[8:]


def esp_in(packet: bytes, source: str, encap: bool) -> bytes | None:
    """The ESP packet in an IP packet from `source`."""
    version, header = packet[0] >> 4, 40 if packet[0] >> 4 == 6 else 20
    protocol, sender = (packet[6], packet[8:24]) if version == 6 else (packet[9], packet[12:16])
    if sender != ip_address(source).packed or protocol != (socket.IPPROTO_UDP if encap else socket.IPPROTO_ESP):
        return None
    esp = packet[header + 8 :] if encap else packet[header:]
    return esp if len(esp) > 8 and esp[:4] != bytes(4) else None


@pytest.fixture(params=[(4, True), (4, False), (6, True), (6, False)], ids=["udp4", "esp4", "udp6", "esp6"])
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hostile]:
    version, encap = request.param
    outside = OUTSIDE[version] + f"/{PREFIX[version]}"
    prefix = name_prefix()
    a = UserSite(f"{prefix}a", outside.format(1), "10.1.0.1", tmp_path / "a")
    b = UserSite(f"{prefix}b", outside.format(2), "10.2.0.1", tmp_path / "b")
    with ExitStack() as stack:
        stack.enter_context(established(a, b, Child(encap=encap)))
        yield Hostile(a, b, version, encap)


@contextmanager
def unmoved(site: UserSite) -> Iterator[None]:
    """What happens inside gives no line of the log for each packet, no memory and no descriptors away."""
    assert site.daemon is not None
    proc = Path("/proc") / str(site.daemon.pid)

    def resident() -> int:
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return int(status["VmRSS"].split()[0])

    def descriptors() -> int:
        return len(list((proc / "fd").iterdir()))

    lines, memory, opened = site.daemon_log().count("\n"), resident(), descriptors()
    yield
    assert site.daemon.poll() is None, site.daemon_log()
    assert site.daemon_log().count("\n") - lines < LOG_LINES, site.daemon_log()[-2000:]
    # The receive buffers of two workers, 1 MiB each, are touched for the first time by a flood.
    assert resident() - memory < 4096
    # That of a control connection goes a moment after its client has.
    eventually(lambda: descriptors() <= opened, 2, "no descriptor more")


def delta(site: UserSite, work: Callable[[], Any], expected: dict[str, int]) -> None:
    """`work` makes the site drop exactly this, by reason, and deliver nothing."""
    before, came = site.drops(), received(site)

    def new() -> dict[str, int]:
        return {reason: n - before.get(reason, 0) for reason, n in site.drops().items() if n > before.get(reason, 0)}

    work()
    eventually(lambda: new() == expected or sum(new().values()) > sum(expected.values()), 5, f"drops: {expected}")
    assert new() == expected
    assert received(site) == came, "nothing is delivered"


def received(site: UserSite) -> int:
    """Packets that came out of the site's TUN."""
    packets: int = site.control("list_tunnels")["tunnels"][0]["rx_packets"]
    return packets


def flipped(packet: bytes, bit: int) -> bytes:
    return packet[: bit // 8] + bytes([packet[bit // 8] ^ 1 << bit % 8]) + packet[bit // 8 + 1 :]


def test_forged_and_repeated_packets_are_dropped_by_reason(hostile: Hostile) -> None:
    site, chance = hostile.target, random.Random(4303)
    packets = hostile.capture(20)
    spi, number = struct.unpack("!II", packets[-1][:8])
    ahead = [struct.pack("!II", spi, number + 1 + n) + packets[-1][8:] for n in range(10)]

    def each(payloads: list[bytes], **how: Any) -> Callable[[], None]:
        def send() -> None:
            for payload in payloads:
                hostile.send(payload, **how)

        return send

    with unmoved(site):
        shuffled = chance.sample(packets, len(packets))
        delta(site, each(packets), {"replay": 20})
        delta(site, each(shuffled, source=hostile.stranger), {"replay": 20})
        delta(site, each(ahead), {"authentication": 10})
        delta(site, each(ahead, source=hostile.stranger, port=5555), {"authentication": 10})
        damaged = [flipped(ahead[0], bit) for bit in chance.sample(range(64, 8 * len(ahead[0])), 50)]
        delta(site, each(damaged), {"authentication": 50})
        delta(site, each([ahead[0][:length] for length in (8, 12, 16, 31, 33, 35)]), {"malformed": 6})
        unknown = [struct.pack("!I", chance.randrange(0x100, 2**31)) + chance.randbytes(n) for n in range(1, 60)]
        delta(site, each(unknown), {"unknown_spi": 59})
        delta(site, each([ahead[0]], encap=not hostile.encap), {"encap_mismatch": 1})
        assert site.ping(hostile.peer) and hostile.peer.ping(site)
        # The pings had the numbers that forged packets had claimed; and nobody was taken for a peer that has moved.
        assert not site.drops().keys() & {"tun_write", "no_tun"}
        assert "peer moved" not in site.daemon_log()


def test_inner_packets_stay_in_their_policy_and_tunnel(hostile: Hostile) -> None:
    site = hostile.target
    here, there = str(site.outside.ip), hostile.source
    with closing(Client(site.home / "run" / "xfrm")) as client:
        narrow = Sa(client.allocate(there, here), there, here, site.if_id, 77, hostile.encap)
        client.install(narrow, UPDSA)
        # No TUN has this if_id.
        other = Sa(client.allocate(there, here), there, here, site.if_id + 1, 78, hostile.encap)
        client.install(other, UPDSA)
        client.policy(narrow, IN, NEWPOLICY, "10.2.0.0/24", "10.1.0.0/24")
        client.policy(other, IN, NEWPOLICY)

        def inner(source: str, destination: str) -> bytes:
            return ip_header(source, destination, socket.IPPROTO_ICMP, 8) + bytes([0, 0, 0xFF, 0xFF, 0, 0, 0, 0])

        good, outside = inner("10.2.0.1", "10.1.0.1"), inner("10.2.1.1", "10.1.0.1")
        came = received(site)
        hostile.send(seal(narrow.spi, 1, good))
        eventually(lambda: received(site) == came + 1, 3, "a packet that the policy allows is delivered")

        def send(sa: Sa, *texts: bytes, next_header: int = 4, first: int = 2) -> Callable[[], None]:
            def go() -> None:
                for seq, text in enumerate(texts, first):
                    hostile.send(seal(sa.spi, seq, text, next_header=next_header))

            return go

        delta(site, send(narrow, outside, inner("10.2.0.1", "10.1.1.1")), {"selector": 2})
        delta(site, send(narrow, good, outside, first=2), {"replay": 2})
        delta(site, send(narrow, good, next_header=41, first=4), {"malformed": 1})
        delta(site, send(narrow, b"", b"\x45", good[:-1], b"\x20" * 40, first=5), {"malformed": 4})
        delta(site, send(other, good, first=1), {"no_tun": 1})
        dummies = site.control("stats")["counters"]["dummies"]
        send(narrow, b"anything", next_header=59, first=10)()
        eventually(lambda: site.control("stats")["counters"]["dummies"] == dummies + 1, 3, "dummies are no drops")
        client.delete(narrow)
        client.delete(other)
    assert site.ping(hostile.peer)


def test_a_flood_disturbs_neither_tunnel_nor_rekey(hostile: Hostile) -> None:
    """Random datagrams, replays, garbage for IKE and keepalives while pings go and charon rekeys over the same port."""
    site, chance = hostile.target, random.Random(3948)
    packets = hostile.capture(10)
    noise = [chance.randbytes(chance.choice([0, 1, 3, 4, 7, 8, 9, 40, 60, 1200])) for _ in range(200)]
    ike = [bytes(4) + chance.randbytes(size) for size in (0, 1, 27, 28, 200)]
    sent, stop = 0, threading.Event()

    def flood() -> None:
        nonlocal sent
        while not stop.is_set():
            batch = [*chance.sample(noise, 20), *chance.sample(packets, 5), flipped(packets[-1], 500)]
            for payload in batch:
                hostile.send(payload, source=chance.choice([hostile.source, hostile.stranger]))
            for payload in [*ike, b"\xff", b""]:
                hostile.send(payload, source=hostile.stranger, port=chance.randrange(1024, 65536), encap=True)
            sent += len(batch) + len(ike) + 2
            time.sleep(0.002)

    before = site.control("stats")["counters"]
    with unmoved(site):
        flooding = threading.Thread(target=flood)
        probe = Probe(site.traffic, hostile.peer.inside_address, interval=0.01)
        flooding.start()
        try:
            time.sleep(0.5)
            seen = site.spis()
            site.rekey("child", CHILD)
            eventually(lambda: not site.spis() & seen, 15, "a child SA is rekeyed")
            time.sleep(1)
            report = probe.finish()
        finally:
            stop.set()
            flooding.join()
            probe.kill()
        assert report.lost == 0, (report, site.drops(), hostile.peer.drops())
    counters = site.control("stats")["counters"]
    assert sent > 1000
    assert counters["keepalives"] > before["keepalives"]
    assert counters["ike_delivered"] >= before["ike_delivered"] + 100
    assert {"replay", "unknown_spi", "malformed"} <= site.drops().keys()
    assert not site.drops().keys() & {"tun_write", "no_tun", "selector", "send_error"}
    assert site.ping(hostile.peer) and hostile.peer.ping(site)
