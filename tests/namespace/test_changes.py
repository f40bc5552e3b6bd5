"""Changes of a connection in place, on real tunnels: what each kind loses (docs/changes.md).

One site with both tunnels UP. During each change three probes run: through tunnel 1 and tunnel 2, from the customer's
router to the gateway's inside address, and from the site's LAN to a host in the VPC, by whichever way BGP chooses.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.gateway_host import gateway_host
from twinbore.engines.ipsec.handover import list_sas
from twinbore.engines.ipsec.vici import ViciSession
from twinbore.lab.namespaces import run
from twinbore.lab.probe import Probe, Report
from twinbore.lab.scenario import CUSTOMER_ASN, VPC_HOST_ADDRESS, Scenario
from twinbore.lab.steps import cloud, device
from twinbore.lab.topology import CUSTOMER_ADDRESS

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("changes"),
]

INTERVAL = 0.01


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    """Both tunnels UP, a host plugged in, 192.168.10.0/24 propagated."""
    with gateway_host("chg") as made:
        for step in (cloud.make_vpc, cloud.make_gateways, cloud.enable_propagation, cloud.make_connection):
            step(made)
        device.configure_router(made)
        device.wait_for_tunnels(made)
        yield made
        made.customer("down")
        made.service.down()


@dataclass(frozen=True)
class Loss:
    """What one kind of change lost: on tunnel 1, on tunnel 2, and on the way that BGP chose.

    `seconds` is how long it took from the request until the change was seen to be in force.
    """

    kind: str
    first: Report
    second: Report
    site: Report
    seconds: float

    def row(self) -> str:
        cells = [f"{r.lost} of {r.sent}, {r.longest_gap:.2f} s" for r in (self.first, self.second, self.site)]
        return f"| {self.kind} | " + " | ".join(cells) + f" | {self.seconds:.1f} s |"


MATRIX: list[Loss] = []


class Bench:
    """The scenario's connection, its changes, and what they lose."""

    def __init__(self, scenario: Scenario) -> None:
        self.s = scenario
        self.directory = Path("/run/twinbore-customer") / scenario.ids.vpn_connection

    # The gateway's side ----------------------------------------------------------------------------------------------

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.s.ec2.call(operation, VpnConnectionId=self.s.ids.vpn_connection, **parameters)

    def options(self, index: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = self.s.connection()["Options"]["TunnelOptions"][index - 1]
        return found

    def of_tunnel(self, operation: str, index: int = 1, **parameters: Any) -> dict[str, Any]:
        return self.call(operation, VpnTunnelOutsideIpAddress=self.options(index)["OutsideIpAddress"], **parameters)

    def modify(self, **options: Any) -> None:
        """Change options of tunnel 1."""
        self.of_tunnel("ModifyVpnTunnelOptions", TunnelOptions=options)

    def negotiated(self, index: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = self.of_tunnel("GetActiveVpnTunnelStatus", index)["ActiveVpnTunnelStatus"]
        return found

    def maintenance(self) -> dict[str, Any]:
        found: dict[str, Any] = self.of_tunnel("GetVpnTunnelReplacementStatus")["MaintenanceDetails"]
        return found

    def available(self) -> bool:
        return bool(self.s.connection()["State"] == "available")

    def both_up(self) -> bool:
        return all(t["Status"] == "UP" and t["AcceptedRouteCount"] == 1 for t in self.s.telemetry())

    def back_up(self) -> Callable[[], bool]:
        """A condition: a tunnel was seen not to be UP, and now both are again."""
        seen: list[bool] = []

        def condition() -> bool:
            up = self.both_up()
            if not up:
                seen.append(True)
            return bool(seen) and up

        return condition

    def ike_sas(self, index: int = 1) -> set[int]:
        """Unique ids of the IKE SAs of a tunnel that carry traffic, in the gateway's charon."""
        connection = f"{self.s.ids.vpn_connection}-{index}"

        async def read() -> set[int]:
            session = ViciSession(self.s.service.state / "run" / "ipsec" / "run" / "charon.vici")
            try:
                return {sa.unique_id for sa in await list_sas(session, connection) if sa.installed_child}
            finally:
                session.close()

        return asyncio.run(read())

    # The customer's side ---------------------------------------------------------------------------------------------

    def swanctl(self, daemon: int, *changes: tuple[str, str]) -> None:
        """Change the configuration of one of the customer's charons (pattern, replacement), and load it.

        SAs stay as they are.
        """
        home = self.directory / f"charon{daemon}"
        file = home / "swanctl" / "swanctl.conf"
        text = file.read_text()
        for old, new in changes:
            text, count = re.subn(old, new, text)
            assert count, old
        file.write_text(text)
        self.swan(daemon, "--load-all", "--clear", "--noprompt")

    def swan(self, daemon: int, *arguments: str) -> None:
        pid = (self.directory / f"charon{daemon}" / "pid").read_text().strip()
        run(["nsenter", "--target", pid, "--mount", "swanctl", *arguments])

    def frr(self, *commands: str) -> None:
        frr = self.directory / "frr"
        words = ["vtysh", "--vty_socket", frr, "--config_dir", frr, "--histfile", frr / "history", "-d", "bgpd"]
        lines = ("configure terminal", f"router bgp {CUSTOMER_ASN}", *commands)
        run([*words, *(word for line in lines for word in ("-c", line))], namespace=self.s.router)

    # Measuring -------------------------------------------------------------------------------------------------------

    def measure(
        self, kind: str, change: Callable[[], object], done: Callable[[], object], *, next_inside: str | None = None
    ) -> Loss:
        """Probe both tunnels and the site while `change` is made, until `done` and a moment more.

        With `next_inside`, tunnel 1 may answer at that address instead of the present one.
        """
        self.s.within(20, "both tunnels are UP and the connection is available", self._ready)
        inside = [str(IPv4Network(self.options(index)["TunnelInsideCidr"])[1]) for index in (1, 2)]
        targets = [(self.s.router, inside[0]), (self.s.router, inside[1]), (self.s.lab.name("lan"), VPC_HOST_ADDRESS)]
        if next_inside:
            targets.append((self.s.router, next_inside))
        probes = [Probe(namespace, address, interval=INTERVAL) for namespace, address in targets]
        try:
            time.sleep(0.4)
            begin = time.monotonic()
            change()
            self.s.within(20, f"{kind}: done", done)
            seconds = time.monotonic() - begin
            time.sleep(0.5)
            with ThreadPoolExecutor(len(probes)) as pool:
                reports = list(pool.map(Probe.finish, probes))
        finally:
            for probe in probes:
                probe.kill()
        first = reports[0]
        if next_inside:
            received = min(first.sent, first.received + reports[3].received)
            first = Report(first.sent, received, (first.sent - received) * INTERVAL, first.median_ms)
        loss = Loss(kind, first, reports[1], reports[2], seconds)
        MATRIX.append(loss)
        return loss

    def _ready(self) -> bool:
        return self.available() and self.both_up()


@pytest.fixture(scope="module")
def bench(scenario: Scenario) -> Iterator[Bench]:
    yield Bench(scenario)
    print("\n| change | tunnel 1 | tunnel 2 | site | in force after |\n|---|---|---|---|---|")
    print("\n".join(loss.row() for loss in MATRIX))


QUIET: list[tuple[str, dict[str, Any]]] = [
    ("lifetimes, re-keying, replay window", {
        "Phase1LifetimeSeconds": 14400, "Phase2LifetimeSeconds": 1800, "RekeyMarginTimeSeconds": 300,
        "RekeyFuzzPercentage": 50, "ReplayWindowSize": 128,
    }),
    ("dead peer detection", {"DPDTimeoutSeconds": 60, "DPDTimeoutAction": "restart"}),
    ("logging", {"LogOptions": {"CloudWatchLogOptions": {"LogOutputFormat": "text", "BgpLogOutputFormat": "text"}}}),
    ("startup action", {"StartupAction": "start"}),
    ("IKE versions", {"IKEVersions": [{"Value": "ikev2"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), QUIET, ids=[kind for kind, _ in QUIET])
def test_what_needs_no_new_sas_loses_nothing(bench: Bench, kind: str, options: dict[str, Any]) -> None:
    before = [bench.ike_sas(index) for index in (1, 2)]
    loss = bench.measure(kind, lambda: bench.modify(**options), bench.available)
    assert (loss.first.lost, loss.second.lost, loss.site.lost) == (0, 0, 0)
    assert [bench.ike_sas(index) for index in (1, 2)] == before


def test_changed_times_are_pending_until_the_tunnel_is_replaced(bench: Bench) -> None:
    """After the changes of times above; nothing has touched the SAs since."""
    assert bench.maintenance()["PendingMaintenance"] == "Available"
    assert "MaintenanceAutoAppliedAfter" in bench.maintenance()
    before, untouched = bench.ike_sas(1), bench.ike_sas(2)
    loss = bench.measure(
        "replacement, applying new times",
        lambda: bench.of_tunnel("ReplaceVpnTunnel", ApplyPendingMaintenance=True),
        lambda: bench.maintenance()["PendingMaintenance"] == "None",
    )
    check(bench, loss)
    assert "LastMaintenanceApplied" in bench.maintenance()
    assert bench.ike_sas(1) > before
    assert bench.ike_sas(2) == untouched


NEGOTIATED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("phase 1 algorithms", {
        "Phase1EncryptionAlgorithms": [{"Value": "AES256"}], "Phase1IntegrityAlgorithms": [{"Value": "SHA2-384"}],
        "Phase1DHGroupNumbers": [{"Value": 19}],
    }, {"Phase1EncryptionAlgorithm": "AES256", "Phase1IntegrityAlgorithm": "SHA2-384", "Phase1DHGroup": 19}),
    ("phase 2 algorithms", {
        "Phase2EncryptionAlgorithms": [{"Value": "AES128"}], "Phase2IntegrityAlgorithms": [{"Value": "SHA2-256"}],
        "Phase2DHGroupNumbers": [{"Value": 14}],
    }, {"Phase2EncryptionAlgorithm": "AES128", "Phase2IntegrityAlgorithm": "SHA2-256"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "expected"), NEGOTIATED, ids=[kind for kind, *_ in NEGOTIATED])
def test_algorithms(bench: Bench, kind: str, options: dict[str, Any], expected: dict[str, Any]) -> None:
    """The customer allows the new ones already, besides those that it was given."""
    bench.swanctl(
        1,
        (r"( proposals = .*)", r"\1, aes256-sha384-ecp256"),
        (r"(esp_proposals = .*)", r"\1, aes128-sha256-modp2048"),
    )
    untouched = bench.ike_sas(2)
    loss = bench.measure(kind, lambda: bench.modify(**options), lambda: expected.items() <= bench.negotiated().items())
    check(bench, loss)
    assert bench.ike_sas(2) == untouched


def test_a_key_that_the_customer_changes_after_us(bench: Bench) -> None:
    """The old SAs carry on until the customer has the new key."""
    old, new = bench.options()["PreSharedKey"], "Another.pre_shared_key.2"
    before, untouched = bench.ike_sas(1), bench.ike_sas(2)

    def change() -> None:
        bench.modify(PreSharedKey=new)
        bench.s.within(5, "the change is made", bench.available)
        assert bench.ike_sas(1) <= before
        bench.swanctl(1, (re.escape(old), new))

    check(bench, bench.measure("pre-shared key", change, lambda: bench.ike_sas(1) - before))
    assert bench.ike_sas(2) == untouched


def test_another_inside_cidr(bench: Bench) -> None:
    """The customer changes its address at the same time. IPsec is not concerned."""
    before = [max(bench.ike_sas(index)) for index in (1, 2)]
    old, new = IPv4Network(bench.options()["TunnelInsideCidr"]), IPv4Network("169.254.77.76/30")
    devices = json.loads(run(["ip", "-json", "address"], namespace=bench.s.router))
    device = next(d["ifname"] for d in devices for a in d["addr_info"] if a.get("local") == str(old[2]))

    def change() -> None:
        bench.modify(TunnelInsideCidr=str(new))
        bench.s.lab.ip("router", f"address add {new[2]}/30 dev {device}", f"address del {old[2]}/30 dev {device}")
        bench.frr(f"no neighbor {old[1]}", f"neighbor {new[1]} peer-group GATEWAY")

    loss = bench.measure("inside CIDR", change, bench.back_up(), next_inside=str(new[1]))
    check(bench, loss)
    assert [max(bench.ike_sas(index)) for index in (1, 2)] == before


def test_connection_options(bench: Bench) -> None:
    """Both tunnels are negotiated anew, with other traffic selectors."""
    before = [bench.ike_sas(index) for index in (1, 2)]
    loss = bench.measure(
        "connection options (CIDRs)",
        lambda: bench.call("ModifyVpnConnectionOptions", LocalIpv4NetworkCidr="128.0.0.0/1"),
        lambda: all(bench.ike_sas(index) - before[index - 1] for index in (1, 2)),
    )
    check(bench, loss, touched=(1, 2))


def test_another_customer_gateway(bench: Bench) -> None:
    """Another address of the customer's router, which is ready for it.

    Its second charon has an unusual port, where nobody but itself can tell that it is at a new address: it starts.
    """
    address = "192.0.2.3"
    s = bench.s
    s.lab.ip("router", f"address add {address}/24 dev wan")
    customer = s.ec2.call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=CUSTOMER_ASN, IpAddress=address)
    before = [bench.ike_sas(index) for index in (1, 2)]
    for daemon in (1, 2):
        bench.swanctl(daemon, (rf"id = {re.escape(CUSTOMER_ADDRESS)}", f"id = {address}"),
                      ("version = 2", f"version = 2\n        local_addrs = {address}"))  # fmt: skip

    def change() -> None:
        bench.call("ModifyVpnConnection", CustomerGatewayId=customer["CustomerGateway"]["CustomerGatewayId"])
        bench.s.within(5, "the change is made", bench.available)
        bench.swan(2, "--initiate", "--child", "tunnel2")

    loss = bench.measure(
        "customer gateway (address)", change, lambda: all(bench.ike_sas(i) - before[i - 1] for i in (1, 2))
    )
    check(bench, loss, touched=(1, 2))


def test_another_virtual_private_gateway(bench: Bench) -> None:
    """There and back. The other gateway is attached to no VPC, so the site is not looked at."""
    s = bench.s
    before = [max(bench.ike_sas(index)) for index in (1, 2)]
    other = s.ec2.call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    s.lab.undo_with(["ip", "netns", "delete", other])
    for kind, gateway in (("to another", other), ("back again", s.ids.vpn_gateway)):
        loss = bench.measure(
            f"virtual private gateway, {kind}",
            lambda gateway=gateway: bench.call("ModifyVpnConnection", VpnGatewayId=gateway),
            bench.back_up(),
        )
        assert max(loss.first.longest_gap, loss.second.longest_gap) < 2
    assert [max(bench.ike_sas(index)) for index in (1, 2)] == before
    s.ec2.call("DeleteVpnGateway", VpnGatewayId=other)


def check(bench: Bench, loss: Loss, touched: tuple[int, ...] = (1,)) -> None:
    """The targets: less than 2 s on a tunnel that is changed, nothing on the other one."""
    for index, report in enumerate((loss.first, loss.second), 1):
        if index in touched:
            assert report.longest_gap < 2, loss
        else:
            assert report.lost == 0, loss
    assert loss.site.longest_gap < 2, loss
    bench.s.within(20, "both tunnels are UP", bench.both_up)
