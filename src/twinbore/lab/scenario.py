"""What the steps of the demonstration share: the lab, the service, a client, and the resources made so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from twinbore.lab.clients import Ec2
from twinbore.lab.faults import Faults
from twinbore.lab.namespaces import run
from twinbore.lab.service import Service
from twinbore.lab.topology import Lab

VPC_CIDR: Final = "10.0.0.0/16"
SUBNET_CIDR: Final = "10.0.1.0/24"
VPC_HOST_ADDRESS: Final = "10.0.1.10"
CUSTOMER_ASN: Final = 65000

_SOURCE_NAT: Final = """\
table ip lab_source_nat {
    chain postrouting {
        type nat hook postrouting priority srcnat
        iifname "lan" oifname != "wan" masquerade
    }
}
"""

T = TypeVar("T")


class StepFailed(Exception):
    """What a step asserts does not hold; the message says what was expected and what was found."""


@dataclass
class Resources:
    """Ids of what the scenario has made, in the order in which it is made."""

    vpc: str = ""
    subnet: str = ""
    route_table: str = ""
    association: str = ""
    network_interface: str = ""
    internet_gateway: str = ""
    customer_gateway: str = ""
    vpn_gateway: str = ""
    vpn_connection: str = ""


@dataclass
class Scenario:
    """State of one run. `work` is the directory for files; `underlay_before` is what the gateway host looked like."""

    lab: Lab
    service: Service
    ec2: Ec2
    faults: Faults
    work: Path
    underlay_before: list[str]
    ids: Resources = field(default_factory=Resources)

    @property
    def router(self) -> str:
        return self.lab.name("router")

    @property
    def host(self) -> str:
        return self.lab.name("host")

    @property
    def customer_script(self) -> Path:
        """The sample configuration, as it was received."""
        return self.work / "customer-gateway.sh"

    def customer(self, *arguments: str) -> str:
        """Runs the customer's script on its router."""
        return run(["sh", self.customer_script, *arguments], namespace=self.router)

    def connection(self) -> dict[str, Any]:
        """The VPN connection as DescribeVpnConnections shows it."""
        answer = self.ec2.call("DescribeVpnConnections", VpnConnectionIds=[self.ids.vpn_connection])
        return first(answer["VpnConnections"])

    def telemetry(self) -> list[dict[str, Any]]:
        """VgwTelemetry of both tunnels, tunnel 1 first."""
        telemetry: list[dict[str, Any]] = self.connection()["VgwTelemetry"]
        return telemetry

    def routes(self) -> list[dict[str, Any]]:
        """The routes of the VPC's route table."""
        answer = self.ec2.call("DescribeRouteTables", RouteTableIds=[self.ids.route_table])
        routes: list[dict[str, Any]] = first(answer["RouteTables"])["Routes"]
        return routes

    def within(self, seconds: float, what: str, attempt: Callable[[], T | None]) -> tuple[T, float]:
        """Calls `attempt` until it gives something true: that, and the seconds it took.

        Raises `StepFailed` where it takes longer than `seconds` and the client's own time for two calls.
        """
        begin = time.monotonic()
        while True:
            result = attempt()
            elapsed = time.monotonic() - begin
            if elapsed > seconds + 2 * self.ec2.overhead:
                raise StepFailed(f"{what}: not within {seconds:g} s")
            if result:
                return result, elapsed
            time.sleep(0.05)


def check(condition: object, expectation: str) -> None:
    """Raises `StepFailed` with the expectation if the condition does not hold."""
    if not condition:
        raise StepFailed(expectation)


def equal(found: T, expected: T, what: str) -> None:
    """Raises `StepFailed` if the values differ."""
    check(found == expected, f"{what}: expected {expected!r}, found {found!r}")


def first(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The only item of a list. Raises `StepFailed` if there is another number of them."""
    equal(len(items), 1, "number of items in the answer")
    return items[0]


@contextmanager
def source_nat(router: str) -> Iterator[None]:
    """Source NAT on a router, for what comes from its LAN and leaves through a tunnel."""
    run(["nft", "-f", "-"], namespace=router, text=_SOURCE_NAT)
    try:
        yield
    finally:
        run(["nft", "delete", "table", "ip", "lab_source_nat"], namespace=router)
