"""Steps 10 and 11: a fault of the public network, and a crash of the control plane, while packets flow."""

from __future__ import annotations

import time
from typing import Final

from twinbore.lab import namespaces
from twinbore.lab.probe import Probe
from twinbore.lab.scenario import VPC_HOST_ADDRESS, Scenario, check, equal

FAILOVER_SECONDS: Final = 1.5
HEALING_SECONDS: Final = 60.0
_INTERVAL: Final = 0.01


def cut_first_tunnel(s: Scenario) -> str:
    """Tunnel 1's outside address is cut off without a sign; tunnel 2 takes over, and tunnel 1 returns when healed."""
    outside = s.telemetry()[0]["OutsideIpAddress"]
    probe = Probe(s.lab.name("lan"), VPC_HOST_ADDRESS, interval=_INTERVAL)
    time.sleep(0.5)
    s.faults.cut(outside)
    try:
        s.within(5, "tunnel 1 is shown DOWN", lambda: [t["Status"] for t in s.telemetry()] == ["DOWN", "UP"])
        time.sleep(1)
        report = probe.finish()
    finally:
        probe.kill()
        s.faults.heal(outside)
    gap = report.longest_gap
    check(0 < gap < FAILOVER_SECONDS, f"a gap under {FAILOVER_SECONDS} s, found {gap:.2f} s")
    _, seconds = s.within(HEALING_SECONDS, "tunnel 1 is UP again", lambda: _both_up(s))
    return (
        f"Traffic went on through tunnel 2 after a gap of {gap:.2f} s (BFD); "
        f"tunnel 1 was UP by itself {seconds:.1f} s after it was healed."
    )


def kill_control_plane(s: Scenario) -> str:
    """API, planner and agent are killed while a ping runs; started again, they adopt what runs."""
    probe = Probe(s.lab.name("lan"), VPC_HOST_ADDRESS, interval=_INTERVAL)
    try:
        before = _data_plane(s)
        time.sleep(0.5)
        before &= _data_plane(s)
        s.service.kill()
        time.sleep(2)
        begin = time.monotonic()
        s.service.start()
        s.within(10, "both tunnels are shown UP after the restart", lambda: _both_up(s))
        seconds = time.monotonic() - begin
        time.sleep(2)
        report = probe.finish()
    finally:
        probe.kill()
    equal(report.lost, 0, f"lost of {report.sent} echo requests")
    check(before and before <= _data_plane(s), "the same processes of the data plane as before")
    return (
        f"{report.sent} of {report.sent} pings answered meanwhile; {len(before)} data-plane processes were adopted, "
        f"{seconds:.1f} s from start to both UP."
    )


def _both_up(s: Scenario) -> bool:
    return [t["Status"] for t in s.telemetry()] == ["UP", "UP"]


def _data_plane(s: Scenario) -> set[int]:
    """The processes on the gateway host and in its routing domain; the control plane is in neither.

    A command that the agent runs there for a moment is among them: two readings tell the lasting ones.
    """
    return {pid for name in (s.lab.name("gateway"), s.ids.vpn_gateway) for pid in namespaces.processes(name)}
