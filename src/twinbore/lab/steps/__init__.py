"""The twelve steps of the demonstration, in order: each does, asserts, and gives one sentence on what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from twinbore.lab.scenario import Scenario
from twinbore.lab.steps import cleanup, cloud, device, disturbance, traffic


@dataclass(frozen=True, slots=True)
class Step:
    """`act` raises `StepFailed` where an assertion does not hold."""

    title: str
    act: Callable[[Scenario], str]


STEPS: Final = (
    Step("VPC, subnet, route table, network interface", cloud.make_vpc),
    Step("Customer gateway, virtual private gateway, attachment", cloud.make_gateways),
    Step("Route propagation", cloud.enable_propagation),
    Step("VPN connection", cloud.make_connection),
    Step("Configure the customer's router", device.configure_router),
    Step("Tunnels and propagated route", device.wait_for_tunnels),
    Step("Ping both ways, encrypted", traffic.ping_both_ways),
    Step("Source NAT on the router", traffic.source_nat_on_router),
    Step("Default route announced and withdrawn", traffic.default_route),
    Step("Silent cut of tunnel 1", disturbance.cut_first_tunnel),
    Step("Control plane killed and started again", disturbance.kill_control_plane),
    Step("Delete everything", cleanup.delete_everything),
)

REMOVAL: Final = STEPS[-1]
"""The step that a run which is to be kept leaves out."""
