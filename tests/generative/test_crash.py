"""`kill -9` at any moment loses nothing that was acknowledged, and leaves nothing half-made.

The real service as a process (fake engines), killed while a client creates resources as fast as it can; then started
again over the same state directory.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

MAIN = "from twinbore.cli.main import main; main()"
ROUNDS = 4
KEY = {"TWINBORE_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE22", "TWINBORE_SECRET_ACCESS_KEY": "an.example.secret"}


class Process:
    """`twinbore up --engines fake`, answering."""

    def __init__(self, state: Path, config: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        arguments = ["up", "--engines", "fake", "--state", state, "--config", config]
        self.log = (state.parent / "log").open("ab")
        self.child = subprocess.Popen(
            [sys.executable, "-c", MAIN, *map(str, arguments), "--listen", f"127.0.0.1:{self.port}"],
            env=os.environ | KEY,
            stderr=self.log,
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.child.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("twinbore up does not answer")

    def client(self) -> Any:
        return boto3.client(
            "ec2",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=KEY["TWINBORE_ACCESS_KEY_ID"],
            aws_secret_access_key=KEY["TWINBORE_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=15),
        )

    def end(self, number: signal.Signals) -> None:
        self.child.send_signal(number)
        self.child.wait(30)
        self.log.close()


def test_acknowledged_means_stored(tmp_path: Path) -> None:
    state, config = tmp_path / "state", tmp_path / "config.toml"
    pool = ", ".join(f'"203.0.113.{n}"' for n in range(1, 200))
    other = ", ".join(f'"198.51.100.{n}"' for n in range(1, 200))
    config.write_text(
        f"outside_pool_a = [{pool}]\noutside_pool_b = [{other}]\n"
        "[quotas]\ncustomer_gateways = 10000\nvpn_connections = 10000\nvpn_connections_per_vpn_gateway = 10000\n"
    )
    moments = random.Random(11)
    acknowledged: dict[str, str] = {}
    gateway = ""
    for number in range(ROUNDS):
        process = Process(state, config)
        ec2 = process.client()
        found = {c["VpnConnectionId"]: c["CustomerGatewayConfiguration"] for c in _connections(ec2)}
        assert acknowledged.items() <= found.items()
        assert all(len(c["VgwTelemetry"]) == 2 for c in _connections(ec2))
        gateway = gateway or ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        killer = threading.Timer(moments.uniform(0.3, 1.5), process.end, [signal.SIGKILL])
        killer.start()
        with pytest.raises((BotoCoreError, ClientError)):
            for last in range(1, 250):
                customer = ec2.create_customer_gateway(Type="ipsec.1", BgpAsn=65000, PublicIp=f"192.0.{number}.{last}")[
                    "CustomerGateway"
                ]
                made = ec2.create_vpn_connection(
                    Type="ipsec.1", CustomerGatewayId=customer["CustomerGatewayId"], VpnGatewayId=gateway
                )["VpnConnection"]
                acknowledged[made["VpnConnectionId"]] = made["CustomerGatewayConfiguration"]
        killer.join()
    assert acknowledged
    _secrets_are_nowhere_in_clear(tmp_path, acknowledged)


def _connections(ec2: Any) -> list[dict[str, Any]]:
    connections: list[dict[str, Any]] = ec2.describe_vpn_connections()["VpnConnections"]
    return connections


def _secrets_are_nowhere_in_clear(directory: Path, configurations: dict[str, str]) -> None:
    """Neither the database nor the log holds a pre-shared key that the API has given out."""
    keys = {
        part.partition("</pre_shared_key>")[0].encode()
        for text in configurations.values()
        for part in text.split("<pre_shared_key>")[1:]
    }
    assert len(keys) == 2 * len(configurations)
    for file in directory.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(key in content for key in keys), f"{file.name} holds a key in clear"
