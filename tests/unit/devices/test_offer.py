"""What a device offers, out of what the tunnel allows and the device can do."""

from __future__ import annotations

import pytest

from twinbore.devices.capabilities import Algorithms, is_aead
from twinbore.devices.offer import (
    ENCRYPTION_BY_AGE,
    ENCRYPTION_BY_STRENGTH,
    GROUPS_BY_AGE,
    GROUPS_BY_STRENGTH,
    INTEGRITY_BY_STRENGTH,
    NothingInCommon,
    Offer,
    offer,
)
from twinbore.model.options import (
    ENCRYPTION_ALGORITHMS,
    INTEGRITY_ALGORITHMS,
    PHASE1_DH_GROUPS,
    PHASE2_DH_GROUPS,
    TunnelOptions,
)

EVERYTHING = Algorithms(
    frozenset(ENCRYPTION_ALGORITHMS), frozenset(INTEGRITY_ALGORITHMS), frozenset(PHASE1_DH_GROUPS + PHASE2_DH_GROUPS)
)
OLD = Algorithms(frozenset({"AES128", "AES256"}), frozenset({"SHA1", "SHA2-256"}), frozenset({2, 5, 14}))


def suites(made: Offer) -> tuple[tuple[str, str, int], tuple[str, str, int]]:
    return (
        (made.phase1.encryption, made.phase1.integrity, made.phase1.group),
        (made.phase2.encryption, made.phase2.integrity, made.phase2.group),
    )


def test_every_algorithm_of_the_tunnel_options_has_a_rank() -> None:
    assert sorted(ENCRYPTION_BY_STRENGTH) == sorted(ENCRYPTION_BY_AGE) == sorted(ENCRYPTION_ALGORITHMS)
    assert sorted(INTEGRITY_BY_STRENGTH) == sorted(INTEGRITY_ALGORITHMS)
    assert sorted(GROUPS_BY_STRENGTH) == sorted(GROUPS_BY_AGE) == sorted(set(PHASE1_DH_GROUPS) | set(PHASE2_DH_GROUPS))


@pytest.mark.parametrize(
    ("device", "sample_type", "phase1", "phase2"),
    [
        (EVERYTHING, None, ("AES256-GCM-16", "SHA2-512", 20), ("AES256-GCM-16", "SHA2-512", 20)),
        (EVERYTHING, "recommended", ("AES256-GCM-16", "SHA2-512", 20), ("AES256-GCM-16", "SHA2-512", 20)),
        (EVERYTHING, "compatibility", ("AES128", "SHA1", 2), ("AES128", "SHA1", 2)),
        (OLD, None, ("AES256", "SHA2-256", 14), ("AES256", "SHA2-256", 14)),
        (OLD, "compatibility", ("AES128", "SHA1", 2), ("AES128", "SHA1", 2)),
    ],
)
def test_the_sample_type_decides_which_of_the_common_suites(
    device: Algorithms, sample_type: str | None, phase1: tuple[str, str, int], phase2: tuple[str, str, int]
) -> None:
    assert suites(offer(TunnelOptions(), (device, device), sample_type)) == (phase1, phase2)


def test_the_strongest_is_one_that_the_connection_allows() -> None:
    options = TunnelOptions(
        phase1_encryption_algorithms=("AES128",),
        phase1_integrity_algorithms=("SHA1", "SHA2-256"),
        phase1_dh_group_numbers=(2, 14),
        phase2_encryption_algorithms=("AES128", "AES256"),
        phase2_integrity_algorithms=("SHA1",),
        phase2_dh_group_numbers=(5,),
    )
    made = offer(options, (EVERYTHING, EVERYTHING), None)
    assert suites(made) == (("AES128", "SHA2-256", 14), ("AES256", "SHA1", 5))


def test_all_that_has_to_be_changed_is_named_at_once() -> None:
    options = TunnelOptions(
        phase1_encryption_algorithms=("AES256-GCM-16",),
        phase1_dh_group_numbers=(20, 21),
        phase2_integrity_algorithms=("SHA2-512",),
    )
    with pytest.raises(NothingInCommon) as caught:
        offer(options, (OLD, OLD), None)
    assert caught.value.changes == (
        "Phase1EncryptionAlgorithms to allow one of AES256, AES128 (now AES256-GCM-16)",
        "Phase1DHGroupNumbers to allow one of 14, 5, 2 (now 20, 21)",
        "Phase2IntegrityAlgorithms to allow one of SHA2-256, SHA1 (now SHA2-512)",
    )


def test_recommended_never_has_what_is_out_of_date() -> None:
    options = TunnelOptions(phase1_integrity_algorithms=("SHA1",), phase2_dh_group_numbers=(2, 5, 24))
    with pytest.raises(NothingInCommon) as caught:
        offer(options, (EVERYTHING, EVERYTHING), "recommended")
    assert [change.split()[0] for change in caught.value.changes] == [
        "Phase1IntegrityAlgorithms",
        "Phase2DHGroupNumbers",
    ]


def test_gcm_in_phase_2_needs_no_common_integrity_algorithm() -> None:
    device = Algorithms(frozenset({"AES256-GCM-16"}), frozenset({"SHA1"}), frozenset({14}))
    options = TunnelOptions(phase2_integrity_algorithms=("SHA2-512",))
    made = offer(options, (EVERYTHING, device), None)
    assert is_aead(made.phase2.encryption)
    assert made.phase2.is_gcm


def test_sizes_of_a_suite() -> None:
    made = offer(TunnelOptions(dpd_timeout_seconds=45), (OLD, OLD), "compatibility")
    assert (made.phase1.key_bits, made.phase1.hash_bits, made.dpd_interval, made.dpd_retries) == (128, 160, 10, 4)
    assert (made.phase1.lifetime_seconds, made.phase2.lifetime_seconds) == (28800, 3600)
