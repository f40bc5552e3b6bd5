"""The agent's rest after a round: what the engines tell ends it, and so does the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit import sample, worldstore
from twinbore.agent import loop
from twinbore.agent.engines import EngineSet
from twinbore.agent.loop import Agent
from twinbore.engines.bgp.fake import FakeBgpEngine
from twinbore.engines.esp.fake import FakeEspEngine
from twinbore.engines.ipsec.fake import FakeIpsecEngine
from twinbore.engines.net.fake import FakeNetEngine
from twinbore.model import resources as r
from twinbore.planner.gateways import HostFacts

HANGING_SECONDS = 60


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rest that nothing but an event ends."""
    monkeypatch.setattr(loop, "REST_FACTOR", 1e9)
    monkeypatch.setattr(loop, "REST_SECONDS", 1e9)


@pytest.mark.usefixtures("for_ever")
def test_a_rest_ends_by_what_engines_tell_and_by_the_end(tmp_path: Path) -> None:
    database = worldstore.database(tmp_path)
    with database.write() as tx:
        tx.insert(r.Account(sample.ACCOUNT, sample.NOW))
    engines = EngineSet(FakeNetEngine(), FakeEspEngine(), FakeBgpEngine(), FakeIpsecEngine())
    agent = Agent(database, engines, HostFacts(encapsulate=True), timedelta(hours=1), lambda: datetime.now(UTC))

    async def scenario() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(agent.run(stop))
        assert await agent.wait_for(1, HANGING_SECONDS)
        with database.write() as tx:
            tx.insert(r.VpnGateway("vgw-1", sample.ACCOUNT, "available", "ipsec.1", 64512, 1, None, sample.NOW))
        with database.read() as tx:
            revision = tx.revision()
        agent.touch("bgp")
        assert await agent.wait_for(revision, HANGING_SECONDS)
        stop.set()
        await asyncio.wait_for(running, HANGING_SECONDS)

    asyncio.run(scenario())
    database.close()
