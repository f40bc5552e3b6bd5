"""The IPsec engine in memory behaves as the interface of engines says."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.unit.engines.tunnels import tunnel
from twinbore.engines.base import Engine
from twinbore.engines.ipsec.fake import FakeIpsecEngine
from twinbore.model.desired import IpsecPlan
from twinbore.model.observed import IkeStatus


def test_apply_observe_prune_teardown() -> None:
    events: list[int] = []
    fake = FakeIpsecEngine(on_event=lambda: events.append(1))
    engine: Engine[IpsecPlan, tuple[IkeStatus, ...]] = fake
    plan = IpsecPlan((tunnel(), tunnel(2)))

    async def scenario() -> None:
        await engine.start()
        assert len((await engine.apply(plan)).done) == 2
        assert not await engine.apply(plan)
        changed = IpsecPlan((replace(tunnel(), pre_shared_key="other.key"), tunnel(2)))
        assert (await engine.apply(changed)).done == (f"changed IKE connection {tunnel().name}",)
        fake.establish(tunnel().name)
        up, down = await engine.observe()
        assert (up.child_installed, up.phase2_encryption, up.phase2_integrity) == (True, "AES128", "SHA1")
        assert not down.ike_established
        fake.lose_child(tunnel().name, "selectors differ")
        assert [s.last_error for s in await engine.observe()] == ["selectors differ", ""]
        fake.lose(tunnel().name, "keys differ")
        assert not (await engine.observe())[0].ike_established
        assert (await engine.prune(IpsecPlan((tunnel(2),)))).done == (f"removed IKE connection {tunnel().name}",)
        assert len(await engine.observe()) == 1
        assert (await engine.teardown()).done[-1] == "stopped charon"
        assert not await engine.teardown()

    asyncio.run(scenario())
    assert len(events) == 3
