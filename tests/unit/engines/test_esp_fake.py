"""The ESP engine in memory behaves as the interface of engines says."""

from __future__ import annotations

import asyncio

from tests.unit.engines.tunnels import interface
from twinbore.engines.base import Engine
from twinbore.engines.esp.fake import FakeCounters, FakeEspEngine
from twinbore.model.desired import EspPlan
from twinbore.model.observed import EspStatus


def test_apply_observe_prune_teardown() -> None:
    events: list[int] = []
    fake = FakeEspEngine(on_event=lambda: events.append(1))
    engine: Engine[EspPlan, tuple[EspStatus, ...]] = fake

    async def scenario() -> None:
        await engine.start()
        plan = EspPlan((interface(), interface(2)))
        assert len((await engine.apply(plan)).done) == 2
        assert not await engine.apply(plan)
        assert (await engine.apply(EspPlan((interface(up=True), interface(2))))).done == (
            "changed tunnel interface t1001 in vgw-0123456789abcdef0",
        )
        fake.set_carrying(1001, True)
        fake.counters[1001] = FakeCounters(rx_bytes=5, drops={"replay": 2})
        first, second = await engine.observe()
        assert first == EspStatus(1001, True, True, True, rx_bytes=5, drops=(("replay", 2),))
        assert second == EspStatus(1002, True, False, False)
        fake.set_carrying(1001, False)
        assert not (await engine.observe())[0].carrying
        assert len((await engine.prune(EspPlan((interface(2),)))).done) == 1
        assert len((await engine.teardown()).done) == 2
        assert not await engine.teardown()

    asyncio.run(scenario())
    assert len(events) == 2
