"""Every suite of AWS's list as IKE negotiates it, in every kind of tunnel, against ourselves and against a stock peer.

The whole product would be 21 suites × 2 (ESN) × 4 (replay windows) × 2 (UDP) × 2 (outside family) cases. What is tried
is every suite with every value of ESN, UDP and outside family, every pair of values of the other parameters, and each
case carries IPv4 and IPv6. The replay window is left out of the pairs with suites: it never sees one.

One pair of sites for each outside family is kept for all cases; a case is a negotiation between them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.namespace.esp_site import DAEMON, Child, Pair, UserSite, both_ways, renegotiate

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(60),
    pytest.mark.xdist_group("esp-matrix"),
]

KEYS = (128, 192, 256)
GCM = {f"aes{key}gcm{icv}": f"aes-gcm-{icv}-{key}" for key in KEYS for icv in (8, 12, 16)}
AUTH = {"sha1": "sha1-96", "sha256": "sha256-128", "sha384": "sha384-192", "sha512": "sha512-256"}
CBC = {f"aes{key}-{auth}": f"aes-cbc-{key}-hmac-{full}" for key in KEYS for auth, full in AUTH.items()}
SUITES = GCM | CBC
"""charon's name → the daemon's."""
FIRST = "aes128gcm16"
WINDOWS = (64, 128, 1024, 2048)


@dataclass(frozen=True)
class Case:
    proposal: str
    esn: bool
    encap: bool
    version: int
    window: int

    def __str__(self) -> str:
        names = ("esn" if self.esn else "noesn", "udp" if self.encap else "esp", f"ipv{self.version}")
        return "-".join((self.proposal, *names, str(self.window)))

    def child(self) -> Child:
        return Child(self.proposal + ("-esn" if self.esn else ""), encap=self.encap, replay_window=self.window)


def cases() -> list[Case]:
    """Two cases for each suite, one the opposite of the other, ordered by outside family."""
    made = []
    for number, proposal in enumerate(SUITES):
        esn, encap = bool(number & 1), bool(number & 2)
        window = WINDOWS[(number + number // 4) % 4]
        made.append(Case(proposal, esn, encap, 4, window))
        made.append(Case(proposal, not esn, not encap, 6, WINDOWS[(number + number // 4 + 2) % 4]))
    return sorted(made, key=lambda case: case.version)


Sites = Callable[[int], tuple[UserSite, Any]]
"""Gives the pair of an outside family."""


def _cached(factory: pytest.TempPathFactory, make: Callable[[Pair, int], tuple[UserSite, Any]]) -> Iterator[Sites]:
    with ExitStack() as stack:

        @cache
        def of(version: int) -> tuple[UserSite, Any]:
            return make(Pair(factory.mktemp("sites"), stack), version)

        yield of


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    yield from _cached(tmp_path_factory, lambda pair, version: pair.users(Child(FIRST), version=version))


@pytest.fixture(scope="module")
def with_stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    yield from _cached(tmp_path_factory, lambda pair, version: pair.user_and_stock(Child(FIRST), version=version))


def test_the_cases_have_every_pair() -> None:
    every = cases()
    for one, other in itertools.combinations(("esn", "encap", "version", "window"), 2):
        seen = {(getattr(case, one), getattr(case, other)) for case in every}
        assert len(seen) == {"window": 8}.get(other, 4), (one, other, seen)
    for factor in ("esn", "encap", "version"):
        assert {(case.proposal, getattr(case, factor)) for case in every} == {
            (proposal, value) for proposal in SUITES for value in {getattr(case, factor) for case in every}
        }


@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_suite_and_transport(users: Sites, case: Case) -> None:
    a, b = users(case.version)
    renegotiate(a, b, case.child())
    before = a.drops(), b.drops()
    assert both_ways(a, b)
    for site in (a, b):
        assert {sa["suite"] for sa in site.sas()} == {SUITES[case.proposal]}
        assert {sa["direction"] for sa in site.sas()} == {"in", "out"}
        assert {sa["encap"] is not None for sa in site.sas()} == {case.encap}
        (inbound,) = [sa for sa in site.sas() if sa["direction"] == "in"]
        assert (inbound["replay_window"], inbound["esn"]) == (case.window, case.esn)
    assert (a.drops(), b.drops()) == before


@pytest.mark.parametrize(("proposal", "version"), [(name, (4, 6)[number % 2]) for number, name in enumerate(SUITES)])
def test_a_stock_peer(with_stock: Sites, proposal: str, version: int) -> None:
    a, b = with_stock(version)
    renegotiate(a, b, Child(proposal))
    before = a.drops()
    assert both_ways(a, b, fragmented=1300)
    assert {sa["suite"] for sa in a.sas()} == {SUITES[proposal]}
    assert a.drops() == before
