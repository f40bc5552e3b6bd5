"""Latency of requests, on an installation with fake engines: what the API, the codec and the store cost.

One client, one connection, one request at a time, signed beforehand: the time from the first byte sent to the last byte
received. The agent works beside it, as it does in use. `CreateVpnConnection` is measured until 200 of them are there.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.measure import Figure, NotReached, Settings, figure, seconds_until
from twinbore.lab.service import REGION, twinbore

CONNECTIONS: Final = 200
REPEATS: Final = 200
_CONFIG: Final = f"""\
region = "{REGION}"
engines = "fake"
outside_pool_a = ["203.0.113.0/24"]
outside_pool_b = ["198.51.100.0/24"]
[quotas]
customer_gateways = 1000
vpn_connections = 1000
vpn_connections_per_vpn_gateway = 1000
"""


class Client:
    """Signed EC2 Query requests over one kept connection."""

    def __init__(self, address: str, credentials: Credentials) -> None:
        self._address = address
        self._credentials = credentials
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._connection.connect()
        assert isinstance(self._connection.sock, socket.socket)
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, action: str, **parameters: str) -> tuple[float, str]:
        """Milliseconds and the body of the answer. Raises `NotReached` for an error."""
        body = urlencode({"Action": action, "Version": "2016-11-15", **parameters})
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", f"http://{self._address}/", headers, body)
        SigV4Auth(self._credentials, "ec2", REGION).add_auth(request)
        begin = time.perf_counter()
        self._connection.request("POST", "/", body, dict(request.headers))
        response = self._connection.getresponse()
        text = response.read().decode()
        elapsed = (time.perf_counter() - begin) * 1000
        if response.status != http.HTTPStatus.OK:
            raise NotReached(f"{action}: {response.status}: {text}")
        return elapsed, text


def run(settings: Settings) -> list[Figure]:
    """Figures of creates and describes; `settings` is not used: every request is a sample."""
    del settings
    with _installation() as client:
        gateway = _element(client.call("CreateVpnGateway", Type="ipsec.1")[1], "vpnGatewayId")
        customers, connections = [], []
        create_customer, create_connection = [], []
        for number in range(CONNECTIONS):
            address = f"192.0.2.{number + 1}"
            elapsed, text = client.call("CreateCustomerGateway", Type="ipsec.1", BgpAsn="65000", IpAddress=address)
            create_customer.append(elapsed)
            customers.append(_element(text, "customerGatewayId"))
        for customer in customers:
            elapsed, text = client.call(
                "CreateVpnConnection", Type="ipsec.1", CustomerGatewayId=customer, VpnGatewayId=gateway
            )
            create_connection.append(elapsed)
            connections.append(_element(text, "vpnConnectionId"))
        seconds_until(lambda: _all_available(client), 120, "all connections are available", pause=0.5)
        one = [
            client.call("DescribeVpnConnections", **{"VpnConnectionId.1": secrets.choice(connections)})[0]
            for _ in range(REPEATS)
        ]
        every = [client.call("DescribeVpnConnections")[0] for _ in range(REPEATS // 10)]
        gateways = [client.call("DescribeCustomerGateways")[0] for _ in range(REPEATS // 10)]
    measured = {
        "CreateCustomerGateway": create_customer,
        "CreateVpnConnection": create_connection,
        f"DescribeVpnConnections, one of {CONNECTIONS}": one,
        f"DescribeVpnConnections, all {CONNECTIONS}": every,
        f"DescribeCustomerGateways, all {CONNECTIONS}": gateways,
    }
    figures = []
    for name, samples in measured.items():
        figures.append(figure(name, "ms", samples))
        figures.append(figure(f"{name}, 95th percentile", "ms", [statistics.quantiles(samples, n=20)[-1]]))
    return figures


def _all_available(client: Client) -> bool:
    return client.call("DescribeVpnConnections")[1].count("<state>available</state>") >= CONNECTIONS


def _element(text: str, name: str) -> str:
    match = re.search(f"<{name}>(.*?)</{name}>", text)
    if match is None:
        raise NotReached(f"no {name} in the answer: {text}")
    return match[1]


@contextmanager
def _installation() -> Iterator[Client]:
    key = Credentials("AKIA" + secrets.token_hex(8).upper(), secrets.token_hex(20))
    environment = {"TWINBORE_ACCESS_KEY_ID": key.access_key, "TWINBORE_SECRET_ACCESS_KEY": key.secret_key}
    with tempfile.TemporaryDirectory(prefix="twinbore-bench-") as work:
        config = Path(work) / "twinbore.toml"
        config.write_text(_CONFIG)
        address = f"127.0.0.1:{_free_port()}"
        command = twinbore("up", "--state", Path(work) / "state", "--config", config, "--listen", address)
        with (Path(work) / "log").open("wb") as log:
            service = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment)
        try:
            seconds_until(lambda: _answers(address), 30, "the API answers")
            yield Client(address, key)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(30)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
