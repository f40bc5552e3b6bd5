"""Passwords of BGP sessions, pause and resume, on real tunnels (docs/extensions.md).

One site with both tunnels UP, whose BGP sessions have a password from the beginning: the customer's router has it from
its sample configuration.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.namespace.gateway_host import gateway_host
from twinbore.lab.namespaces import run
from twinbore.lab.probe import Probe
from twinbore.lab.scenario import VPC_HOST_ADDRESS, Scenario
from twinbore.lab.service import twinbore
from twinbore.lab.steps import cloud, device
from twinbore.lab.topology import LAN_PREFIX

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("extensions"),
]

SECONDS = 60.0
PASSWORD = "site.10/Signed+Segments="


def verb(s: Scenario, *arguments: str, text: str | None = None) -> str:
    """What a verb of `twinbore` prints."""
    return run(twinbore(*arguments, "--state", s.service.state), text=text)


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    with gateway_host("ext") as made:
        for step in (cloud.make_vpc, cloud.make_gateways, cloud.enable_propagation, cloud.make_connection):
            step(made)
        assert PASSWORD not in verb(made, "password", made.ids.vpn_connection, text=f"{PASSWORD}\n")
        device.configure_router(made)
        device.wait_for_tunnels(made)
        yield made
        made.customer("down")
        made.service.down()


def both_up(s: Scenario) -> bool:
    return [(t["Status"], t["StatusMessage"]) for t in s.telemetry()] == [("UP", "1 BGP ROUTES")] * 2


def messages(s: Scenario) -> list[str]:
    return [t["StatusMessage"] for t in s.telemetry()]


def reasons(s: Scenario) -> list[str]:
    """Why each tunnel is down, as `twinbore status` says it."""
    command = twinbore("status", "--json", "--state", s.service.state)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return [row["reason"] for row in json.loads(done.stdout)]


def addresses(s: Scenario) -> list[tuple[str, str, str]]:
    options = s.connection()["Options"]["TunnelOptions"]
    return [(o["OutsideIpAddress"], o["TunnelInsideCidr"], o["PreSharedKey"]) for o in options]


def ping(s: Scenario, count: int) -> int:
    """How many of `count` packets from the site's LAN to a host in the VPC are answered."""
    report = Probe(s.lab.name("lan"), VPC_HOST_ADDRESS, interval=0.01, count=count).wait()
    return report.sent - report.lost


def test_sessions_with_the_same_password_are_signed_and_others_do_not_come_up(scenario: Scenario) -> None:
    s = scenario
    assert s.customer_script.read_text().count(f" password {PASSWORD}\n") == 2
    assert ping(s, 20) == 20
    verb(s, "password", s.ids.vpn_connection, "--tunnel", "1", text="another\n")
    s.within(SECONDS, "tunnel 1 has IPsec and no BGP", lambda: messages(s) == ["IPSEC IS UP", "1 BGP ROUTES"])
    s.within(SECONDS, "the reason names the password", lambda: "has a password" in reasons(s)[0])
    verb(s, "password", s.ids.vpn_connection, "--tunnel", "1", "--remove")
    assert messages(s)[0] == "IPSEC IS UP"
    verb(s, "password", s.ids.vpn_connection, "--tunnel", "1", text=f"{PASSWORD}\n")
    s.within(SECONDS, "both tunnels are UP again", lambda: both_up(s))
    for file in s.service.state.rglob("*"):
        if file.is_file() and file.name != "bird.conf":
            assert PASSWORD.encode() not in file.read_bytes(), file


def test_a_paused_connection_carries_nothing_and_comes_back_as_it_was(scenario: Scenario) -> None:
    s = scenario
    s.within(SECONDS, "both tunnels are UP", lambda: both_up(s))
    before = addresses(s)
    verb(s, "pause", s.ids.vpn_connection)
    assert messages(s) == ["IPSEC IS DOWN (PAUSED)"] * 2
    assert s.connection()["State"] == "available"
    assert LAN_PREFIX not in [route["DestinationCidrBlock"] for route in s.routes()]
    assert ping(s, 20) == 0
    s.service.stop()
    s.service.start()
    assert messages(s) == ["IPSEC IS DOWN (PAUSED)"] * 2
    assert ping(s, 20) == 0
    verb(s, "resume", s.ids.vpn_connection)
    s.within(SECONDS, "both tunnels are UP again", lambda: both_up(s))
    assert addresses(s) == before
    assert ping(s, 20) == 20
