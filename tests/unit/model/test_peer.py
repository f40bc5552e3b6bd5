"""Where a router is and how it calls itself, for each kind of customer gateway."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit import sample
from twinbore.model import resources as r
from twinbore.model.extensions import DNS_KEY, IDENTITY_KEY
from twinbore.model.peer import address_of, identity_of, is_at

FIXED = sample.world().customer_gateways[0]
NAMED = replace(FIXED, ip_address=None, resolved_address="198.51.100.7")
NOWHERE = replace(FIXED, ip_address=None)
DNS = {DNS_KEY: "router.example.net"}
IDENTITY = {IDENTITY_KEY: "router.example.net"}


@pytest.mark.parametrize(
    ("gateway", "options", "address", "identity"),
    [
        (FIXED, {}, "198.51.100.1", "198.51.100.1"),
        (FIXED, IDENTITY, "198.51.100.1", "router.example.net"),
        (NAMED, DNS, "198.51.100.7", None),
        (NAMED, DNS | IDENTITY, "198.51.100.7", "router.example.net"),
        (NAMED, IDENTITY, None, "router.example.net"),
        (NOWHERE, DNS, None, None),
        (NOWHERE, IDENTITY, None, "router.example.net"),
    ],
)
def test_address_and_identity(
    gateway: r.CustomerGateway, options: dict[str, str], address: str | None, identity: str | None
) -> None:
    assert (address_of(gateway, options), identity_of(gateway, options)) == (address, identity)


def test_gateways_without_an_address_of_their_own_are_one_peer() -> None:
    assert is_at(NAMED, None) and is_at(NOWHERE, None) and not is_at(FIXED, None)
    assert is_at(NAMED, "198.51.100.7") and is_at(FIXED, "198.51.100.1")
    assert not is_at(NOWHERE, "198.51.100.7")
