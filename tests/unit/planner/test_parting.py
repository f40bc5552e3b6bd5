"""Which BGP sessions are closed before their place goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit import sample
from twinbore.model.desired import BgpPlan, RoutingDomain
from twinbore.planner.gateways import HostFacts
from twinbore.planner.parting import parting
from twinbore.planner.plan import plan

PLAN = plan(sample.world(), HostFacts(encapsulate=True)).bgp
(DOMAIN,) = PLAN.domains
FIRST, SECOND = DOMAIN.sessions


def test_nothing_parts_from_an_equal_plan_or_for_what_is_no_place() -> None:
    assert parting(PLAN, PLAN) == PLAN
    other = replace(DOMAIN, advertised=(), sessions=(replace(FIRST, med=7, peer_asn=65077), SECOND))
    assert parting(PLAN, BgpPlan((other,))) == PLAN


@pytest.mark.parametrize(
    "change",
    [{"local_address": "169.254.9.1"}, {"peer_address": "169.254.9.2"}, {"interface": "t9"}],
    ids=lambda change: next(iter(change)),
)
def test_a_session_that_moves_is_closed_first(change: dict[str, str]) -> None:
    desired = BgpPlan((replace(DOMAIN, sessions=(replace(FIRST, **change), SECOND)),))
    assert parting(PLAN, desired) == BgpPlan((replace(DOMAIN, sessions=(SECOND,)),))


def test_a_domain_keeps_running_without_its_sessions() -> None:
    moved = RoutingDomain(
        "vgw-0000000000000000b", "vgw-0000000000000000b", "10.254.0.2", 64512, sessions=(FIRST, SECOND)
    )
    assert parting(PLAN, BgpPlan((moved,))) == BgpPlan((replace(DOMAIN, sessions=()),))
    assert parting(PLAN, BgpPlan()) == BgpPlan((replace(DOMAIN, sessions=()),))
