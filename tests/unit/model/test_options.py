"""The table of tunnel options: the defaults are valid, every broken rule is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twinbore.model.options import PRE_SHARED_KEY, TunnelOptions, problems


def test_defaults_are_valid() -> None:
    assert problems(TunnelOptions()) == []


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"ike_versions": ("ikev3",)}, "ike_versions", "ikev1"),
        ({"ike_versions": ()}, "ike_versions", "at least one"),
        ({"phase1_encryption_algorithms": ("DES",)}, "phase1_encryption_algorithms", "AES128-GCM-16"),
        ({"phase1_dh_group_numbers": (5,)}, "phase1_dh_group_numbers", "14"),
        ({"phase1_lifetime_seconds": 28801}, "phase1_lifetime_seconds", "900 to 28800"),
        ({"phase2_lifetime_seconds": 3601}, "phase2_lifetime_seconds", "900 to 3600"),
        ({"phase1_lifetime_seconds": 3600}, "phase2_lifetime_seconds", "less than"),
        ({"phase2_lifetime_seconds": 900, "rekey_margin_time_seconds": 451}, "rekey_margin_time_seconds", "450"),
        ({"replay_window_size": 63}, "replay_window_size", "64 to 2048"),
        ({"dpd_timeout_seconds": 29}, "dpd_timeout_seconds", "30"),
        ({"dpd_timeout_action": "hold"}, "dpd_timeout_action", "restart"),
        ({"startup_action": "start", "ike_versions": ("ikev1",)}, "startup_action", "ikev2"),
    ],
)
def test_every_broken_rule_is_named(changes: dict[str, object], field: str, words: str) -> None:
    found = problems(replace(TunnelOptions(), **changes))  # type: ignore[arg-type]
    assert [p.field for p in found] == [field]
    assert words in found[0].rule


@pytest.mark.parametrize(
    ("key", "valid"),
    [
        ("a" * 8, True),
        ("A.b_9" * 12, True),
        ("a" * 7, False),
        ("a" * 65, False),
        ("0bcdefgh", False),
        ("with space", False),
        ("abcdefgh\n", False),
    ],
)
def test_pre_shared_key_rule(key: str, valid: bool) -> None:
    assert (PRE_SHARED_KEY.match(key) is not None) is valid
