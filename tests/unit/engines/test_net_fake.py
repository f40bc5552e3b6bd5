"""The fake net engine keeps the engines' promises."""

from __future__ import annotations

import pytest

from twinbore.engines.net.fake import FakeNetEngine
from twinbore.engines.net.observation import FilterDrops
from twinbore.model.desired import Namespace, NetPlan, Port, Route

pytestmark = pytest.mark.anyio

PORT = Port("eni-1", "vpc-1", "e1", "10.0.0.5/24", "10.0.0.1", "02:00:00:00:00:05", "netns", "w1", "eth0")
PLAN = NetPlan(namespaces=(Namespace("vpc-1", "vpc"),), ports=(PORT,), routes=(Route("vpc-1", 100, "10.0.0.0/16"),))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_apply_prune_and_repair() -> None:
    engine = FakeNetEngine()
    assert len((await engine.apply(PLAN)).done) == 3
    assert not await engine.apply(PLAN)
    assert not (await engine.apply(NetPlan())).done, "apply removes nothing"
    engine.lose(NetPlan(ports=(PORT,)))
    assert (await engine.apply(PLAN)).done == (f"Created {PORT}",)
    assert len((await engine.prune(NetPlan(namespaces=PLAN.namespaces))).done) == 2
    assert (await engine.teardown()).done == (f"Removed {PLAN.namespaces[0]}",)


async def test_observation() -> None:
    events: list[None] = []
    engine = FakeNetEngine(on_event=lambda: events.append(None))
    await engine.apply(PLAN)
    engine.set_drops(FilterDrops("vpc-1", "e1", "source_not_allowed", 3, 252))
    seen = await engine.observe()
    assert seen.namespaces == ("vpc-1",)
    assert [(p.eni_id, p.carrier) for p in seen.ports] == [("eni-1", True)]
    assert seen.drops[0].packets == 3
    assert len(events) == 1
