"""The promises of the architecture, on a whole installation with real tunnels (docs/architecture.md).

One lab for all tests of the module: a customer site and a gateway host, both tunnels UP. A test that breaks something
waits until it is whole again, so that the next one finds the lab as it was.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.namespace.gateway_host import gateway_host
from twinbore.lab import namespaces
from twinbore.lab.namespaces import inside, run
from twinbore.lab.probe import Probe
from twinbore.lab.residue import underlay_state
from twinbore.lab.scenario import VPC_HOST_ADDRESS, Scenario
from twinbore.lab.service import twinbore
from twinbore.lab.steps import cloud, device
from twinbore.lab.topology import LAN_ADDRESS

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("promises"),
]

RECOVERY_SECONDS = 90.0


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    """Both tunnels UP, a host plugged in, 192.168.10.0/24 propagated."""
    with gateway_host("prom") as made:
        for step in (cloud.make_vpc, cloud.make_gateways, cloud.enable_propagation, cloud.make_connection):
            step(made)
        device.configure_router(made)
        device.wait_for_tunnels(made)
        yield made
        made.customer("down")
        made.service.down()
        after = underlay_state(made.lab.name("gateway"))
        assert after == made.underlay_before, "twinbore down leaves the gateway host as it was"
        assert not namespaces.exists(made.ids.vpc)
        assert not namespaces.exists(made.ids.vpn_gateway)
        assert _processes_of(made.service.state) == []


def both_up(s: Scenario) -> bool:
    return [(t["Status"], t["StatusMessage"]) for t in s.telemetry()] == [("UP", "1 BGP ROUTES")] * 2


def ipsec_up(s: Scenario) -> bool:
    return all(t["StatusMessage"] != "IPSEC IS DOWN" for t in s.telemetry())


def tunnel_links(s: Scenario) -> list[str]:
    """Index, name and addresses of the tunnel interfaces."""
    return sorted(
        line
        for line in run(["ip", "-n", s.ids.vpn_gateway, "-o", "-4", "address"]).splitlines()
        if line.split()[1].startswith("t")
    )


def pid_of(s: Scenario, file: str) -> int:
    return int((s.service.state / "run" / file).read_text().split()[0])


def test_traffic_survives_the_death_of_charon(scenario: Scenario) -> None:
    """Promise 1: SAs live in the data plane; charon comes back and the tunnels never go DOWN."""
    old = pid_of(scenario, "ipsec/charon.pid")
    probe = Probe(scenario.lab.name("lan"), VPC_HOST_ADDRESS, interval=0.01)
    try:
        time.sleep(0.5)
        os.kill(old, signal.SIGKILL)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            assert [t["Status"] for t in scenario.telemetry()] == ["UP", "UP"]
            time.sleep(0.1)
        report = probe.finish()
    finally:
        probe.kill()
    # When the customer negotiates anew, what is under way to it for a round trip may find no SA there yet.
    assert report.longest_gap < 0.1, report
    assert pid_of(scenario, "ipsec/charon.pid") != old
    scenario.within(RECOVERY_SECONDS, "IKE is established again", lambda: both_up(scenario))


def test_tunnels_come_back_when_the_esp_daemon_dies(scenario: Scenario) -> None:
    """twinbore-esp takes charon with it; both are started again without an operator.

    The tunnel interfaces stay, so that a BGP session survives when its hold time (or BFD, which this lab uses) lets it.
    The customer's second charon uses the port 14500: where it can be reached is known from its lost SA only.
    """
    interfaces = tunnel_links(scenario)
    assert len(interfaces) == 2
    os.kill(pid_of(scenario, "esp/twinbore-esp.pid"), signal.SIGKILL)
    scenario.within(10, "the loss is noticed", lambda: not both_up(scenario))
    # Sooner than the customer's dead peer detection could have been the cause.
    scenario.within(20, "both tunnels have IPsec again", lambda: ipsec_up(scenario))
    scenario.within(RECOVERY_SECONDS, "both tunnels are UP again", lambda: both_up(scenario))
    report = Probe(scenario.lab.name("lan"), VPC_HOST_ADDRESS, interval=0.01, count=100).wait()
    assert report.lost == 0, report
    assert tunnel_links(scenario) == interfaces


def test_a_restarted_agent_adopts_everything_and_changes_nothing(scenario: Scenario) -> None:
    """Promise 1: the first round of a new agent, a sweep over everything, finds nothing to do."""
    scenario.within(10, "both tunnels are UP", lambda: both_up(scenario))
    scenario.service.stop()
    mark = scenario.service.log.stat().st_size
    scenario.service.start()
    scenario.within(10, "both tunnels are UP", lambda: both_up(scenario))
    time.sleep(2)
    lines = scenario.service.log.read_bytes()[mark:].decode().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    harmless = {"starting", "request", "twinbore-esp runs", "charon adopted"}
    assert [e["event"] for e in events if e["event"] not in harmless] == []


def test_a_down_tunnel_has_its_reason_in_words(scenario: Scenario) -> None:
    """Promise 3: the customer goes away; both tunnels are DOWN and status says why."""
    scenario.customer("down")
    try:
        scenario.within(60, "both tunnels are DOWN", lambda: not any(t["Status"] == "UP" for t in scenario.telemetry()))
        assert {t["StatusMessage"] for t in scenario.telemetry()} <= {"IPSEC IS DOWN", "IPSEC IS UP"}
        done = subprocess.run(
            twinbore("status", "--json", "--state", scenario.service.state),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3
        rows = json.loads(done.stdout)
        assert [row["status"] for row in rows] == ["DOWN", "DOWN"]
        assert all(len(row["reason"]) > 10 for row in rows)
    finally:
        scenario.customer("up")
    scenario.within(RECOVERY_SECONDS, "both tunnels are UP again", lambda: both_up(scenario))


def test_keys_are_in_no_file_in_clear(scenario: Scenario) -> None:
    """Promise 5: neither the database, nor a log, nor a run file has a pre-shared key."""
    configuration = scenario.connection()["CustomerGatewayConfiguration"]
    keys = [part.partition("</pre_shared_key>")[0].encode() for part in configuration.split("<pre_shared_key>")[1:]]
    assert len(keys) == 2
    for file in [scenario.service.log, *scenario.service.state.rglob("*")]:
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            assert not any(key in content for key in keys), f"{file} holds a key in clear"
    assert scenario.service.state.stat().st_mode & 0o077 == 0
    assert scenario.service.credentials_file.stat().st_mode & 0o077 == 0


def test_forged_sources_are_dropped_and_counted(scenario: Scenario) -> None:
    """Promise 6: a packet from the tunnel that claims to come from the VPC does not get through."""
    lan = scenario.lab.name("lan")
    forged = "10.0.200.1"
    run(["ip", "-n", lan, "address", "add", f"{forged}/32", "dev", "lo"])
    before = _denied(scenario)
    try:
        said = _ping_from(lan, forged, VPC_HOST_ADDRESS)
    finally:
        run(["ip", "-n", lan, "address", "del", f"{forged}/32", "dev", "lo"])
    assert "0 received" in said
    assert _denied(scenario) - before == 3
    assert Probe(lan, VPC_HOST_ADDRESS, count=3).wait().lost == 0


def test_workloads_cannot_take_another_address(scenario: Scenario) -> None:
    """Promise 6, the VPC's side: a network interface sends with its own address only."""
    host = scenario.host
    run(["ip", "-n", host, "address", "add", "10.0.1.99/32", "dev", "lo"])
    try:
        said = _ping_from(host, "10.0.1.99", LAN_ADDRESS)
    finally:
        run(["ip", "-n", host, "address", "del", "10.0.1.99/32", "dev", "lo"])
    assert "0 received" in said


def _processes_of(state: Path) -> list[str]:
    """Command lines of the processes that name the state directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(state) in line:
            found.append(line)
    return found


def _ping_from(namespace: str, source: str, destination: str) -> str:
    command = inside(namespace, ["ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", source, destination])
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout


def _denied(s: Scenario) -> int:
    """Packets that the routing domain's filter has dropped for their source."""
    ruleset = json.loads(run(["nft", "-j", "list", "counters"], namespace=s.ids.vpn_gateway))
    return sum(item["counter"]["packets"] for item in ruleset["nftables"] if "counter" in item)
