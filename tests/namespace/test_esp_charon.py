"""twinbore-esp under the distribution's charon: rekeys without loss, lifetimes, and what happens when one of the
processes dies."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.esp_site import (
    CHILD,
    DAEMON,
    DAEMON_GONE_STATUS,
    Child,
    Pair,
    Site,
    both_ways,
    eventually,
)
from twinbore.lab.namespaces import run
from twinbore.lab.probe import Probe, Report

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(120),
]

GCM = "aes128gcm16"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(tmp_path, stack)


def loss_while_rekeying(a: Site, b: Site) -> Report:
    """1500 pings, one each 2 ms, while the child SA is replaced ten times, by either side in turn."""
    probe = Probe(a.traffic, b.inside_address, interval=0.002, count=1500)
    try:
        time.sleep(0.3)
        begin = time.monotonic()
        for number in range(10):
            site = (a, b)[number % 2]
            before = site.spis()
            site.rekey("child", CHILD)
            eventually(lambda: len(a.spis()) == 1 and not site.spis() & before, 10, "one new child SA")  # noqa: B023
            time.sleep(max(0.0, begin + 0.25 * (number + 1) - time.monotonic()))
        assert probe.running, "the pings ended before the last rekey: what was lost then is not known"
        return probe.wait()
    finally:
        probe.kill()


def ike_rekey(a: Site, b: Site) -> None:
    """The IKE SA is replaced from either end; its child goes on."""
    for site in (a, b):
        ike = site.ike_ids()
        site.rekey("ike", "gw")
        eventually(lambda: len(site.ike_ids()) == 1 and not site.ike_ids() & ike, 10, "one new IKE SA")  # noqa: B023


@pytest.mark.parametrize("encap", [True, False], ids=["udp", "esp"])
def test_rekeys_lose_nothing(pair: Pair, encap: bool) -> None:
    a, b = pair.users(Child(GCM, encap=encap))
    report = loss_while_rekeying(a, b)
    assert (report.sent, report.lost) == (1500, 0), (report, a.drops(), b.drops())
    # charon keeps an inbound SA for 5 s after it was replaced.
    eventually(lambda: len(a.sas()) == len(b.sas()) == 2, 10, "only the SAs of the last rekey")
    assert not [sa for sa in a.sas() + b.sas() if sa["orphan"]]


def test_rekeys_with_a_stock_peer_lose_nothing(pair: Pair) -> None:
    a, b = pair.user_and_stock(Child("aes256-sha256"))
    report = loss_while_rekeying(a, b)
    assert (report.sent, report.lost) == (1500, 0), (report, a.drops())


def test_a_new_ike_sa_loses_nothing(pair: Pair) -> None:
    a, b = pair.users(Child(GCM))
    spis = a.spis()
    probe = Probe(a.traffic, b.inside_address, interval=0.002)
    try:
        time.sleep(0.3)
        ike_rekey(a, b)
        time.sleep(0.3)
        report = probe.finish()
    finally:
        probe.kill()
    assert report.lost == 0, (report, a.drops(), b.drops())
    assert a.spis() == spis


def test_soft_lifetimes_rekey_without_loss(pair: Pair) -> None:
    a, b = pair.users(Child(GCM, rekey_time=3, life_time=8))
    seen = a.spis()
    probe = Probe(a.traffic, b.inside_address, interval=0.01)
    try:
        for _ in range(2):
            eventually(lambda: not a.spis() <= seen, 8, "a rekey at the soft lifetime")  # noqa: B023
            seen |= a.spis()
        report = probe.finish()
    finally:
        probe.kill()
    assert report.lost == 0, (report, a.drops(), b.drops())
    assert "soft lifetime" in a.daemon_log() + b.daemon_log()
    assert "hard lifetime" not in a.daemon_log() + b.daemon_log()


def test_hard_lifetimes_end_an_sa(pair: Pair) -> None:
    a, b = pair.users(Child(GCM, life_time=4))
    a.charon.kill()
    assert {sa["orphan"] for sa in a.sas()} == {True}
    assert a.ping(b)
    eventually(lambda: a.sas() == [], 8, "orphans end at their hard lifetime with nobody connected")
    eventually(lambda: a.control("stats")["xfrm"]["policies"] == 0, 3, "their policies end too")
    assert not a.ping(b, count=1)


def test_traffic_survives_charon(pair: Pair) -> None:
    a, b = pair.users(Child(GCM))
    probe = Probe(a.traffic, b.inside_address, interval=0.01)
    try:
        a.charon.kill()
        time.sleep(3)
        alone = probe.finish()
        assert alone.sent > 200
        assert alone.lost == 0, alone
        orphans = {sa["spi"] for sa in a.sas()}
        assert {sa["orphan"] for sa in a.sas()} == {True}

        probe = Probe(a.traffic, b.inside_address, interval=0.01)
        a.charon.start()
        a.load(b, Child(GCM))
        a.initiate()
        eventually(lambda: {sa["orphan"] for sa in a.sas()} == {False}, 15, "orphans are collected")
        report = probe.finish()
    finally:
        probe.kill()
    assert len(a.sas()) == 2
    assert not orphans & {sa["spi"] for sa in a.sas()}
    assert report.longest_gap < 0.5, (report, a.drops(), b.drops())
    assert a.control("stats")["xfrm"]["policies"] == 6
    assert both_ways(a, b)


def test_charon_does_not_outlive_the_daemon(pair: Pair) -> None:
    a, b = pair.users(Child(GCM))
    a.kill_daemon()
    process = a.charon.process
    assert process is not None
    assert process.wait(3) == DAEMON_GONE_STATUS
    a.start()
    a.load(b, Child(GCM))
    a.initiate()
    assert both_ways(a, b)


def test_delete_removes_everything(pair: Pair) -> None:
    a, b = pair.users(Child(GCM))
    a.terminate()
    for site in (a, b):
        eventually(lambda: site.sas() == [], 5, "no SAs")  # noqa: B023
        assert site.control("stats")["xfrm"]["policies"] == 0
    assert not a.ping(b, count=1)
    assert set(a.drops()) == {"no_policy"}


def test_a_dead_peer_is_noticed(pair: Pair) -> None:
    a, b = pair.users(Child(GCM, dpd_delay=1))
    b.charon.kill()
    assert a.ping(b)
    eventually(lambda: a.sas() == [], 20, "dead peer detection clears the tunnel")
    eventually(lambda: not a.ike_sas(), 5, "and the IKE SA")


def test_a_peer_whose_port_moves_is_followed(pair: Pair) -> None:
    a, b = pair.users(Child(GCM))
    assert a.ping(b)
    run(["nft", "-f", "-"], namespace=a.underlay, text=NAT)
    assert b.ping(a, count=2) or b.ping(a)
    eventually(lambda: {port(sa) for sa in a.sas()} == {14500}, 5, "the new port is in both SAs")
    assert both_ways(a, b)
    assert "peer moved" in a.daemon_log()
    assert "refused" not in a.daemon_log()


NAT = """\
table ip nat {
    chain arriving {
        type filter hook prerouting priority -300
        ip saddr 192.0.2.2 udp sport 4500 udp sport set 14500
    }
    chain leaving {
        type filter hook output priority -300
        ip daddr 192.0.2.2 udp dport 14500 udp dport set 4500
    }
}
"""


def port(sa: dict[str, Any]) -> int:
    """The peer's port."""
    value: int = sa["encap"]["src_port" if sa["direction"] == "in" else "dst_port"]
    return value


