"""From a call or a fault to what it leads to, on the lab of the demonstration: real charon, BIRD, FRR, real packets.

* `create to available`: CreateVpnConnection until DescribeVpnConnections says `available`.
* `create to both UP`: the same until both tunnels are UP with routes. The customer's router is ready and tries: it has
  been configured for an earlier connection with the same keys and inside addresses, given as tunnel options. It is
  measured with the gateway waiting (`StartupAction` add, AWS's default) and with the gateway starting (start).
* `propagation`: from the command that makes the customer's bgpd announce a prefix until the kernel table of the VPC's
  route table has it; the command's own time (vtysh) is part of it.
* `fail-over gap`: the longest time without a delivered packet when tunnel 1 is cut silently, with BFD of 300 ms x 3.
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.measure import Figure, NotReached, Settings, figure, say, seconds_until
from twinbore.lab.clients import Boto3Client
from twinbore.lab.faults import Faults
from twinbore.lab.namespaces import inside
from twinbore.lab.probe import Probe
from twinbore.lab.residue import underlay_state
from twinbore.lab.scenario import VPC_HOST_ADDRESS, Scenario
from twinbore.lab.service import Service
from twinbore.lab.steps import cloud, device
from twinbore.lab.topology import gateway_lab

INSIDE: Final = ("169.254.10.0/30", "169.254.20.0/30")
BFD_TAG: Final = {"ResourceType": "vpn-connection", "Tags": [{"Key": "twinbore:bfd", "Value": cloud.BFD}]}
PROBE_SECONDS: Final = 0.005
UP_SECONDS: Final = 60.0


def run(settings: Settings) -> list[Figure]:
    """Every figure; one lab for all of them."""
    keys = tuple("bench." + secrets.token_hex(16) for _ in INSIDE)
    with _lab() as s:
        cloud.make_vpc(s)
        cloud.make_gateways(s)
        cloud.enable_propagation(s)
        _create(s, keys, "add")
        device.configure_router(s)
        _until_both_up(s)
        say("propagation of a prefix ...")
        propagation = [_propagation(s, number) for number in range(settings.rounds)]
        say("fail-over ...")
        gaps = [_failover(s) for _ in range(settings.rounds)]
        available: list[float] = []
        both_up: dict[str, list[float]] = {"add": [], "start": []}
        for number in range(settings.rounds):
            say(f"round {number + 1}/{settings.rounds}: create to UP ...")
            for action, samples in both_up.items():
                _delete(s)
                begin = time.perf_counter()
                available.append(_create(s, keys, action))
                _until_both_up(s)
                samples.append(time.perf_counter() - begin)
    return [
        figure("create to available", "s", available),
        figure("create to both UP, the customer starts", "s", both_up["add"]),
        figure("create to both UP, the gateway starts", "s", both_up["start"]),
        figure("propagation of a new prefix to the VPC's kernel table", "s", propagation),
        figure("fail-over gap, tunnel 1 cut silently, BFD 300x3", "s", gaps),
    ]


@contextmanager
def _lab() -> Iterator[Scenario]:
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        lab = stack.enter_context(gateway_lab("bench" + secrets.token_hex(3)))
        gateway = lab.name("gateway")
        before = underlay_state(gateway)
        service = Service(work, work / "state", gateway)
        lab.undo_with(service.down_command)
        service.start()
        ec2 = Boto3Client(service, lambda _call: None)
        yield Scenario(lab, service, ec2, Faults(lab.name("internet")), work, before)


def _create(s: Scenario, keys: tuple[str, ...], startup_action: str) -> float:
    """Make the connection; seconds until it is available."""
    tunnels = [
        {"TunnelInsideCidr": cidr, "PreSharedKey": key, "StartupAction": startup_action}
        for cidr, key in zip(INSIDE, keys, strict=True)
    ]
    begin = time.perf_counter()
    answer = s.ec2.call(
        "CreateVpnConnection",
        Type="ipsec.1",
        CustomerGatewayId=s.ids.customer_gateway,
        VpnGatewayId=s.ids.vpn_gateway,
        Options={"StaticRoutesOnly": False, "TunnelOptions": tunnels},
        TagSpecifications=[BFD_TAG],
    )
    s.ids.vpn_connection = answer["VpnConnection"]["VpnConnectionId"]
    seconds_until(lambda: s.connection()["State"] == "available", 10, "the connection is available")
    return time.perf_counter() - begin


def _delete(s: Scenario) -> None:
    s.ec2.call("DeleteVpnConnection", VpnConnectionId=s.ids.vpn_connection)
    seconds_until(lambda: s.connection()["State"] == "deleted", 20, "the connection is deleted")


def _until_both_up(s: Scenario) -> None:
    def both_up() -> bool:
        return [(t["Status"], t["AcceptedRouteCount"] > 0) for t in s.telemetry()] == [("UP", True)] * 2

    seconds_until(both_up, UP_SECONDS, "both tunnels are UP with routes")


def _propagation(s: Scenario, number: int) -> float:
    prefix = f"10.50.{number}.0/24"
    s.lab.ip("router", f"route add blackhole {prefix}")
    watch = subprocess.Popen(
        inside(None, ["ip", "-n", s.ids.vpc, "monitor", "route"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    try:
        time.sleep(0.3)
        begin = time.perf_counter()
        s.customer("announce", prefix)
        for line in watch.stdout:
            if line.startswith(prefix):
                return time.perf_counter() - begin
    finally:
        watch.terminate()
        watch.wait()
    raise NotReached(f"{prefix} in the VPC's kernel table")


def _failover(s: Scenario) -> float:
    first = s.telemetry()[0]["OutsideIpAddress"]
    probe = Probe(s.lab.name("lan"), VPC_HOST_ADDRESS, interval=PROBE_SECONDS)
    try:
        time.sleep(0.5)
        s.faults.cut(first)
        seconds_until(lambda: s.telemetry()[0]["Status"] == "DOWN", 60, "tunnel 1 is DOWN")
        time.sleep(1)
        gap = probe.finish().longest_gap
    finally:
        probe.kill()
        s.faults.heal(first)
    _until_both_up(s)
    return gap
