"""A customer behind a NAT whose port mapping is lost in the middle of traffic.

    gateway a  ── 192.0.2.0/24 ──  router, masquerades  ── 10.77.0.0/24 ──  customer b

The router is Linux: nftables' masquerade, with a port range for the mapping's port. The range is changed and the
connection tracking table emptied, as a reboot of a customer's router does it: from then on the customer's packets come
from another port, and what is sent to the old one is lost.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.esp_site import DAEMON, Child, Pair, Site, UserSite, both_ways, eventually, prepared
from twinbore.lab import namespaces
from twinbore.lab.namespaces import run
from twinbore.lab.probe import Probe

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(60),
]

PUBLIC = "192.0.2.2"
BEFORE, AFTER = range(20000, 20010), range(30000, 30010)
FORGET = "from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket; NFCTSocket().flush()"


class Router:
    """Between the two sites; has the customer's public address."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def join(self, gateway: Site, customer: Site) -> None:
        namespaces.create(self.namespace)
        for site, own, name in ((gateway, f"{PUBLIC}/24", "public"), (customer, "10.77.0.1/24", "private")):
            peer = ["peer", "name", name, "netns", self.namespace]
            run(["ip", "link", "add", "wan", "netns", site.underlay, "type", "veth", *peer])
            for namespace, link, address in ((site.underlay, "wan", str(site.outside)), (self.namespace, name, own)):
                run(["ip", "-n", namespace, "address", "add", address, "dev", link])
                run(["ip", "-n", namespace, "link", "set", link, "up"])
        run(["ip", "-n", customer.underlay, "route", "add", "default", "via", "10.77.0.1"])
        run(["sysctl", "-qw", "net.ipv4.ip_forward=1"], namespace=self.namespace)
        self.map_to(BEFORE)

    def map_to(self, ports: range) -> None:
        """New mappings have a port of this range."""
        rules = f"""\
            table ip nat {{}}
            delete table ip nat
            table ip nat {{
                chain leaving {{
                    type nat hook postrouting priority srcnat
                    oif public udp sport 4500 masquerade to :{ports.start}-{ports.stop - 1}
                    oif public masquerade
                }}
            }}
        """
        run(["nft", "-f", "-"], namespace=self.namespace, text=rules)

    def forget(self) -> None:
        """No mapping is known any more."""
        run([sys.executable, "-c", FORGET], namespace=self.namespace)


@pytest.fixture
def natted(tmp_path: Path) -> Iterator[tuple[UserSite, UserSite, Router]]:
    with ExitStack() as stack:
        pair = Pair(tmp_path, stack)
        gateway = pair.user("a", 1)
        customer = pair.user("b", 2, outside="10.77.0.2/24")
        customer.reached_at = PUBLIC
        router = Router(f"{gateway.underlay}r")
        stack.callback(namespaces.remove, router.namespace)
        stack.enter_context(prepared(gateway, customer, Child(encap=False, dpd_delay=1), router.join))
        customer.initiate()
        yield gateway, customer, router


def peer_ports(gateway: UserSite) -> set[int]:
    """The customer's port, as the gateway's SAs have it."""
    found: list[dict[str, Any]] = gateway.sas()
    return {sa["encap"]["src_port" if sa["direction"] == "in" else "dst_port"] for sa in found}


def test_a_nat_that_maps_anew_is_followed_at_once_when_the_customer_sends(
    natted: tuple[UserSite, UserSite, Router],
) -> None:
    gateway, customer, router = natted
    assert both_ways(gateway, customer)
    assert peer_ports(gateway) <= set(BEFORE)
    spis = gateway.spis()
    probe = Probe(customer.traffic, gateway.inside_address, interval=0.005)
    try:
        time.sleep(0.3)
        router.map_to(AFTER)
        router.forget()
        eventually(lambda: peer_ports(gateway) <= set(AFTER), 5, "the new port is in the gateway's SAs")
        time.sleep(0.3)
        report = probe.finish()
    finally:
        probe.kill()
    assert report.sent > 100
    assert report.longest_gap < 0.5, (report, gateway.drops(), customer.drops())
    assert both_ways(gateway, customer)
    assert gateway.spis() == spis
    assert "peer moved" in gateway.daemon_log()


def test_a_lost_mapping_comes_back_by_dead_peer_detection_when_only_the_gateway_sends(
    natted: tuple[UserSite, UserSite, Router],
) -> None:
    gateway, customer, router = natted
    assert gateway.ping(customer)
    probe = Probe(gateway.traffic, customer.inside_address, interval=0.02)
    try:
        time.sleep(0.3)
        router.map_to(AFTER)
        router.forget()
        eventually(lambda: peer_ports(gateway) <= set(AFTER), 10, "the new port is in the gateway's SAs")
        time.sleep(0.3)
        report = probe.finish()
    finally:
        probe.kill()
    assert report.longest_gap < 5, (report, gateway.drops())
    assert both_ways(gateway, customer)
