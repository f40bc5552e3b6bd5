"""Suites as strongSwan's proposals."""

from __future__ import annotations

import pytest

from twinbore.devices.offer import Suite
from twinbore.devices.strongswan import esp_proposal, ike_proposal


@pytest.mark.parametrize(
    ("suite", "ike", "esp"),
    [
        (Suite("AES256-GCM-16", "SHA2-384", 20, 28800), "aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"),
        (Suite("AES128", "SHA1", 2, 28800), "aes128-sha1-modp1024", "aes128-sha1-modp1024"),
        (Suite("AES256", "SHA2-512", 24, 28800), "aes256-sha512-modp2048s256", "aes256-sha512-modp2048s256"),
    ],
)
def test_a_suite_is_a_proposal(suite: Suite, ike: str, esp: str) -> None:
    assert (ike_proposal(suite), esp_proposal(suite)) == (ike, esp)