def test_traffic_brings_a_trapped_tunnel_up(pair: Pair) -> None:
    a, b = pair.users(Child(GCM, start_action="trap", selectors=("0.0.0.0/0",)), initiate=False)
    eventually(lambda: a.control("stats")["xfrm"]["policies"] == 3, 5, "the trap's policies")
    assert a.sas() == []
    a.ping(b, count=1)
    eventually(lambda: {sa["direction"] for sa in a.sas()} == {"in", "out"}, 10, "an SA for the packet")
    assert both_ways(a, b, versions=(4,))
    assert "wants an SA" in a.daemon_log()


def test_a_tunnel_can_be_cleared_by_hand(pair: Pair) -> None:
    a, b = pair.users(Child(GCM))
    assert a.control("remove_sas", if_id=8) == {"changed": False, "sas": 0, "policies": 0}
    assert a.ping(b)
    assert a.control("remove_sas", if_id=a.if_id) == {"changed": True, "sas": 2, "policies": 6}
    assert not a.ping(b, count=1)


def test_no_key_is_ever_shown(pair: Pair) -> None:
    a, _ = pair.users(Child(GCM))
    shown = run([DAEMON, "sas", "--control-socket", a.home / "control"])
    assert all(sa["spi"] in shown for sa in a.sas())
    assert {key for sa in a.sas() for key in sa} == {
        "spi", "src", "dst", "direction", "if_id", "reqid", "suite", "encap", "esn", "replay_window", "bytes",
        "packets", "age_s", "idle_s", "orphan",
    }  # fmt: skip
    assert re.search("[0-9a-fA-F]{32}", a.daemon_log() + shown) is None
