"""`kill -9` at any moment loses nothing that was acknowledged, and leaves nothing half-made.

The real service as a process (fake engines), killed while sixteen clients create, change and delete as fast as they
can; then started again over the same state directory, and killed again, also while it starts. Each time:

* what was acknowledged is there, and what had no answer is there wholly or not at all (`crash_clients`);
* each connection has exactly two tunnels with their keys, in its options and in the customer gateway's configuration;
* nothing is there that no client has asked for;
* after the agent's first round, the engines have what the planner makes of the store, whatever they had before.

`TWINBORE_CRASH_KILLS` says how often it is killed.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.generative.crash_clients import OWNER, Client, Things
from tests.generative.crash_server import read_plane, rounds_of
from twinbore.cli.paths import Paths
from twinbore.model.desired import HostPlan, NetPlan
from twinbore.planner.gateways import HostFacts
from twinbore.planner.plan import plan
from twinbore.store.database import Database, connect, sqlite_url
from twinbore.store.secrets import SecretBox, load_master_key
from twinbore.store.snapshot import load_snapshot

KILLS = int(os.environ.get("TWINBORE_CRASH_KILLS", "30"))
CLIENTS = 16
WHILE_STARTING = 0.1
"""The share of the kills that hit the service before it answers."""
KEY = {"TWINBORE_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE22", "TWINBORE_SECRET_ACCESS_KEY": "an.example.secret"}
CONFIGURATION = """
outside_pool_a = ["203.0.113.0/24"]
outside_pool_b = ["198.51.100.0/24"]
deleted_visible_seconds = 1
[quotas]
vpcs = 1000
customer_gateways = 1000
vpn_connections = 1000
vpn_connections_per_vpn_gateway = 1000
"""


class Service:
    """The service over one state directory."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        config = directory / "config.toml"
        config.write_text(CONFIGURATION)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = ["-m", "tests.generative.crash_server", self.state, config, f"127.0.0.1:{self.port}"]
        with (directory / "log").open("wb") as log:
            self._forker = subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=Path(__file__).parents[2],
                env=os.environ | KEY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.pid = 0

    def _command(self, word: str) -> int:
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        self._forker.stdin.write(f"{word}\n")
        self._forker.stdin.flush()
        return int(self._forker.stdout.readline())

    def start(self) -> None:
        self.pid = self._command("start")

    def answering(self) -> None:
        """Wait until it answers."""

        def connected() -> bool:
            assert self._running(), "it has ended, see its log"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(connected, "it answers")

    def _running(self) -> bool:
        try:
            return "\nState:\tZ" not in Path(f"/proc/{self.pid}/status").read_text()
        except FileNotFoundError:
            return False

    def end(self, number: signal.Signals) -> None:
        """Send the signal, and wait until it is gone."""
        os.kill(self.pid, number)
        status = self._command("wait")
        assert status == (-number if number == signal.SIGKILL else 0), f"it has ended by itself: {status}"

    def client(self) -> Any:
        return boto3.client(
            "ec2",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=KEY["TWINBORE_ACCESS_KEY_ID"],
            aws_secret_access_key=KEY["TWINBORE_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=CLIENTS, read_timeout=30),
        )

    def close(self) -> None:
        """End the service, if a failure has left it, and the process that forks."""
        if self.pid and self._running():
            os.kill(self.pid, signal.SIGKILL)
        self._forker.communicate()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.close()


@pytest.mark.timeout(60 + 5 * KILLS)
def test_acknowledged_means_stored(service: Service, tmp_path: Path) -> None:
    moments = random.Random(11)
    ec2 = service.client()
    service.start()
    service.answering()
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    clients = [Client(ec2, number, gateway) for number in range(CLIENTS)]
    database = open_store(service.state)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(KILLS):
            if moments.random() < WHILE_STARTING:
                service.end(signal.SIGKILL)
                service.start()
                time.sleep(moments.uniform(0, 0.2))
            else:
                service.answering()
                check(service, database, ec2, clients)
                working = [pool.submit(client.work) for client in clients]
                time.sleep(moments.uniform(0.02, 0.6))
                service.end(signal.SIGKILL)
                for work in working:
                    work.result()
                service.start()
    service.answering()
    check(service, database, ec2, clients)
    service.end(signal.SIGTERM)
    database.close()
    report(clients)
    keys = {key.encode() for client in clients for key in client.keys}
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.parent.suffix != ".plane":
            content = file.read_bytes()
            assert not any(key in content for key in keys), f"{file.name} holds a key in clear"


def check(service: Service, database: Database, ec2: Any, clients: list[Client]) -> None:
    """Everything that must be so after a start."""
    found = described(ec2)
    for client in clients:
        client.settle(found.pop(client.name, {}))
    assert not found, "nobody has asked for these"
    eventually(lambda: rounds_of(service.state) >= (service.pid, 1) and rounds_of(service.state)[0] == service.pid,
               "the agent's first round")  # fmt: skip

    def as_planned() -> bool:
        with database.read() as tx:
            wanted = plan(load_snapshot(tx), HostFacts(encapsulate=True))
        return as_sets(read_plane(service.state)) == as_sets(planned(wanted))

    eventually(as_planned, "the engines have the plan of the store")


def described(ec2: Any) -> dict[str, Things]:
    """What there is of each owner, as clients see it."""
    found: defaultdict[str, Things] = defaultdict(dict)
    gone = ("deleting", "deleted")

    def note(name: str, kind: str, shown: dict[str, Any], **facts: Any) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in shown["Tags"]}
        found[tags[OWNER]][name] = {"kind": kind, "tags": tags, **facts}

    for shown in ec2.describe_customer_gateways()["CustomerGateways"]:
        if shown["State"] not in gone:
            facts = {"asn": shown["BgpAsn"], "address": shown["IpAddress"]}
            note(shown["CustomerGatewayId"], "customer-gateway", shown, **facts)
    for shown in ec2.describe_vpn_connections()["VpnConnections"]:
        if shown["State"] in gone:
            continue
        tunnels = shown["Options"]["TunnelOptions"]
        keys = tuple(tunnel["PreSharedKey"] for tunnel in tunnels)
        outside, monitored = ({t["OutsideIpAddress"] for t in some} for some in (tunnels, shown["VgwTelemetry"]))
        assert len(outside & monitored) == len(tunnels) == len(shown["VgwTelemetry"]) == 2
        assert [f"<pre_shared_key>{key}<" in shown["CustomerGatewayConfiguration"] for key in keys] == [True, True]
        note(
            shown["VpnConnectionId"], "vpn-connection", shown, gateway=shown["CustomerGatewayId"], keys=keys,
            lifetimes=tuple(tunnel["Phase2LifetimeSeconds"] for tunnel in tunnels),
            routes=frozenset(r["DestinationCidrBlock"] for r in shown["Routes"] if r["State"] not in gone),
        )  # fmt: skip
    vpcs = [shown for shown in ec2.describe_vpcs()["Vpcs"] if not shown["IsDefault"]]
    for shown in vpcs:
        note(shown["VpcId"], "vpc", shown)
    for parts in (
        ec2.describe_security_groups()["SecurityGroups"],
        ec2.describe_network_acls()["NetworkAcls"],
        ec2.describe_route_tables()["RouteTables"],
    ):
        assert Counter(part["VpcId"] for part in parts) == Counter(vpc["VpcId"] for vpc in vpcs)
    return found


