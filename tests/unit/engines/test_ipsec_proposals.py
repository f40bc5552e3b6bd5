"""Proposals: what charon is offered for every choice of options, and charon's names back in AWS's spelling."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.engines.ipsec import proposals as p
from twinbore.model import options as o

DEFAULTS = o.TunnelOptions()


def chosen(**changes: object) -> o.TunnelOptions:
    return replace(DEFAULTS, **changes)  # type: ignore[arg-type]


def test_defaults_for_ikev2_are_two_compact_proposals() -> None:
    groups = (
        "ecp384-ecp521-ecp256-modp4096-modp3072-modp2048-modp6144-modp8192-modp2048s256-modp2048s224-"
        "modp1024s160-modp1024"
    )
    assert p.ike_proposals(DEFAULTS, p.EVERYTHING, 2) == [
        f"aes256gcm16-aes128gcm16-prfsha512-prfsha384-prfsha256-prfsha1-{groups}",
        f"aes256-aes128-sha512-sha384-sha256-sha1-{groups}",
    ]
    esp_groups = groups.replace("modp2048s224-", "modp2048s224-modp1536-")
    assert p.esp_proposals(DEFAULTS, p.EVERYTHING, 2) == [
        f"aes256gcm16-aes128gcm16-{esp_groups}",
        f"aes256-aes128-sha512-sha384-sha256-sha1-{esp_groups}",
    ]


def test_every_algorithm_of_the_model_has_a_keyword() -> None:
    assert set(p.AEAD) | set(p.CIPHERS) == set(o.ENCRYPTION_ALGORITHMS)
    assert set(p.INTEGRITY) == set(o.INTEGRITY_ALGORITHMS)
    assert set(p.GROUPS) == set(o.PHASE1_DH_GROUPS) | set(o.PHASE2_DH_GROUPS)


def test_ikev1_is_written_out_because_charon_proposes_only_the_first_of_each_kind() -> None:
    options = chosen(
        phase1_encryption_algorithms=("AES128", "AES256"),
        phase1_integrity_algorithms=("SHA1", "SHA2-256"),
        phase1_dh_group_numbers=(2, 14),
    )
    assert p.ike_proposals(options, p.EVERYTHING, 1) == [
        "aes256-sha256-modp2048",
        "aes256-sha256-modp1024",
        "aes256-sha1-modp2048",
        "aes256-sha1-modp1024",
        "aes128-sha256-modp2048",
        "aes128-sha256-modp1024",
        "aes128-sha1-modp2048",
        "aes128-sha1-modp1024",
    ]


def test_ikev1_phase_2_keeps_aead_ciphers_but_phase_1_has_none() -> None:
    only_gcm = chosen(
        phase1_encryption_algorithms=("AES256-GCM-16",),
        phase2_encryption_algorithms=("AES256-GCM-16",),
        phase2_dh_group_numbers=(14, 20),
    )
    assert p.esp_proposals(only_gcm, p.EVERYTHING, 1) == ["aes256gcm16-ecp384", "aes256gcm16-modp2048"]
    with pytest.raises(p.NoProposal, match=r"phase1_encryption_algorithms AES256-GCM-16: IKEv1 has no AEAD"):
        p.ike_proposals(only_gcm, p.EVERYTHING, 1)


def test_groups_that_charon_lacks_are_left_out_and_none_left_is_an_error() -> None:
    old = chosen(phase1_dh_group_numbers=(22, 23, 14), phase2_dh_group_numbers=(22, 23, 24))
    modern = p.Support(frozenset({14, 20}))
    assert all(text.endswith("-modp2048") for text in p.ike_proposals(old, modern, 2))
    with pytest.raises(p.NoProposal) as caught:
        p.esp_proposals(old, modern, 2)
    assert str(caught.value) == (
        "phase2_dh_group_numbers 22, 23, 24: the charon of this host has none of these Diffie-Hellman groups; "
        "it has 14, 20"
    )


@pytest.mark.parametrize("key", ["dh", "ke"])
def test_support_is_read_from_either_strongswan_5_or_6(key: str) -> None:
    answer = {key: {"MODP_2048": "openssl", "ECP_384": "openssl", "CURVE_25519": "openssl"}, "prf": {}}
    assert p.Support.from_algorithms(answer).groups == {14, 20}


def subsets(values: tuple[object, ...]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


@given(
    encryption=subsets(o.ENCRYPTION_ALGORITHMS),
    integrity=subsets(o.INTEGRITY_ALGORITHMS),
    groups=subsets(o.PHASE2_DH_GROUPS),
)
def test_both_forms_allow_exactly_the_combinations_that_the_options_allow(encryption, integrity, groups) -> None:
    options = chosen(
        phase2_encryption_algorithms=encryption, phase2_integrity_algorithms=integrity, phase2_dh_group_numbers=groups
    )
    expected = set()
    for name, group in product(encryption, groups):
        keyword = p.GROUPS[group]
        if name in p.AEAD:
            expected.add((p.AEAD[name], keyword))
        else:
            expected |= {(p.CIPHERS[name], p.INTEGRITY[hash_], keyword) for hash_ in integrity}
    written_out = [tuple(text.split("-")) for text in p.esp_proposals(options, p.EVERYTHING, 1)]
    assert set(written_out) == expected
    assert len(written_out) == len(expected)
    compact = [combination for text in p.esp_proposals(options, p.EVERYTHING, 2) for combination in expand(text)]
    assert set(compact) == expected
    assert len(p.esp_proposals(options, p.EVERYTHING, 2)) <= 2


def expand(text: str) -> list[tuple[str, ...]]:
    words = text.split("-")
    kinds = [set(p.AEAD.values()) | set(p.CIPHERS.values()), set(p.INTEGRITY.values())]
    groups = [word for word in words if not any(word in kind for kind in kinds)]
    alternatives = [[word for word in words if word in kind] for kind in kinds] + [groups]
    return list(product(*(kind for kind in alternatives if kind)))


@pytest.mark.parametrize(
    ("algorithm", "size", "name"),
    [
        ("AES_CBC", "128", "AES128"),
        ("AES_CBC", "256", "AES256"),
        ("AES_GCM_16", "128", "AES128-GCM-16"),
        ("AES_GCM_16", "256", "AES256-GCM-16"),
        ("CHACHA20_POLY1305", None, "CHACHA20_POLY1305"),
        ("AES_CBC", "192", "AES_CBC-192"),
        (None, None, None),
    ],
)
def test_encryption_in_aws_spelling(algorithm: str | None, size: str | None, name: str | None) -> None:
    assert p.encryption_name(algorithm, size) == name


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        ("HMAC_SHA1_96", "SHA1"),
        ("HMAC_SHA2_256_128", "SHA2-256"),
        ("HMAC_SHA2_384_192", "SHA2-384"),
        ("HMAC_SHA2_512_256", "SHA2-512"),
        ("AES_XCBC_96", "AES_XCBC_96"),
        (None, None),
    ],
)
def test_integrity_in_aws_spelling(algorithm: str | None, name: str | None) -> None:
    assert p.integrity_name(algorithm) == name


@pytest.mark.parametrize(("name", "number"), [("MODP_2048", 14), ("ECP_521", 21), ("CURVE_25519", None), (None, None)])
def test_group_numbers(name: str | None, number: int | None) -> None:
    assert p.group_number(name) == number
