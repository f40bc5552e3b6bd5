"""Changes of a connection in place, on real tunnels: what each kind loses (docs/changes.md).

One site with both tunnels UP. During each change three probes run: through tunnel 1 and tunnel 2, from the customer's
router to the gateway's inside address, and from the site's LAN to a host in the VPC, by whichever way BGP chooses.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from twinbore.engines.ipsec.handover import list_sas
from twinbore.engines.ipsec.vici import ViciSession
from twinbore.lab.clients import Boto3Client
from twinbore.lab.faults import Faults
from twinbore.lab.probe import Probe, Report
from twinbore.lab.residue import underlay_state
from twinbore.lab.scenario import VPC_HOST_ADDRESS, Scenario
from twinbore.lab.service import Service
from twinbore.lab.steps import cloud, device
from twinbore.lab.topology import gateway_lab

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("changes"),
]

INTERVAL = 0.01


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    """Both tunnels UP, a host plugged in, 192.168.10.0/24 propagated."""
    with tempfile.TemporaryDirectory(prefix="tb") as directory, gateway_lab(f"chg{os.getpid():x}") as lab:
        work = Path(directory)
        gateway = lab.name("gateway")
        service = Service(work, work / "state", gateway)
        lab.undo_with(service.down_command)
        service.start()
        before = underlay_state(gateway)
        made = Scenario(lab, service, Boto3Client(service, lambda _: None), Faults(lab.name("internet")), work, before)
        try:
            for step in (cloud.make_vpc, cloud.make_gateways, cloud.enable_propagation, cloud.make_connection):
                step(made)
            device.configure_router(made)
            device.wait_for_tunnels(made)
            yield made
            made.customer("down")
            service.down()
        finally:
            service.stop()


@dataclass(frozen=True)
class Loss:
    kind: str
    tunnels: tuple[Report, Report]
    site: Report


@dataclass
class Bench:
    """A scenario and the changes made on it so far."""

    scenario: Scenario
    matrix: list[Loss] = field(default_factory=list)

    def outside(self, index: int) -> str:
        return self.options(index)["OutsideIpAddress"]

    def options(self, index: int) -> dict[str, Any]:
        return self.scenario.connection()["Options"]["TunnelOptions"][index - 1]

    def inside(self, index: int) -> str:
        return str(IPv4Network(self.options(index)["TunnelInsideCidr"])[1])

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.scenario.ec2.call(operation, VpnConnectionId=self.scenario.ids.vpn_connection, **parameters)

    def modify(self, index: int = 1, **options: Any) -> None:
        self.call("ModifyVpnTunnelOptions", VpnTunnelOutsideIpAddress=self.outside(index), TunnelOptions=options)

    def status(self, index: int = 1) -> dict[str, Any]:
        address = self.outside(index)
        return self.call("GetActiveVpnTunnelStatus", VpnTunnelOutsideIpAddress=address)["ActiveVpnTunnelStatus"]

    def replacement(self, index: int = 1) -> dict[str, Any]:
        address = self.outside(index)
        return self.call("GetVpnTunnelReplacementStatus", VpnTunnelOutsideIpAddress=address)["MaintenanceDetails"]

    def ike_sas(self, index: int) -> set[int]:
        """Unique ids of the IKE SAs of a tunnel, in the gateway's charon."""
        connection = f"{self.scenario.ids.vpn_connection}-{index}"

        async def read() -> set[int]:
            session = ViciSession(self.scenario.service.state / "run" / "ipsec" / "run" / "charon.vici")
            try:
                return {sa.unique_id for sa in await list_sas(session, connection)}
            finally:
                session.close()

        return asyncio.run(read())

    def measure(self, kind: str, change: Callable[[], None], done: Callable[[], object]) -> Loss:
        s = self.scenario
        s.within(20, "the connection is available", lambda: s.connection()["State"] == "available")
        probes = [
            Probe(s.router, self.inside(1), interval=INTERVAL),
            Probe(s.router, self.inside(2), interval=INTERVAL),
            Probe(s.lab.name("lan"), VPC_HOST_ADDRESS, interval=INTERVAL),
        ]
        try:
            time.sleep(0.5)
            change()
            s.within(20, f"{kind}: done", done)
            time.sleep(1)
            reports = [probe.finish() for probe in probes]
        finally:
            for probe in probes:
                probe.kill()
        loss = Loss(kind, (reports[0], reports[1]), reports[2])
        self.matrix.append(loss)
        print(f"\n{kind}: " + ", ".join(f"{r.lost}/{r.sent} {r.longest_gap:.3f} s" for r in reports), end=" ")
        return loss


@pytest.fixture(scope="module")
def bench(scenario: Scenario) -> Bench:
    return Bench(scenario)


def available(bench: Bench) -> bool:
    return bench.scenario.connection()["State"] == "available"


def test_times(bench: Bench) -> None:
    before = [bench.ike_sas(1), bench.ike_sas(2)]
    loss = bench.measure(
        "times",
        lambda: bench.modify(
            Phase1LifetimeSeconds=7200, Phase2LifetimeSeconds=1800, DPDTimeoutAction="restart", ReplayWindowSize=64
        ),
        lambda: bench.replacement()["PendingMaintenance"] == "Available",
    )
    print(bench.replacement())
    assert loss.tunnels[0].lost == 0
    assert [bench.ike_sas(1), bench.ike_sas(2)] == before


def test_replace(bench: Bench) -> None:
    for _ in range(3):
      bench.measure(
        "replacement",
        lambda: bench.call("ReplaceVpnTunnel", VpnTunnelOutsideIpAddress=bench.outside(1)),
        lambda: available(bench) and "LastMaintenanceApplied" in bench.replacement(),
      )
      print(bench.replacement(), bench.ike_sas(1))
    for _ in range(3):
      bench.measure(
        "replacement 2",
        lambda: bench.call("ReplaceVpnTunnel", VpnTunnelOutsideIpAddress=bench.outside(2)),
        lambda: available(bench),
      )
      print(bench.replacement(2), bench.ike_sas(2))
    time.sleep(18)
    print(bench.ike_sas(1), bench.ike_sas(2))
    print(bench.scenario.service.log_tail(20))
