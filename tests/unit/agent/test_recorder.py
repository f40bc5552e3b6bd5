"""What the engines see becomes rows, and only what changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.unit import sample
from twinbore.agent.recorder import Observations, compare
from twinbore.model.observed import BgpObservation, BgpStatus, EspStatus, Failure, IkeStatus, LearnedRoute
from twinbore.model.snapshot import Snapshot

LATER = sample.NOW + timedelta(minutes=5)
SESSIONS = tuple(BgpStatus(sample.VGW, f"vpn_0000000000000000a_{index}", "Established", 1, 1) for index in (1, 2))
LEARNED = tuple(
    LearnedRoute(sample.VGW, "192.168.10.0/24", s.session, (65000,), None, best)
    for s, best in zip(SESSIONS, (True, False), strict=True)
)


def seen(*, carrying: tuple[bool, bool] = (True, True), bgp: BgpObservation | None = None) -> Observations:
    return Observations(
        esp=tuple(EspStatus(1000 + i, True, c, c) for i, c in enumerate(carrying, 1)),
        ike=tuple(IkeStatus(f"{sample.VPN}-{i}", c, c) for i, c in enumerate(carrying, 1)),
        bgp=bgp or BgpObservation(SESSIONS, LEARNED),
    )


def test_a_quiet_world_writes_nothing() -> None:
    assert not compare(sample.world(), seen(), LATER)


def test_a_dead_tunnel_is_down_with_the_time_and_changes_the_plan() -> None:
    recorded = compare(sample.world(), seen(carrying=(False, True)), LATER)
    (row,) = recorded.telemetry
    assert (row.id, row.status, row.status_message) == (f"{sample.VPN}-1", "DOWN", "IPSEC IS DOWN")
    assert row.last_status_change == LATER
    assert row.accepted_route_count == 0
    assert recorded.plan_changed


def test_last_status_change_stays_when_only_the_count_changes() -> None:
    more = tuple(replace(s, accepted=5) for s in SESSIONS)
    recorded = compare(sample.world(), seen(bgp=BgpObservation(more, LEARNED)), LATER)
    assert {row.status_message for row in recorded.telemetry} == {"5 BGP ROUTES"}
    assert {row.last_status_change for row in recorded.telemetry} == {sample.NOW}
    assert not recorded.plan_changed


def test_prefixes_come_and_go() -> None:
    other = (replace(LEARNED[0], prefix="10.9.0.0/16"),)
    recorded = compare(sample.world(), seen(bgp=BgpObservation(SESSIONS, other)), LATER)
    assert [route.prefix for route in recorded.new_routes] == ["10.9.0.0/16"]
    assert recorded.gone_routes == (f"{sample.VGW}/192.168.10.0/24",)
    assert recorded.plan_changed


def test_routes_of_gateways_that_nobody_knows_are_ignored() -> None:
    stray = (*LEARNED, replace(LEARNED[0], domain="vgw-ffffffffffffffff0"))
    assert not compare(sample.world(), seen(bgp=BgpObservation(SESSIONS, stray)), LATER).new_routes


def test_a_connection_that_is_being_deleted_is_left_alone() -> None:
    deleting: Snapshot = replace(sample.world(), connections=(sample.connection(state="deleting"),))
    assert compare(deleting, seen(carrying=(False, False)), LATER).telemetry == ()


def test_negotiated_algorithms_are_kept_while_the_sas_outlive_charon() -> None:
    negotiated = replace(
        IkeStatus(f"{sample.VPN}-1", True, True), ike_version="ikev2", phase2_encryption="AES128-GCM-16"
    )
    first = compare(sample.world(), replace(seen(), ike=(negotiated,)), LATER)
    row = next(t for t in first.telemetry if t.id.endswith("-1"))
    assert (row.ike_version, row.phase2_encryption) == ("ikev2", "AES128-GCM-16")
    adopted = replace(sample.world(), telemetry=(row, sample.telemetry(2)))
    assert not compare(adopted, replace(seen(), ike=()), LATER)
    gone = compare(adopted, replace(seen(carrying=(False, True)), ike=()), LATER)
    assert gone.telemetry[0].phase2_encryption is None


def test_outdated_sas_are_pending_maintenance_with_the_time_when_they_go() -> None:
    outdated = IkeStatus(f"{sample.VPN}-1", True, True, outdated=True, renewal_seconds=600.0)
    before = seen()
    recorded = compare(sample.world(), replace(before, ike=(outdated, before.ike[1])), LATER)
    (row,) = recorded.telemetry
    assert (row.id, row.maintenance_pending, row.maintenance_applied_at) == (f"{sample.VPN}-1", True, None)
    assert row.maintenance_due_at == LATER + timedelta(seconds=600)
    assert not recorded.plan_changed

    world = replace(sample.world(), telemetry=(row, sample.telemetry(2)))
    sooner = replace(outdated, renewal_seconds=590.0)
    assert not compare(world, replace(before, ike=(sooner, before.ike[1])), LATER + timedelta(seconds=10))
    (applied,) = compare(world, before, LATER + timedelta(hours=1)).telemetry
    assert (applied.maintenance_pending, applied.maintenance_due_at) == (False, None)
    assert applied.maintenance_applied_at == LATER + timedelta(hours=1)


def test_outdated_sas_that_only_the_customer_can_replace_have_no_time() -> None:
    before = seen()
    outdated = IkeStatus(f"{sample.VPN}-1", True, True, outdated=True)
    (row,) = compare(sample.world(), replace(before, ike=(outdated, before.ike[1])), LATER).telemetry
    assert (row.maintenance_pending, row.maintenance_due_at) == (True, None)


def test_a_failure_belongs_to_the_tunnel_that_it_names() -> None:
    failures = (Failure(f"{sample.VPN}-2.v1", "no group can be had"), Failure("charon", "does not run"))
    (row,) = compare(sample.world(), seen(), LATER, failures).telemetry
    assert (row.id, row.failure) == (f"{sample.VPN}-2", "no group can be had")
    world = replace(sample.world(), telemetry=(sample.telemetry(1), row))
    assert [r.failure for r in compare(world, seen(), LATER).telemetry] == [""]
