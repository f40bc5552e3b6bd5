"""The agent's local socket, with the agent behind it and engines in memory: pause, resume, passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit import sample, worldstore
from twinbore.agent.admin import AdminServer
from twinbore.agent.engines import EngineSet
from twinbore.agent.loop import Agent
from twinbore.engines import tcp_md5
from twinbore.engines.bgp.fake import FakeBgpEngine
from twinbore.engines.esp.fake import FakeEspEngine
from twinbore.engines.ipsec.fake import FakeIpsecEngine
from twinbore.engines.net.fake import FakeNetEngine
from twinbore.model import resources as r
from twinbore.planner.gateways import HostFacts
from twinbore.store.database import Database

HANGING_SECONDS = 60
PASSWORD = "s3cret/of+both="


class Host:
    """A running agent over the sample world, and its socket."""

    def __init__(self, database: Database, socket: Path) -> None:
        self.database = database
        self.socket = socket
        self.bgp = FakeBgpEngine()
        self.ipsec = FakeIpsecEngine()
        engines = EngineSet(FakeNetEngine(), FakeEspEngine(), self.bgp, self.ipsec)
        facts = HostFacts(encapsulate=True)
        self.agent = Agent(database, engines, facts, timedelta(hours=1), lambda: sample.NOW)

    async def ask(self, **request: Any) -> Any:
        """The answer's `ok`, or the words of its `error`."""
        reader, writer = await asyncio.open_unix_connection(self.socket)
        writer.write(msgspec.json.encode(request) + b"\n")
        answer = msgspec.json.decode(await asyncio.wait_for(reader.readline(), HANGING_SECONDS))
        writer.close()
        return answer["ok"] if "ok" in answer else answer["error"]

    def sessions(self) -> dict[str, str]:
        """The sessions that BGP runs: name → password."""
        return {s.name: s.password for domain in self.bgp.present.values() for s in domain.sessions}

    def telemetry(self) -> set[tuple[str, str]]:
        with self.database.read() as tx:
            return {(row.status, row.status_message) for row in tx.all(r.TunnelTelemetry)}


@pytest.fixture
def on_host(tmp_path: Path) -> Callable[[Callable[[Host], Awaitable[None]]], None]:
    """Runs a test against a host whose agent has applied everything once."""

    def run(test: Callable[[Host], Awaitable[None]]) -> None:
        async def scenario() -> None:
            database = worldstore.database(tmp_path)
            worldstore.fill(database)
            host = Host(database, tmp_path / "agent.sock")
            server = AdminServer(host.socket, database, host.agent, lambda: sample.NOW)
            stop = asyncio.Event()
            running = asyncio.create_task(host.agent.run(stop))
            await server.start()
            try:
                assert await host.agent.wait_for(1, HANGING_SECONDS)
                await test(host)
            finally:
                stop.set()
                await server.close()
                await asyncio.wait_for(running, HANGING_SECONDS)
                database.close()

        asyncio.run(scenario())

    return run


Runner = Callable[[Callable[[Host], Awaitable[None]]], None]


def test_a_paused_connection_has_nothing_in_the_data_plane_and_says_so(on_host: Runner) -> None:
    async def test(host: Host) -> None:
        assert len(host.ipsec.tunnels) == len(host.sessions()) == 2
        before = dict(host.ipsec.tunnels)
        for _ in range(2):
            assert await host.ask(op="pause", connection=sample.VPN) == {}
            assert (host.ipsec.tunnels, host.sessions()) == ({}, {})
            assert host.telemetry() == {("DOWN", "IPSEC IS DOWN (PAUSED)")}
        with host.database.read() as tx:
            connection = tx.get(r.VpnConnection, sample.VPN)
        assert connection is not None
        assert (connection.state, connection.paused) == ("available", True)
        for _ in range(2):
            assert await host.ask(op="resume", connection=sample.VPN) == {}
            assert host.ipsec.tunnels == before
            assert len(host.sessions()) == 2
            assert host.telemetry() == {("DOWN", "IPSEC IS DOWN")}

    on_host(test)


def test_a_password_is_given_to_one_session_or_both_and_removed(on_host: Runner) -> None:
    async def test(host: Host) -> None:
        first, second = sorted(host.sessions())
        assert await host.ask(op="password", connection=sample.VPN, tunnels=[1, 2], password=PASSWORD) == {}
        assert host.sessions() == {first: PASSWORD, second: PASSWORD}
        assert await host.ask(op="password", connection=sample.VPN, tunnels=[2], password="other") == {}
        assert host.sessions() == {first: PASSWORD, second: "other"}
        assert await host.ask(op="password", connection=sample.VPN, tunnels=[1]) == {}
        assert host.sessions() == {first: "", second: "other"}
        assert PASSWORD not in repr(host.bgp.present)

    on_host(test)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"op": "pause", "connection": "vpn-1"}, "'vpn-1' does not exist"),
        ({"op": "resume"}, "does not exist"),
        ({"op": "password", "connection": sample.VPN, "tunnels": [3], "password": "x"}, "one or both of"),
        ({"op": "password", "connection": sample.VPN, "password": "x"}, "one or both of"),
        ({"op": "password", "connection": sample.VPN, "tunnels": [1], "password": 'x"; }'}, "letters, digits"),
        ({"op": "password", "connection": sample.VPN, "tunnels": [1], "password": "x" * 81}, "1 to 80 characters"),
        ({"op": "halt", "connection": sample.VPN}, "halt"),
    ],
)
def test_what_cannot_be_is_refused_in_words(on_host: Runner, request_: dict[str, Any], words: str) -> None:
    async def test(host: Host) -> None:
        answer = await host.ask(**request_)
        assert words in answer, answer
        assert set(host.sessions().values()) == {""}

    on_host(test)


def test_a_connection_without_bgp_takes_no_password_and_a_deleted_one_no_pause(on_host: Runner) -> None:
    async def test(host: Host) -> None:
        with host.database.write() as tx:
            tx.update(sample.connection(static_routes_only=True))
        answer = await host.ask(op="password", connection=sample.VPN, tunnels=[1], password=PASSWORD)
        assert "static routes only" in answer
        with host.database.write() as tx:
            tx.update(sample.connection(state="deleted", deleted_at=sample.NOW))
        assert "is deleted" in await host.ask(op="pause", connection=sample.VPN)

    on_host(test)


def test_a_kernel_without_md5_takes_no_password(on_host: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_md5, "problem", lambda: "Protocol not available")

    async def test(host: Host) -> None:
        answer = await host.ask(op="password", connection=sample.VPN, tunnels=[1], password=PASSWORD)
        assert "CONFIG_TCP_MD5SIG" in answer
        assert set(host.sessions().values()) == {""}

    on_host(test)


def test_the_password_goes_with_its_connection(on_host: Runner) -> None:
    async def test(host: Host) -> None:
        await host.ask(op="password", connection=sample.VPN, tunnels=[1], password=PASSWORD)
        with host.database.write() as tx:
            tx.update(sample.connection(state="deleting"))
            revision = tx.revision() + 1
        assert await host.agent.wait_for(revision, HANGING_SECONDS)
        with host.database.read() as tx:
            assert tx.secret(f"{sample.VPN}-1", "bgp_password") is None

    on_host(test)
