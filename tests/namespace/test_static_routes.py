"""A connection with StaticRoutesOnly on real traffic, made through the API and met by the unmodified sample script.

One lab for all tests of the module, which stand in the order in which they must run: the route table has the static
route exactly while a tunnel is up and the route is there, traffic passes both ways, and when tunnel 1 falls silent dead
peer detection alone moves it to tunnel 2, on both sides. IKEv1, because its time until a peer is declared dead is the
tunnel's own (DPDTimeoutSeconds, here the least that AWS allows); with IKEv2 it follows from charon's retransmissions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.namespace.gateway_host import gateway_host
from twinbore.lab.probe import Probe
from twinbore.lab.scenario import VPC_CIDR, VPC_HOST_ADDRESS, Scenario
from twinbore.lab.steps import cloud, device
from twinbore.lab.topology import LAN_ADDRESS, LAN_PREFIX
from twinbore.model.options import LIMITS

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("static"),
]

DPD_SECONDS = LIMITS["dpd_timeout_seconds"].low
GENEROUS_SECONDS = 90.0
"""Nothing of this takes as long unless it hangs."""


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    """A static connection that is available, a host plugged in, propagation on; the customer is not there yet."""
    with gateway_host("stat") as made:
        for step in (cloud.make_vpc, cloud.make_gateways, cloud.enable_propagation):
            step(made)
        connection = made.ec2.call(
            "CreateVpnConnection",
            Type="ipsec.1",
            CustomerGatewayId=made.ids.customer_gateway,
            VpnGatewayId=made.ids.vpn_gateway,
            Options={"StaticRoutesOnly": True, "TunnelOptions": [{"DPDTimeoutSeconds": DPD_SECONDS}] * 2},
        )["VpnConnection"]
        made.ids.vpn_connection = connection["VpnConnectionId"]
        within(made, "the connection is available", lambda: made.connection()["State"] == "available")
        yield made
        made.customer("down")
        made.service.down()


def within(s: Scenario, what: str, attempt: Any) -> float:
    return s.within(GENEROUS_SECONDS, what, attempt)[1]


def change_route(s: Scenario, verb: str) -> None:
    s.ec2.call(f"{verb}VpnConnectionRoute", VpnConnectionId=s.ids.vpn_connection, DestinationCidrBlock=LAN_PREFIX)


def statuses(s: Scenario) -> list[str]:
    return [tunnel["Status"] for tunnel in s.telemetry()]


def propagated(s: Scenario) -> bool:
    """Whether the route table has the static route, as one that came by propagation and carries."""
    route = {
        "DestinationCidrBlock": LAN_PREFIX,
        "GatewayId": s.ids.vpn_gateway,
        "Origin": "EnableVgwRoutePropagation",
        "State": "active",
    }
    return route in s.routes()


def withdrawn(s: Scenario) -> bool:
    return all(route["DestinationCidrBlock"] != LAN_PREFIX for route in s.routes())


def lost(namespace: str, destination: str) -> int:
    return Probe(namespace, destination, count=20).wait().lost


def carries(s: Scenario) -> bool:
    """Whether pings pass, from the site to the VPC and from the VPC to the site."""
    return lost(s.lab.name("lan"), VPC_HOST_ADDRESS) == 0 and lost(s.host, LAN_ADDRESS) == 0


def test_a_route_is_available_but_not_propagated_before_a_tunnel_is_up(scenario: Scenario) -> None:
    change_route(scenario, "Create")
    available = {"DestinationCidrBlock": LAN_PREFIX, "State": "available"}
    within(scenario, "the static route is available", lambda: available.items() <= _route(scenario).items())
    assert statuses(scenario) == ["DOWN", "DOWN"]
    assert withdrawn(scenario)


def test_traffic_passes_both_ways_once_the_tunnels_are_up(scenario: Scenario) -> None:
    device.configure_router(scenario, "--route", VPC_CIDR, ike_version="ikev1")
    within(scenario, "both tunnels are UP", lambda: statuses(scenario) == ["UP", "UP"])
    assert [t["StatusMessage"] for t in scenario.telemetry()] == ["IPSEC IS UP"] * 2
    within(scenario, "the static route is in the route table", lambda: propagated(scenario))
    within(scenario, "pings pass both ways", lambda: carries(scenario))


def test_traffic_moves_to_tunnel_2_when_tunnel_1_falls_silent(scenario: Scenario) -> None:
    """Nobody is told of the fault: tunnel 1's outside address reaches nothing any more."""
    within(scenario, "both tunnels are UP and carry", lambda: statuses(scenario) == ["UP", "UP"] and carries(scenario))
    outside = scenario.telemetry()[0]["OutsideIpAddress"]
    there = Probe(scenario.lab.name("lan"), VPC_HOST_ADDRESS)
    back = Probe(scenario.host, LAN_ADDRESS)
    try:
        time.sleep(0.5)
        scenario.faults.cut(outside)
        seconds = within(scenario, "tunnel 1 is DOWN", lambda: statuses(scenario) == ["DOWN", "UP"])
        within(scenario, "pings pass both ways, through tunnel 2", lambda: carries(scenario))
        assert propagated(scenario), "tunnel 2 carries the route"
        reports = [probe.finish() for probe in (there, back)]
    finally:
        there.kill()
        back.kill()
        scenario.faults.heal(outside)
    gaps = ", ".join(f"{report.longest_gap:.1f} s" for report in reports)
    print(f"\nDPDTimeoutSeconds {DPD_SECONDS}: tunnel 1 DOWN after {seconds:.1f} s; gaps, to the VPC and back: {gaps}")
    assert all(0 < report.longest_gap < GENEROUS_SECONDS for report in reports)
    within(scenario, "tunnel 1 comes back by itself", lambda: statuses(scenario) == ["UP", "UP"])
    within(scenario, "pings pass both ways", lambda: carries(scenario))


def test_a_deleted_route_is_withdrawn_and_comes_back_when_created_again(scenario: Scenario) -> None:
    within(scenario, "both tunnels are UP and carry", lambda: statuses(scenario) == ["UP", "UP"] and carries(scenario))
    change_route(scenario, "Delete")
    within(scenario, "the static route is withdrawn", lambda: withdrawn(scenario))
    within(scenario, "the connection does not show it any more", lambda: not _route(scenario))
    assert statuses(scenario) == ["UP", "UP"]
    assert lost(scenario.host, LAN_ADDRESS) == 20
    change_route(scenario, "Create")
    within(scenario, "the static route is in the route table again", lambda: propagated(scenario))
    within(scenario, "pings pass both ways", lambda: carries(scenario))


def test_the_route_is_withdrawn_when_both_tunnels_are_down(scenario: Scenario) -> None:
    within(scenario, "the static route is in the route table", lambda: propagated(scenario))
    scenario.customer("down")
    within(scenario, "both tunnels are DOWN", lambda: statuses(scenario) == ["DOWN", "DOWN"])
    within(scenario, "the static route is withdrawn", lambda: withdrawn(scenario))
    assert _route(scenario)["State"] == "available"
    scenario.customer("up", "--route", VPC_CIDR)
    within(scenario, "the static route is in the route table again", lambda: propagated(scenario))
    within(scenario, "pings pass both ways", lambda: carries(scenario))


def _route(s: Scenario) -> dict[str, Any]:
    """The connection's only static route; empty if there is none."""
    routes: list[dict[str, Any]] = s.connection()["Routes"]
    return routes[0] if routes else {}
