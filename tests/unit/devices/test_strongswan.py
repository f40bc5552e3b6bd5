"""Tunnel options as strongSwan's proposals, for both sample types and IKE versions."""

from __future__ import annotations

import pytest

from twinbore.devices.offer import (
    ENCRYPTION_BY_STRENGTH,
    GROUPS_BY_STRENGTH,
    INTEGRITY_BY_STRENGTH,
    NothingToOffer,
    offered_options,
)
from twinbore.devices.strongswan import esp_proposals, ike_proposals
from twinbore.model.options import (
    ENCRYPTION_ALGORITHMS,
    INTEGRITY_ALGORITHMS,
    PHASE1_DH_GROUPS,
    PHASE2_DH_GROUPS,
    TunnelOptions,
    problems,
)

GROUPS = "ecp521-ecp384-modp8192-modp6144-modp4096-ecp256-modp3072-modp2048-modp2048s256-modp2048s224"


def test_every_algorithm_of_the_tunnel_options_has_a_rank() -> None:
    assert sorted(ENCRYPTION_BY_STRENGTH) == sorted(ENCRYPTION_ALGORITHMS)
    assert sorted(INTEGRITY_BY_STRENGTH) == sorted(INTEGRITY_ALGORITHMS)
    assert sorted(GROUPS_BY_STRENGTH) == sorted(set(PHASE1_DH_GROUPS) | set(PHASE2_DH_GROUPS))


def test_compatibility_offers_everything_strongest_first_and_gcm_apart() -> None:
    offered = offered_options(TunnelOptions(), "ikev2", strongest_only=False)
    assert ike_proposals(offered) == (
        f"aes256gcm16-aes128gcm16-prfsha512-prfsha384-prfsha256-prfsha1-{GROUPS}-modp1024s160-modp1024, "
        f"aes256-aes128-sha512-sha384-sha256-sha1-{GROUPS}-modp1024s160-modp1024"
    )
    assert esp_proposals(offered) == (
        f"aes256gcm16-aes128gcm16-{GROUPS}-modp1536-modp1024s160-modp1024, "
        f"aes256-aes128-sha512-sha384-sha256-sha1-{GROUPS}-modp1536-modp1024s160-modp1024"
    )


def test_recommended_offers_the_strongest_of_each_kind_only() -> None:
    offered = offered_options(TunnelOptions(), "ikev2", strongest_only=True)
    assert problems(offered) == []
    assert ike_proposals(offered) == "aes256gcm16-prfsha512-ecp521"
    assert esp_proposals(offered) == "aes256gcm16-ecp521"


def test_the_strongest_is_what_the_connection_allows() -> None:
    options = TunnelOptions(
        phase1_encryption_algorithms=("AES128", "AES256"),
        phase1_integrity_algorithms=("SHA1", "SHA2-256"),
        phase1_dh_group_numbers=(2, 14),
        phase2_encryption_algorithms=("AES128",),
        phase2_integrity_algorithms=("SHA1",),
        phase2_dh_group_numbers=(5,),
    )
    offered = offered_options(options, "ikev2", strongest_only=True)
    assert ike_proposals(offered) == "aes256-sha256-modp2048"
    assert esp_proposals(offered) == "aes128-sha1-modp1536"


def test_ikev1_spells_out_combinations_with_one_group_and_without_gcm_in_phase_1() -> None:
    options = TunnelOptions(
        phase1_encryption_algorithms=("AES128", "AES256-GCM-16"),
        phase1_integrity_algorithms=("SHA1", "SHA2-256"),
        phase2_encryption_algorithms=("AES256-GCM-16", "AES128"),
        phase2_integrity_algorithms=("SHA1", "SHA2-256"),
    )
    offered = offered_options(options, "ikev1", strongest_only=False)
    assert ike_proposals(offered) == "aes128-sha256-ecp521, aes128-sha1-ecp521"
    assert esp_proposals(offered) == "aes256gcm16-ecp521, aes128-sha256-ecp521, aes128-sha1-ecp521"


def test_ikev1_with_gcm_alone_in_phase_1_has_nothing_to_offer() -> None:
    options = TunnelOptions(phase1_encryption_algorithms=("AES128-GCM-16", "AES256-GCM-16"))
    with pytest.raises(NothingToOffer, match="which IKEv1 does not have"):
        offered_options(options, "ikev1", strongest_only=False)
