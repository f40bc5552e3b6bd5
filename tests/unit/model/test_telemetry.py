"""UP means that IPsec is up and BGP is established or the connection is static; every DOWN has a reason in words."""

from __future__ import annotations

import pytest

from twinbore.model.observed import BgpStatus, EspStatus, IkeStatus
from twinbore.model.telemetry import judge

CARRYING = EspStatus(1001, True, True, True)
IDLE = EspStatus(1001, True, False, False)
IKE = IkeStatus("vpn-1-1", True, True)
ESTABLISHED = BgpStatus("vgw-1", "vpn_1_1", "Established", 3, 1)
ACTIVE = BgpStatus("vgw-1", "vpn_1_1", "Active", 0, 0, "Socket: Connection refused")


def test_bgp_connection_is_up_with_its_routes() -> None:
    verdict = judge(static_routes=None, esp=CARRYING, ike=IKE, bgp=ESTABLISHED)
    assert (verdict.status, verdict.message, verdict.accepted_routes, verdict.detail) == ("UP", "3 BGP ROUTES", 3, "")


def test_ipsec_alone_is_not_up_for_a_bgp_connection() -> None:
    verdict = judge(static_routes=None, esp=CARRYING, ike=IKE, bgp=ACTIVE)
    assert (verdict.status, verdict.message) == ("DOWN", "IPSEC IS UP")
    assert "Connection refused" in verdict.detail


def test_ipsec_alone_is_up_for_a_static_connection() -> None:
    verdict = judge(static_routes=2, esp=CARRYING, ike=IKE, bgp=None)
    assert (verdict.status, verdict.message, verdict.accepted_routes) == ("UP", "IPSEC IS UP", 2)


def test_sas_that_outlive_charon_keep_the_tunnel_up() -> None:
    forgotten = IkeStatus("vpn-1-1", False, False)
    assert judge(static_routes=None, esp=CARRYING, ike=forgotten, bgp=ESTABLISHED).status == "UP"


@pytest.mark.parametrize(
    ("esp", "ike", "words"),
    [
        (None, None, "interface is not there"),
        (IDLE, None, "waiting for the customer gateway"),
        (IDLE, IkeStatus("n", False, False, last_error="the pre-shared keys differ"), "the pre-shared keys differ"),
        (IDLE, IkeStatus("n", True, False), "phase 2"),
    ],
)
def test_every_down_has_its_reason(esp: EspStatus | None, ike: IkeStatus | None, words: str) -> None:
    verdict = judge(static_routes=None, esp=esp, ike=ike, bgp=None)
    assert (verdict.status, verdict.message) == ("DOWN", "IPSEC IS DOWN")
    assert words in verdict.detail


def test_a_paused_connection_is_down_whatever_the_engines_see() -> None:
    verdict = judge(static_routes=2, esp=EspStatus(1, True, True, True), ike=None, bgp=None, paused=True)
    assert (verdict.status, verdict.message) == ("DOWN", "IPSEC IS DOWN (PAUSED)")
    assert "twinbore resume" in verdict.detail


def test_a_session_with_a_password_that_does_not_come_up_says_what_may_be_wrong() -> None:
    esp, bgp = EspStatus(1, True, True, True), BgpStatus("vgw-1", "s", "Connect", 0, 0)
    assert "password" in judge(static_routes=None, esp=esp, ike=None, bgp=bgp, password=True).detail
    assert "password" not in judge(static_routes=None, esp=esp, ike=None, bgp=bgp).detail