def open_store(state: Path) -> Database:
    paths = Paths(state)
    return connect(sqlite_url(paths.database), SecretBox(load_master_key(paths.master_key, create=False)))


def planned(wanted: HostPlan) -> dict[str, Any]:
    """The plan in the form in which the fake engines have it."""
    return {
        "net": wanted.net,
        "esp": {interface.if_id: interface for interface in wanted.esp.interfaces},
        "bgp": {domain.name: domain for domain in wanted.bgp.domains},
        "ipsec": {tunnel.name: tunnel for tunnel in wanted.ipsec.tunnels},
    }


def as_sets(plane: dict[str, Any]) -> dict[str, Any]:
    """Without the order of what is in the net engine's plan."""
    return plane | {"net": {part.name: set(getattr(plane["net"], part.name)) for part in fields(NetPlan)}}


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"not within 30 s: {what}"
        time.sleep(0.005)


def report(clients: list[Client]) -> None:
    """What was done, and that each kind of thing was: a test that did nothing proves nothing."""
    done: Counter[str] = sum((client.done for client in clients), Counter())
    print(f"\n{KILLS} kills; acknowledged: {done.total()}, {dict(done)}")
    print(f"without an answer, done: {dict(sum((client.open for client in clients), Counter()))}")
    print(f"refused: {dict(sum((client.refused for client in clients), Counter()))}")
    assert len(done) == 11
    assert min(done.values()) > 0
