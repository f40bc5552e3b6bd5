"""The fake BGP engine keeps the engines' promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.engines.test_bgp_config import DOMAIN
from twinbore.engines.bgp.fake import FakeBgpEngine
from twinbore.model.desired import BgpPlan
from twinbore.model.observed import BgpObservation, LearnedRoute

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_apply_and_prune_tell_the_difference() -> None:
    engine = FakeBgpEngine()
    plan = BgpPlan((DOMAIN,))
    assert (await engine.apply(plan)).done == ("Started BGP of vgw-1",)
    assert not await engine.apply(plan)
    assert (await engine.apply(BgpPlan((replace(DOMAIN, asn=1),)))).done == ("Reconfigured BGP of vgw-1",)
    assert not await engine.prune(plan)
    assert (await engine.teardown()).done == ("Stopped BGP of vgw-1",)
    assert await engine.observe() == BgpObservation()


async def test_sessions_do_what_the_test_says() -> None:
    events = 0

    def on_event() -> None:
        nonlocal events
        events += 1

    engine = FakeBgpEngine(on_event=on_event)
    await engine.apply(BgpPlan((DOMAIN,)))
    route = LearnedRoute("vgw-1", "192.168.0.0/24", "vpn_1_1", (65000,), None, True)
    engine.establish("vgw-1", "vpn_1_1", route)
    seen = await engine.observe()
    assert [(s.session, s.state, s.accepted, s.advertised) for s in seen.sessions] == [
        ("vpn_1_1", "Established", 1, 1),
        ("vpn_1_2", "Active", 0, 0),
    ]
    assert route in seen.routes
    assert [r.session for r in seen.routes if not r.as_path] == ["t3", "t4"]
    engine.fail("vgw-1", "vpn_1_1", "silence")
    failed = (await engine.observe()).sessions[0]
    assert (failed.state, failed.last_error) == ("Active", "silence")
    assert events == 2
