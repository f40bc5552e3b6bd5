"""twinbore-esp does not grow: memory, descriptors, threads and SAs after ten thousand rekeys are those after one
thousand.

The netlink messages of a rekey are sent by the test itself, as fast as the daemons answer, while pings go through their
tunnel; no packet may be lost. Then a real charon pair rekeys every second for a while.

TWINBORE_SOAK_REKEYS and TWINBORE_SOAK_SECONDS make it longer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.namespace.esp_site import DAEMON, Child, UserSite, eventually, join, name_prefix
from tests.namespace.xfrm_client import FORWARD, IN, NEWSA, OUT, UPDSA, Client, Sa
from twinbore.lab.probe import Probe

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
]

REKEYS = int(os.environ.get("TWINBORE_SOAK_REKEYS", "10000"))
SECONDS = float(os.environ.get("TWINBORE_SOAK_SECONDS", "12"))
WARM = REKEYS // 10
"""Rekeys after which everything that is allocated once has been."""
KEPT = 100
"""SAs of each direction at a time: a rekey takes a millisecond, a packet is under way for tens on a busy machine."""
GROWTH_KIB = 1024
"""Of the resident memory, for what the allocator does not give back: a leak of 120 octets in each rekey is more."""


@dataclass(frozen=True)
class Size:
    """What a daemon takes."""

    resident_kib: int
    descriptors: int
    threads: int
    sas: int
    policies: int
    larval: int


def size(site: UserSite) -> Size:
    assert site.daemon is not None
    proc = Path("/proc") / str(site.daemon.pid)
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    xfrm = site.control("stats")["xfrm"]
    return Size(
        resident_kib=int(status["VmRSS"].split()[0]),
        descriptors=len(list((proc / "fd").iterdir())),
        threads=int(status["Threads"]),
        sas=len(site.sas()),
        policies=xfrm["policies"],
        larval=xfrm["larval_sas"],
    )


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[tuple[UserSite, UserSite]]:
    prefix = name_prefix()
    a = UserSite(f"{prefix}a", "192.0.2.1/24", "10.1.0.1", tmp_path / "a")
    b = UserSite(f"{prefix}b", "192.0.2.2/24", "10.2.0.1", tmp_path / "b")
    try:
        join(a, b)
        yield a, b
    finally:
        for site in (a, b):
            site.remove()


@dataclass
class End:
    """One side of a tunnel under the test's control."""

    site: UserSite
    client: Client
    received: list[Sa]
    sent: list[Sa]

    @property
    def outside(self) -> str:
        return str(self.site.outside.ip)


def rekey(a: End, b: End) -> None:
    """What two charons do: SAs for receiving on both sides, for sending, the change-over, the end of the old ones.

    Those end some rekeys later, when nothing can be under way under them any more.
    """
    ends = ((a, b), (b, a))
    for end, peer in ends:
        spi = end.client.allocate(peer.outside, end.outside)
        end.received.append(Sa(spi, peer.outside, end.outside, end.site.if_id))
        end.client.install(end.received[-1], UPDSA)
    for end, peer in ends:
        end.sent.append(peer.received[-1])
        end.client.install(end.sent[-1], NEWSA)
    for end, _ in ends:
        end.client.policy(end.received[-1], IN)
        end.client.policy(end.received[-1], FORWARD)
        end.client.policy(end.sent[-1], OUT)
    for end, _ in ends:
        end.client.read(end.received[-1])
        for sas in (end.received, end.sent):
            if len(sas) > KEPT:
                end.client.delete(sas.pop(0))


@pytest.mark.timeout(60 + REKEYS // 100)
def test_ten_thousand_rekeys_leave_nothing_behind(sites: tuple[UserSite, UserSite]) -> None:
    for site in sites:
        site.start_daemon()
    clients = [Client(site.home / "run" / "xfrm") for site in sites]
    with closing(clients[0]), closing(clients[1]):
        a, b = (End(site, client, [], []) for site, client in zip(sites, clients, strict=True))
        rekey(a, b)
        assert sites[0].ping(sites[1])
        probe = Probe(sites[0].traffic, sites[1].inside_address, interval=0.005)
        try:
            for _ in range(WARM):
                rekey(a, b)
            before = [size(site) for site in sites]
            began = time.monotonic()
            for _ in range(REKEYS - WARM):
                rekey(a, b)
            took = time.monotonic() - began
            after = [size(site) for site in sites]
            report = probe.finish()
        finally:
            probe.kill()
    print(f"{REKEYS - WARM} rekeys in {took:.1f} s; {report.sent} pings; before {before}, after {after}")
    assert report.sent > 100
    assert report.lost == 0, (report, [site.drops() for site in sites])
    for old, new in zip(before, after, strict=True):
        assert (new.sas, new.policies, new.larval) == (2 * KEPT, 3, 0)
        # A connection of the control socket may just have been open at either time.
        assert abs(new.descriptors - old.descriptors) <= 1
        assert new.threads <= old.threads + 1
        assert new.resident_kib - old.resident_kib < GROWTH_KIB
    assert all(site.drops() == {} for site in sites)


@pytest.mark.timeout(60 + SECONDS)
def test_a_rekey_every_second_loses_nothing(sites: tuple[UserSite, UserSite]) -> None:
    a, b = sites
    for site in sites:
        site.start()
    a.load(b, Child(rekey_time=1, life_time=10))
    b.load(a, Child())
    a.initiate()
    seen = a.spis()
    probe = Probe(a.traffic, b.inside_address, interval=0.01)
    try:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            seen |= a.spis()
            time.sleep(0.1)
        report = probe.finish()
    finally:
        probe.kill()
    print(f"{len(seen)} SAs in {SECONDS:.0f} s, {report}")
    # A soft lifetime is looked at once a second, and charon takes its time for the exchange.
    assert len(seen) >= SECONDS / 3
    assert report.lost == 0, (report, a.drops(), b.drops())
    # charon keeps what it has replaced for 5 s.
    eventually(lambda: len(a.sas()) <= 2 * 8, 2, "replaced SAs are removed")
    assert a.drops() == {} and b.drops() == {}
