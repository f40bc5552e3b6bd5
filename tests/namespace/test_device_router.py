"""The driver of device settings, on settings written by hand: it must see what works, and what does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, StaticRoute, Tunnel
from tests.namespace.device_router import Site, assert_works, running, site
from tests.namespace.gateway_standin import VPC_ADDRESS, VPC_PREFIX
from tests.unit.devices.samples import KEYS
from twinbore.lab.probe import Probe
from twinbore.lab.topology import CUSTOMER_ADDRESS, LAN_PREFIX

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

OLD = Proposal("aes128", "sha1", None, "modp1024")
USUAL = Proposal("aes256", "sha256", None, "modp2048")
BOTH_WAYS = frozenset({(INSIDE, "one"), ("one", INSIDE), (INSIDE, "two"), ("two", INSIDE)})


def device(ike_version: int, routing: str, ike: Proposal, esp: Proposal) -> DeviceSettings:
    first = Tunnel(
        name="one",
        peer="203.0.113.10",
        pre_shared_key=KEYS[0],
        ike_version=ike_version,
        ike=(ike,),
        esp=(esp,),
        ike_lifetime=28800,
        esp_lifetime=3600,
        inside="169.254.10.2/30",
        remote_inside="169.254.10.1",
        local_id=CUSTOMER_ADDRESS,
        dpd_interval=10,
        mss=1350,
    )
    second = replace(
        first,
        name="two",
        peer="198.51.100.10",
        pre_shared_key=KEYS[1],
        inside="169.254.20.6/30",
        remote_inside="169.254.20.5",
    )
    if routing == "static":
        routes = (StaticRoute(VPC_PREFIX, "one", 10), StaticRoute(VPC_PREFIX, "two", 20))
        return DeviceSettings((first, second), static_routes=routes, permitted=BOTH_WAYS)
    neighbors = (
        Neighbor("169.254.10.1", 64512, 10, 30, local_preference=200, med=100, announce=(LAN_PREFIX,)),
        Neighbor("169.254.20.5", 64512, 10, 30, local_preference=100, med=200, announce=(LAN_PREFIX,)),
    )
    return DeviceSettings((first, second), Bgp(65000, neighbors, (LAN_PREFIX,)), permitted=BOTH_WAYS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(f"tbd{os.getpid():x}", tmp_path_factory.mktemp("devices")) as lab:
        yield lab


@pytest.mark.parametrize("routing", ["bgp", "static"])
@pytest.mark.parametrize(
    ("ike_version", "ike", "esp"),
    [
        (2, Proposal("aes256gcm16", None, "sha512", "ecp384"), Proposal("aes256gcm16", None, None, "ecp384")),
        (1, USUAL, USUAL),
        (2, OLD, OLD),
    ],
)
def test_what_is_right_works(made: Site, routing: str, ike_version: int, ike: Proposal, esp: Proposal) -> None:
    assert_works(made, device(ike_version, routing, ike, esp), announced={LAN_PREFIX}, preferred="one")


def test_a_default_route_is_announced_when_it_is_originated_and_a_network_without_a_route_is_not(made: Site) -> None:
    usual = device(2, "bgp", USUAL, USUAL)
    assert usual.bgp is not None
    everything = (LAN_PREFIX, "10.77.0.0/16", "0.0.0.0/0")
    neighbors = tuple(replace(n, default_originate=True, announce=everything) for n in usual.bgp.neighbors)
    settings = replace(usual, bgp=replace(usual.bgp, neighbors=neighbors, networks=(LAN_PREFIX, "10.77.0.0/16")))
    assert_works(made, settings, announced={LAN_PREFIX, "0.0.0.0/0"}, preferred="one")


def test_the_other_tunnel_can_be_preferred(made: Site) -> None:
    usual = device(2, "bgp", USUAL, USUAL)
    assert usual.bgp is not None
    first, second = usual.bgp.neighbors
    neighbors = (replace(first, local_preference=100), replace(second, local_preference=200))
    settings = replace(usual, bgp=replace(usual.bgp, neighbors=neighbors))
    assert_works(made, settings, announced={LAN_PREFIX}, preferred="two")


def test_a_wrong_key_is_seen(made: Site) -> None:
    usual = device(2, "static", USUAL, USUAL)
    wrong = replace(usual, tunnels=(replace(usual.tunnels[0], pre_shared_key="wrong"), usual.tunnels[1]))
    with pytest.raises(AssertionError, match=r"one is up\n(.|\n)*AUTH_FAILED"):
        assert_works(made, wrong, announced=set(), preferred="one", seconds=2)


def test_a_firewall_without_a_policy_lets_nothing_pass(made: Site) -> None:
    closed = replace(device(2, "static", USUAL, USUAL), permitted=frozenset({("one", INSIDE), ("two", INSIDE)}))
    with running(made, closed):
        assert Probe(made.lab.name("lan"), VPC_ADDRESS, count=5).wait().lost == 5
