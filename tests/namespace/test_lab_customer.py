"""The configurations for Linux with user-space ESP, with FRR and with BIRD, run unmodified on the lab's customer router
against a gateway of stock parts: what they configure works, heals by itself, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.namespace.gateway_standin import VPC_ADDRESS, StandIn
from tests.unit.devices.samples import NOW, connection_view
from twinbore.devices.render import device_configuration
from twinbore.devices.view import ConnectionView
from twinbore.lab import namespaces
from twinbore.lab.capture import Capture
from twinbore.lab.faults import Faults
from twinbore.lab.namespaces import inside
from twinbore.lab.probe import MARKER, Probe, Report
from twinbore.lab.scenario import source_nat
from twinbore.lab.topology import LAN_ADDRESS, LAN_PREFIX, Lab, bare_lab
from twinbore.model.desired import Bfd

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

WITH_FRR, WITH_BIRD = "d3925bf6", "e04b7a95"
IKE = "aes256gcm16-prfsha512-ecp384,aes256-sha512-ecp384"
ESP = "aes256gcm16-ecp384"


def eventually(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Waits until the condition holds; gives the seconds that it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begin


@dataclass
class Site:
    """A customer site with its script, and the stand-ins at the other ends of its tunnels."""

    lab: Lab
    faults: Faults
    gateways: tuple[StandIn, StandIn]
    script: Path
    directory: Path

    @property
    def router(self) -> str:
        return self.lab.name("router")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(self.script), "--directory", str(self.directory), *arguments]
        return subprocess.run(inside(self.router, command), capture_output=True, text=True, timeout=60, check=False)

    def up(self, *arguments: str) -> None:
        done = self.run("up", *arguments)
        assert done.returncode == 0, done.stderr
        eventually(self.established, 20, "both tunnels up, the LAN announced over both")

    def established(self) -> bool:
        return all(LAN_PREFIX in gateway.prefixes() for gateway in self.gateways)

    def works(self) -> bool:
        """Whether both ends of both tunnels say that BGP is established."""
        return self.established() and self.run("status").stdout.count("BGP is established, 1 prefixes received") == 2

    def state(self) -> list[str]:
        """Everything that a script could leave behind in the router's namespace."""
        commands = (
            ["ip", "-br", "link"],
            ["ip", "rule"],
            ["ip", "-4", "route", "show", "table", "all"],
            ["nft", "list", "ruleset"],
            ["cat", "/proc/sys/net/ipv4/ip_forward"],
        )
        return [namespaces.run(command, namespace=self.router) for command in commands]


@contextmanager
def running_site(
    home: Path, view: ConnectionView, prefix: str, device: str, ike_version: str = "ikev2"
) -> Iterator[Site]:
    with bare_lab(prefix) as lab:
        first, second = (StandIn(lab, view, index, IKE, ESP, home) for index in (1, 2))
        script = home / "customer.sh"
        script.write_text(device_configuration(view, device, ike_version, now=NOW))
        yield Site(lab, Faults(lab.name("internet")), (first, second), script, Path("/run") / prefix)
    first.stop()
    second.stop()


