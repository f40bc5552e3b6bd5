"""A server whose API is measured, with the customer gateways and connections that were made in it.

The two servers are asked for the same, in the same order; each method is one step, sent by one client or by several.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from bench import cpu
from bench.api_client import Server, Timing, run
from bench.api_servers import moto_server, twinbore_server
from bench.measure import NotReached, seconds_until
from twinbore.lab.service import REGION

CREATE_CUSTOMER: Final = "CreateCustomerGateway"
CREATE: Final = "CreateVpnConnection"
DELETE: Final = "DeleteVpnConnection"
ON_A_GATEWAY: Final = 1000
"""Connections of one virtual private gateway, which has addresses for 8181 of them (169.254.0.0/16)."""

IDLE_SECONDS: Final = 1.0
IDLE_SHARE: Final = 0.05
"""Of a core, below which a server is idle: Twinbore's agent looks once a second whether another process has written."""

REPEATS: Final = 320
"""How often one connection is described in a step."""


def describe_one(count: int) -> str:
    """The name of describing one of so many connections."""
    return f"describe one of {count}"


def describe_all(count: int) -> str:
    """The name of describing so many connections in one answer."""
    return f"describe all {count}"


def by(clients: int) -> str:
    """How a figure says how many clients there are."""
    return "1 client" if clients == 1 else f"{clients} clients"


@contextmanager
def both_sides(moto: Path | None) -> Iterator[list[Side]]:
    """moto's server, where there is a program, and Twinbore's, both begun anew."""
    with ExitStack() as stack:
        servers = [stack.enter_context(twinbore_server())]
        if moto is not None:
            servers.insert(0, stack.enter_context(moto_server(moto)))
        yield [Side(server) for server in servers]


class Side:
    """One server with what was made in it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.gateways: list[str] = []
        self.customers: list[str] = []
        self.connections: list[str] = []

    def create_customers(self, until: int, clients: int) -> Timing:
        numbers = range(len(self.customers), until)
        timing = self._send(
            [(CREATE_CUSTOMER, {"Type": "ipsec.1", "BgpAsn": "65000", "IpAddress": address(n)}) for n in numbers],
            clients,
        )
        self.customers += [element(text.decode(), "customerGatewayId") for text in timing.answers]
        return timing

    def create_connections(self, until: int, clients: int) -> Timing:
        numbers = range(len(self.connections), until)
        while len(self.gateways) * ON_A_GATEWAY < until:
            self.gateways.append(element(self.server.call("CreateVpnGateway", Type="ipsec.1"), "vpnGatewayId"))
        wanted = [
            (
                CREATE,
                {
                    "Type": "ipsec.1",
                    "CustomerGatewayId": self.customers[number],
                    "VpnGatewayId": self.gateways[number // ON_A_GATEWAY],
                },
            )
            for number in numbers
        ]
        timing = self._send(wanted, clients)
        self.connections += [element(text.decode(), "vpnConnectionId") for text in timing.answers]
        return timing

    def settle(self) -> None:
        """Wait until every connection is there or gone, and the server does nothing any more."""
        seconds_until(self._all_available, 300, "all connections are available", pause=0.5)
        seconds_until(self._idle, 300, f"{self.server.name} is idle")

    def describe_one(self, clients: int) -> Timing:
        return self._send(
            [("DescribeVpnConnections", {"VpnConnectionId.1": self._any()}) for _ in range(REPEATS)], clients
        )

    def describe_all(self, times: int, clients: int) -> Timing:
        timing = self._send([("DescribeVpnConnections", {})] * times, clients)
        counts = {text.count(b"<vpnConnectionId>") for text in timing.answers}
        if counts != {len(self.connections)}:
            raise NotReached(f"{self.server.name}: {counts} connections in an answer, not {len(self.connections)}")
        return timing

    def delete(self, count: int, clients: int) -> Timing:
        going, self.connections = self.connections[:count], self.connections[count:]
        return self._send([(DELETE, {"VpnConnectionId": connection}) for connection in going], clients)

    def boto3(self, times: int) -> list[float]:
        ec2: Any = boto3.client(
            "ec2",
            endpoint_url=f"http://{self.server.address}",
            region_name=REGION,
            aws_access_key_id=self.server.credentials.access_key,
            aws_secret_access_key=self.server.credentials.secret_key,
            config=Config(retries={"max_attempts": 0}),
        )
        taken = []
        for _ in range(times):
            begin = time.perf_counter()
            ec2.describe_vpn_connections(VpnConnectionIds=[self._any()])
            taken.append((time.perf_counter() - begin) * 1000)
        return taken

    def _any(self) -> str:
        return random.choice(self.connections)

    def _send(self, calls: Sequence[tuple[str, dict[str, str]]], clients: int) -> Timing:
        return run(self.server, [self.server.request(action, **given) for action, given in calls], clients)

    def _idle(self) -> bool:
        before = cpu.seconds([self.server.pid])
        time.sleep(IDLE_SECONDS)
        return cpu.seconds([self.server.pid]) - before < IDLE_SHARE * IDLE_SECONDS

    def _all_available(self) -> bool:
        # By a filter, so that nothing is described before it is measured.
        moving = {f"Filter.1.Value.{number}": state for number, state in enumerate(("pending", "deleting"), 1)}
        return "<vpnConnectionId>" not in self.server.call(
            "DescribeVpnConnections", **{"Filter.1.Name": "state"}, **moving
        )


def address(number: int) -> str:
    """The outside address of the customer gateway with this number."""
    return f"172.{16 + number // 65536}.{number // 256 % 256}.{number % 256}"


def element(text: str, name: str) -> str:
    """What the first element of this name holds."""
    match = re.search(f"<{name}>(.*?)</{name}>", text)
    if match is None:
        raise NotReached(f"no {name} in the answer: {text}")
    return match[1]
