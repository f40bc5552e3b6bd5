"""The neutral model: what it takes from the connection, what from the site, and what a device cannot do."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from tests.unit.devices.samples import NOW, connection_view, view_for
from twinbore.devices.catalogue import DeviceType, device_types, find
from twinbore.devices.errors import DeviceCannot
from twinbore.devices.render import device_configuration, device_side
from twinbore.devices.side import CustomerSide
from twinbore.devices.view import ConnectionView
from twinbore.model.desired import Bfd
from twinbore.model.site import Site

GENERIC = find("9005b6c1")
WITH_BFD = [device for device in device_types() if device.bfd and "bgp" in device.routing]


def side(view: ConnectionView, site: Site | None = None, device: DeviceType | None = GENERIC) -> CustomerSide:
    assert device is not None
    return device_side(view, device, "ikev2", None, site=site or Site(), now=NOW)


def test_prefixes_to_announce_are_the_option_s_else_the_connection_s_else_none() -> None:
    narrow = connection_view()
    narrow = replace(narrow, connection=replace(narrow.connection, local_ipv4_network_cidr="10.9.0.0/16"))
    assert side(connection_view()).local_prefixes == ()
    assert side(narrow).local_prefixes == (IPv4Network("10.9.0.0/16"),)
    assert side(narrow, Site(announce=("10.8.0.0/16",))).local_prefixes == (IPv4Network("10.8.0.0/16"),)
    assert side(narrow, Site(announce=())).local_prefixes == ()
    assert GENERIC is not None
    assert side(view_for(GENERIC, "static")).local_prefixes == (IPv4Network("192.168.10.0/24"),)


def test_prefixes_of_the_cloud_are_the_selector_s_else_the_vpc_s() -> None:
    view = replace(connection_view(), cloud_prefixes=("10.0.0.0/16", "10.1.0.0/16"))
    assert list(map(str, side(view).remote_prefixes)) == ["10.0.0.0/16", "10.1.0.0/16"]
    narrow = replace(view, connection=replace(view.connection, remote_ipv4_network_cidr="10.0.5.0/24"))
    assert list(map(str, side(narrow).remote_prefixes)) == ["10.0.5.0/24"]


def test_a_default_route_is_apart_from_the_other_prefixes() -> None:
    made = side(connection_view(), Site(announce=("10.8.0.0/16", "0.0.0.0/0")))
    assert made.announces_default
    assert made.specific_prefixes == (IPv4Network("10.8.0.0/16"),)


@pytest.mark.parametrize(
    ("preferred", "first", "second"), [(1, (200, 100, 10), (100, 200, 20)), (2, (100, 200, 20), (200, 100, 10))]
)
def test_a_preferred_tunnel_is_so_both_ways(preferred: int, first: tuple[int, ...], second: tuple[int, ...]) -> None:
    one, two = side(connection_view(), Site(preferred_tunnel=preferred)).tunnels
    assert (one.local_preference, one.med, one.distance) == first
    assert (two.local_preference, two.med, two.distance) == second


def test_without_a_preference_both_tunnels_are_alike() -> None:
    one, two = side(connection_view(), Site(preferred_tunnel=0)).tunnels
    assert one.local_preference is one.med is two.local_preference is two.med is None
    assert one.distance == two.distance


def test_mtu_and_mss_follow_the_suite() -> None:
    (strongest, _), (oldest, _) = (
        device_side(connection_view(), GENERIC, "ikev2", kind, site=Site(), now=NOW).tunnels  # type: ignore[arg-type]
        for kind in (None, "compatibility")
    )
    assert (strongest.mtu, strongest.mss) == (1438, 1398)
    assert (oldest.mtu, oldest.mss) == (1422, 1382)


def test_a_policy_based_device_needs_to_know_both_sides() -> None:
    routeros = find("c41e7d58")
    with pytest.raises(DeviceCannot) as caught:
        side(connection_view(static=True), device=routeros)
    assert [change.split(" (")[0] for change in caught.value.changes] == [
        "give the networks behind the device",
        "give the networks of the cloud",
    ]


def test_a_device_without_bgp_needs_static_routes() -> None:
    with pytest.raises(DeviceCannot, match="StaticRoutesOnly to true"):
        side(connection_view(), device=find("c41e7d58"))


@pytest.mark.parametrize("device", WITH_BFD, ids=lambda device: device.id)
def test_bfd_stands_in_the_configuration_of_a_device_that_can(device: DeviceType) -> None:
    view = replace(view_for(device, "bgp"), bfd=Bfd(350, 7))
    version = device.ike_versions[-1]
    with_bfd = device_configuration(view, device.id, version, now=NOW)
    assert "350" in with_bfd
    assert "bfd" in with_bfd.lower()
    assert "350" not in device_configuration(view_for(device, "bgp"), device.id, version, now=NOW)
