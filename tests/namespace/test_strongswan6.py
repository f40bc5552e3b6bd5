"""twinbore-esp and its shim under strongSwan 6, which is Debian 13's; peers are the same, and Debian 12's charon.

`make test-strongswan6` fetches it below build/strongswan6 and runs this; without that directory the tests are skipped.
What is new in version 6 for us is how it programs the kernel: it asks more, and says more about an SA.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.namespace.esp_site import (
    CHILD,
    DAEMON,
    Child,
    Pair,
    Site,
    StockSite,
    UserSite,
    both_ways,
    eventually,
    prepared,
    renegotiate,
)
from tests.namespace.test_esp_charon import NAT, port
from twinbore.lab.namespaces import run

ROOT = Path(__file__).parents[2] / "build" / "strongswan6"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.skipif(not ROOT.exists(), reason="strongSwan 6 is not here: make test-strongswan6 fetches it"),
    pytest.mark.timeout(60),
]

CHILDREN = (
    Child("aes128gcm16"),
    Child("aes256-sha512", encap=False, replay_window=2048),
    Child("aes256gcm16-esn", encap=False, replay_window=64),
    Child("aes128-sha256-esn", replay_window=128),
)


@pytest.fixture
def ends(peer: str, tmp_path: Path) -> Iterator[tuple[UserSite, Site]]:
    with ExitStack() as stack:
        pair = Pair(tmp_path, stack)
        a = pair.user("a", 1)
        b: Site = pair.stock("b", 2) if "stock" in peer else pair.user("b", 2)
        a.charon.root = ROOT
        if peer == "6":
            b.charon.root = ROOT
        stack.enter_context(prepared(a, b, CHILDREN[0]))
        yield a, b


def refusals(*sites: Site) -> list[str]:
    """What the daemons have refused to charon."""
    logs = [site.daemon_log() for site in sites if isinstance(site, UserSite)]
    return [line for log in logs for line in log.splitlines() if "refused" in line]


@pytest.mark.parametrize("peer", ["stock 5.9", "5.9", "6"])
def test_a_tunnel_is_made_used_rekeyed_and_deleted(ends: tuple[UserSite, Site]) -> None:
    a, b = ends
    assert a.charon.session().version()["version"].startswith(b"6.")
    a.initiate()
    stock = isinstance(b, StockSite)
    if isinstance(b, StockSite):
        b.route(a)
    for child in CHILDREN[: 1 if stock else None]:
        renegotiate(a, b, child)
        assert both_ways(a, b, fragmented=1300 if stock else 3000)
        (inbound,) = [sa for sa in a.sas() if sa["direction"] == "in"]
        assert (inbound["replay_window"], inbound["esn"]) == (child.replay_window, "esn" in child.proposal)
        assert inbound["if_id"] == a.if_id
    for site in (a, b):
        before = site.spis()
        site.rekey("child", CHILD)
        eventually(lambda: len(a.spis()) == 1 and not site.spis() & before, 10, "one new child SA")  # noqa: B023
        assert both_ways(a, b, fragmented=1300 if stock else 3000)
        ike = site.ike_ids()
        site.rekey("ike", "gw")
        eventually(lambda: len(site.ike_ids()) == 1 and not site.ike_ids() & ike, 10, "one new IKE SA")  # noqa: B023
    # A moved peer makes charon read both SAs, and install them with all their attributes again.
    run(["nft", "-f", "-"], namespace=a.underlay, text=NAT)
    b.ping(a)
    eventually(lambda: {port(sa) for sa in a.sas()} == {14500}, 5, "the new port is in both SAs")
    assert both_ways(a, b, fragmented=1300 if stock else 3000)
    # What charon tells about an SA's traffic is what the daemon counts.
    (child_sa,) = a.children()
    assert int(child_sa["packets-in"]) > 0
    a.terminate()
    eventually(lambda: a.sas() == [], 10, "no SAs")
    assert a.control("stats")["xfrm"]["policies"] == 0
    assert refusals(a, b) == []


@pytest.mark.parametrize("peer", ["6"])
def test_lifetimes_traps_and_the_end_of_charon(ends: tuple[UserSite, Site]) -> None:
    a, b = ends
    child = Child(rekey_time=2, life_time=8, start_action="trap", selectors=("0.0.0.0/0",))
    a.load(b, child)
    b.load(a, child)
    eventually(lambda: a.control("stats")["xfrm"]["policies"] == 3, 5, "the trap's policies")
    a.ping(b, count=1)
    eventually(lambda: {sa["direction"] for sa in a.sas()} == {"in", "out"}, 10, "an SA for the packet")
    first = a.spis()
    eventually(lambda: not a.spis() & first, 8, "a rekey at the soft lifetime")
    a.charon.kill()
    assert a.ping(b)
    a.charon.start()
    a.load(b, Child())
    b.load(a, Child())
    a.initiate()
    eventually(lambda: {sa["orphan"] for sa in a.sas()} == {False}, 15, "orphans are collected")
    assert both_ways(a, b)
    assert refusals(a, b) == []
