"""Answers that are longer than what is held in memory, and descriptions that are written once and shown again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from tests.contract import vpn
from tests.contract.conftest import Service
from twinbore.api import streamed
from twinbore.api.ops import vpn_connection_shape, vpn_connection_view
from twinbore.model.resources import AccessKey, TunnelTelemetry, VpnTunnel

COUNT = 10


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is longer than what is held in memory."""
    monkeypatch.setattr(streamed, "WHOLE", 20_000)
    monkeypatch.setattr(streamed, "PIECE", 5_000)
    monkeypatch.setattr(vpn_connection_view, "AT_ONCE", 5)


@pytest.fixture
def connections(service: Service, ec2: Any) -> list[str]:
    """So many available connections of one virtual private gateway, oldest first."""
    gateway = vpn.vpn_gateway(ec2)
    made = [
        vpn.connect(ec2, vpn.customer_gateway(ec2, IpAddress=f"192.0.2.{number}"), gateway)["VpnConnectionId"]
        for number in range(1, COUNT + 1)
    ]
    service.settle()
    return made


def raw(service: Service, action: str) -> requests.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = AWSRequest("POST", service.url + "/", headers, f"Action={action}&Version=2016-11-15")
    key = Credentials(service.access_key_id, service.secret_access_key)
    SigV4Auth(key, "ec2", service.settings.region).add_auth(request)
    return requests.post(service.url + "/", data=request.data, headers=dict(request.headers), timeout=30)


def open_transactions(service: Service) -> int:
    return service.database.engine.pool.checkedout()  # type: ignore[attr-defined, no-any-return]


def wait_for_no_transaction(service: Service) -> None:
    deadline = time.monotonic() + 30
    while open_transactions(service):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("connections")
def test_a_long_answer_is_the_same_in_pieces(service: Service, ec2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ec2.describe_vpn_connections()
    assert "content-length" in whole["ResponseMetadata"]["HTTPHeaders"]
    monkeypatch.setattr(streamed, "WHOLE", 20_000)
    monkeypatch.setattr(streamed, "PIECE", 5_000)
    monkeypatch.setattr(vpn_connection_view, "AT_ONCE", 5)
    in_pieces = ec2.describe_vpn_connections()
    assert in_pieces["ResponseMetadata"]["HTTPHeaders"]["transfer-encoding"] == "chunked"
    assert len(whole["VpnConnections"]) == COUNT
    assert in_pieces["VpnConnections"] == whole["VpnConnections"]
    wait_for_no_transaction(service)


@pytest.mark.usefixtures("short", "connections")
def test_an_answer_that_fails_on_its_way_is_no_success(
    service: Service, ec2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe, left = vpn_connection_shape.describe, [COUNT - 2]

    def failing(rows: vpn_connection_shape.ConnectionRows) -> dict[str, Any]:
        left[0] -= 1
        if left[0] == 0:
            raise ZeroDivisionError
        return describe(rows)

    with monkeypatch.context() as changed:
        changed.setattr(vpn_connection_shape, "describe", failing)
        with pytest.raises(BotoCoreError):
            ec2.describe_vpn_connections()
    wait_for_no_transaction(service)
    assert len(ec2.describe_vpn_connections()["VpnConnections"]) == COUNT


@pytest.mark.usefixtures("short", "connections")
def test_an_answer_that_fails_in_its_beginning_is_an_error(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_rows: vpn_connection_shape.ConnectionRows) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(vpn_connection_shape, "describe", failing)
    answer = raw(service, "DescribeVpnConnections")
    assert answer.status_code == 500
    assert "<Code>InternalError</Code>" in answer.text
    wait_for_no_transaction(service)


@pytest.mark.usefixtures("short")
def test_a_long_answer_shows_one_moment(
    service: Service, ec2: Any, connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = vpn_connection_shape.shown
    deleted = []

    def deleting(rows: vpn_connection_shape.ConnectionRows) -> Any:
        if not deleted:
            deleted.append(connections[-1])
            with service.database.write() as tx:
                for connection in tx.all(type(rows.connection), id=connections):
                    tx.update(connection, state="deleting")
        return shown(rows)

    monkeypatch.setattr(vpn_connection_shape, "shown", deleting)
    states = [c["State"] for c in ec2.describe_vpn_connections()["VpnConnections"]]
    assert states == ["available"] * COUNT
    states = [c["State"] for c in ec2.describe_vpn_connections()["VpnConnections"]]
    assert states == ["deleting"] * COUNT


def test_each_caller_is_shown_what_it_may_see(service: Service, ec2: Any, connections: list[str]) -> None:
    """One description after the other, of the same connection, in both orders."""
    with service.database.write() as tx:
        (key,) = tx.all(AccessKey)
        reader = replace(key, id="AKIAREADER", role="read-only", name="reader")
        tx.insert(reader)
        tx.put_secret(reader.id, "secret_access_key", "secret")
    other = service.client(aws_access_key_id=reader.id, aws_secret_access_key="secret")

    def keys(client: Any) -> set[str]:
        tunnels = vpn.described(client, connections[0])["Options"]["TunnelOptions"]
        return {tunnel["PreSharedKey"] for tunnel in tunnels}

    real = keys(ec2)
    assert len(real) == 2
    assert keys(other) == {"REDACTED"}
    assert keys(ec2) == real
    assert keys(other) == {"REDACTED"}


def test_what_is_written_once_follows_every_change(service: Service, ec2: Any, connections: list[str]) -> None:
    one, another = connections[:2]
    unchanged = vpn.described(ec2, another)
    seen = [vpn.described(ec2, one)]

    def changed() -> None:
        seen.append(vpn.described(ec2, one))
        assert seen[-1] not in seen[:-1]
        assert vpn.described(ec2, another) == unchanged

    ec2.create_tags(Resources=[one], Tags=[{"Key": "a", "Value": "1"}])
    changed()
    ec2.create_tags(Resources=[one], Tags=[{"Key": "a", "Value": "2"}])
    changed()
    with service.database.write(bump=False) as tx:
        tunnel = tx.all(VpnTunnel, connection_id=one)[0]
        telemetry = tx.get(TunnelTelemetry, tunnel.id)
        assert telemetry is not None
        tx.update(telemetry, status="UP")
    changed()
    with service.database.write() as tx:
        tx.put_secret(tunnel.id, "pre_shared_key", "another.key")
    changed()
    address = tunnel.outside_address
    ec2.modify_vpn_tunnel_options(
        VpnConnectionId=one, VpnTunnelOutsideIpAddress=address, TunnelOptions={"Phase2LifetimeSeconds": 1800}
    )
    changed()
    service.settle()
    changed()
    ec2.delete_vpn_connection(VpnConnectionId=one)
    changed()