@pytest.fixture(scope="module", params=[WITH_FRR, WITH_BIRD], ids=["frr", "bird"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    view = connection_view(bfd=Bfd(interval_ms=100, multiplier=3))
    with running_site(tmp_path_factory.mktemp("site"), view, f"tbc{os.getpid():x}", request.param) as made:
        before = made.state()
        made.up()
        yield made
        assert made.run("down").returncode == 0
        assert made.state() == before
        assert namespaces.processes(made.router) == []
        assert not made.directory.exists()


def ping(site: Site, count: int = 20) -> Report:
    return Probe(site.lab.name("lan"), VPC_ADDRESS, count=count).wait()


@pytest.mark.timeout(120)
def test_both_tunnels_carry_bgp_and_only_the_lan_is_announced(site: Site) -> None:
    assert [gateway.prefixes() for gateway in site.gateways] == [{LAN_PREFIX}, {LAN_PREFIX}]
    status = site.run("status")
    assert status.returncode == 0, status.stdout
    assert status.stdout.count("BGP is established, 1 prefixes received") == 2


def test_traffic_is_only_seen_encrypted(site: Site, tmp_path: Path) -> None:
    with Capture(site.lab.name("internet"), "customer", tmp_path / "public.pcap") as capture:
        assert ping(site).lost == 0
    assert capture.count("udp port 4500") >= 40
    assert capture.count("not (udp port 500 or udp port 4500 or esp or arp or ip6)") == 0
    assert not capture.contains(MARKER)


def test_the_first_tunnel_is_preferred(site: Site, tmp_path: Path) -> None:
    with Capture(site.lab.name("internet"), "customer", tmp_path / "public.pcap") as capture:
        assert ping(site, 50).lost == 0
    assert capture.count("udp src port 4500 and dst host 203.0.113.10") >= 50


def test_with_source_nat_the_inside_address_of_tunnel_1_is_seen(site: Site, tmp_path: Path) -> None:
    with source_nat(site.router), Capture(site.gateways[0].namespace, "ipsec0", tmp_path / "inside.pcap") as capture:
        assert ping(site).lost == 0
    assert capture.count("icmp[icmptype] == icmp-echo and src host 169.254.10.2") == 20
    with Capture(site.gateways[0].namespace, "ipsec0", tmp_path / "plain.pcap") as capture:
        assert ping(site).lost == 0
    assert capture.count(f"icmp[icmptype] == icmp-echo and src host {LAN_ADDRESS}") == 20


def test_up_again_changes_nothing(site: Site) -> None:
    assert site.run("announce", "0.0.0.0/0").returncode == 0
    before = namespaces.processes(site.router)
    done = site.run("up")
    assert done.returncode == 0
    assert "is up already" in done.stdout
    assert namespaces.processes(site.router) == before
    assert site.run("withdraw", "0.0.0.0/0").returncode == 0


def test_a_prefix_is_announced_only_with_a_route_and_withdrawn_again(site: Site) -> None:
    assert site.run("announce", "10.99.0.0/16").returncode == 0
    assert site.run("announce", "0.0.0.0/0").returncode == 0
    eventually(lambda: "0.0.0.0/0" in site.gateways[0].prefixes(), 5, "the default route is announced")
    assert "10.99.0.0/16" not in site.gateways[0].prefixes(), "the router has no route to it"
    assert site.run("withdraw", "0.0.0.0/0").returncode == 0
    assert site.run("withdraw", "10.99.0.0/16").returncode == 0
    eventually(lambda: site.gateways[0].prefixes() == {LAN_PREFIX}, 2, "the default route is withdrawn")


def test_a_silent_cut_moves_traffic_and_heals(site: Site) -> None:
    outside = "203.0.113.10"
    probe = Probe(site.lab.name("lan"), VPC_ADDRESS)
    try:
        time.sleep(0.5)
        site.faults.cut(outside)
        time.sleep(3)
        report = probe.finish()
    finally:
        site.faults.heal(outside)
    assert 0 < report.longest_gap < 1.5, report
    eventually(site.works, 30, "tunnel 1 comes back by itself")


def test_tunnels_come_back_when_the_gateway_closes_them(site: Site) -> None:
    for gateway in site.gateways:
        gateway.swanctl("--terminate", "--ike", "gw")
    time.sleep(1)
    eventually(site.works, 20, "both tunnels are back")
    assert ping(site).lost == 0


def test_a_killed_charon_is_replaced(site: Site) -> None:
    eventually(site.works, 20, "both tunnels are up")
    os.kill(int((site.directory / "charon1" / "pid").read_text()), signal.SIGKILL)
    time.sleep(0.5)
    assert ping(site).received > 0, "tunnel 2 carries traffic meanwhile"
    eventually(site.works, 30, "tunnel 1 is back")
    assert ping(site).lost == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "--announce", "10.1.2.3"), "is not an IPv4 prefix"),
        (("up", "--bogus", "10.0.0.0/8"), "up takes --announce PREFIX"),
        (("announce", "nonsense"), "is not an IPv4 prefix"),
        (("announce",), "give one prefix"),
    ],
)
def test_bad_arguments_are_refused_in_words(site: Site, arguments: tuple[str, ...], said: str) -> None:
    done = site.run(*arguments)
    assert done.returncode != 0
    assert said in done.stderr


def test_an_unknown_command_prints_the_usage(site: Site) -> None:
    done = site.run("sideways")
    assert done.returncode == 2
    assert "Usage:" in done.stderr


def test_it_refuses_to_start_beside_another_ipsec_daemon(site: Site) -> None:
    done = subprocess.run(
        inside(site.router, ["sh", str(site.script), "--directory", str(site.directory.with_name("other")), "up"]),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "UDP port 500 is in use" in done.stderr
    assert not site.directory.with_name("other").exists()


@pytest.mark.timeout(90)
def test_ikev1_and_static_routes(tmp_path: Path) -> None:
    view = connection_view(static=True)
    with running_site(tmp_path, view, f"tbs{os.getpid():x}", WITH_FRR, "ikev1") as site:
        for gateway in site.gateways:
            namespaces.run(["ip", "route", "add", LAN_PREFIX, "dev", "ipsec0"], namespace=gateway.namespace)
        refused = site.run("up")
        assert refused.returncode == 1
        assert "give the networks behind the gateway" in refused.stderr
        assert site.run("up", "--route", "10.0.0.0/16").returncode == 0
        eventually(lambda: site.run("status").returncode == 0, 20, "both tunnels up")
        assert ping(site).lost == 0
        assert site.run("down").returncode == 0
        assert namespaces.processes(site.router) == []
