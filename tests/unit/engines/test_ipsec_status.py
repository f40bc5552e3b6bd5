"""From recorded `list-sa` messages (strongSwan 5.9.8) to the state of a tunnel."""

from __future__ import annotations

from typing import Any

from twinbore.engines.ipsec.status import best, ike_sas, ike_status
from twinbore.model.observed import IkeStatus

NAME = "vpn-0123456789abcdef0-1"


def child(number: int, state: str = "INSTALLED", **changes: str) -> dict[str, str]:
    return {
        "name": NAME,
        "uniqueid": str(number),
        "reqid": "1",
        "state": state,
        "mode": "TUNNEL",
        "protocol": "ESP",
        "encap": "yes",
        "spi-in": "c0ffee01",
        "spi-out": "c0ffee02",
        "encr-alg": "AES_GCM_16",
        "encr-keysize": "256",
        "dh-group": "ECP_384",
        "rekey-time": "3205",
        "life-time": "3600",
        **changes,
    }


def event(number: int, state: str = "ESTABLISHED", *children: dict[str, str], **changes: Any) -> dict[str, Any]:
    section = {
        "uniqueid": str(number),
        "version": "2",
        "state": state,
        "local-host": "203.0.113.1",
        "local-port": "4500",
        "remote-host": "198.51.100.1",
        "remote-port": "4500",
        "encr-alg": "AES_CBC",
        "encr-keysize": "128",
        "integ-alg": "HMAC_SHA2_256_128",
        "prf-alg": "PRF_HMAC_SHA2_256",
        "dh-group": "MODP_2048",
        "child-sas": {f"{NAME}-{c['uniqueid']}": c for c in children},
    }
    name = changes.pop("name", NAME)
    return {name: {**section, **{key.replace("_", "-"): value for key, value in changes.items()}}}


def status(*events: dict[str, Any], reason: str = "", waiting: str = "waiting") -> IkeStatus:
    return ike_status(NAME, ike_sas(events), reason, waiting)


def test_an_established_tunnel_in_aws_spelling() -> None:
    assert status(event(3, "ESTABLISHED", child(7), nat_remote="yes"), reason="old trouble") == IkeStatus(
        name=NAME,
        ike_established=True,
        child_installed=True,
        ike_version="ikev2",
        phase1_encryption="AES128",
        phase1_integrity="SHA2-256",
        phase1_dh_group=14,
        phase2_encryption="AES256-GCM-16",
        phase2_integrity=None,
        phase2_dh_group=20,
        remote_address="198.51.100.1:4500",
        nat_detected=True,
        last_error="",
    )


def test_the_first_child_of_ikev2_has_no_group_of_its_own() -> None:
    without = child(1, "INSTALLED", **{"encr-alg": "AES_CBC", "encr-keysize": "256", "integ-alg": "HMAC_SHA1_96"})
    del without["dh-group"]
    seen = status(event(1, "ESTABLISHED", without))
    assert (seen.phase2_encryption, seen.phase2_integrity, seen.phase2_dh_group) == ("AES256", "SHA1", None)


def test_no_sa_at_all_and_one_that_is_connecting() -> None:
    assert status() == IkeStatus(NAME, False, False, last_error="waiting")
    assert status(event(1, "CONNECTING"), reason="keys differ") == IkeStatus(
        NAME, False, False, last_error="keys differ"
    )


def test_ike_without_child_has_the_reason_but_does_not_wait() -> None:
    assert status(event(1), reason="selectors differ").last_error == "selectors differ"
    assert status(event(1)).last_error == ""
    assert status(event(1)).ike_established
    assert not status(event(1)).child_installed


def test_rekeying_keeps_the_tunnel_up_and_the_newest_child_counts() -> None:
    old = child(1, "REKEYING", **{"encr-keysize": "128"})
    assert status(event(1, "REKEYING", old)).child_installed
    both = status(event(1, "ESTABLISHED", old, child(2)))
    assert both.phase2_encryption == "AES256-GCM-16"
    assert not status(event(1, "ESTABLISHED", child(1, "DELETED"))).child_installed


def test_of_several_ike_sas_the_one_with_a_child_counts_then_the_newest() -> None:
    sas = ike_sas([event(9, "CONNECTING"), event(5, "ESTABLISHED", child(1)), event(8, "ESTABLISHED")])
    chosen = best(sas)
    assert chosen is not None
    assert chosen.unique_id == 5
    newest = best(ike_sas([event(5), event(8)]))
    assert newest is not None
    assert newest.unique_id == 8


def test_an_sa_that_is_being_deleted_does_not_count() -> None:
    assert ike_sas([event(1, "DELETING", child(1))]) == []


def test_both_connections_of_a_tunnel_belong_to_it() -> None:
    (sa,) = ike_sas([event(1, version="1", name=f"{NAME}.v1")])
    assert sa.tunnel == NAME
    assert ike_status(NAME, [sa], "", "").ike_version == "ikev1"
