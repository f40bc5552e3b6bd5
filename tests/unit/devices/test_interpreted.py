"""What interpreters of the vendors' syntax read out of configurations is what the connection says."""

from __future__ import annotations

import pytest

from tests.devices.interpreters import OF_TYPE
from tests.devices.settings import INSIDE, DeviceSettings, Proposal
from tests.unit.devices.cases import ALL, Case, usual
from tests.unit.devices.samples import CLOUD, KEYS, LAN, NOW, view_for
from twinbore.devices.catalogue import find
from twinbore.devices.errors import DeviceCannot
from twinbore.devices.offer import Suite
from twinbore.devices.render import device_side
from twinbore.model.site import Site

INTERPRETED = [case for case in ALL if case.device.id in OF_TYPE]
CIPHERS = {
    "AES128": "aes128",
    "AES256": "aes256",
    "AES128-GCM-16": "aes128gcm16",
    "AES256-GCM-16": "aes256gcm16",
}
DIGESTS = {"SHA1": "sha1", "SHA2-256": "sha256", "SHA2-384": "sha384", "SHA2-512": "sha512"}
GROUPS = {
    2: "modp1024",
    5: "modp1536",
    14: "modp2048",
    15: "modp3072",
    16: "modp4096",
    17: "modp6144",
    18: "modp8192",
    19: "ecp256",
    20: "ecp384",
    21: "ecp521",
    22: "modp1024s160",
    23: "modp2048s224",
    24: "modp2048s256",
}

every_case = pytest.mark.parametrize("case", INTERPRETED, ids=str)
every_usual_case = pytest.mark.parametrize(
    "case", [usual(device) for device in map(find, OF_TYPE) if device is not None], ids=str
)
every_bgp_case = pytest.mark.parametrize(
    "case",
    [usual(device, "bgp") for device in map(find, OF_TYPE) if device is not None and "bgp" in device.routing],
    ids=str,
)


def read(case: Case, site: Site | None = None, **changes: str) -> DeviceSettings:
    return OF_TYPE[case.device.id](case.text(site, **changes))


def proposal(suite: Suite, phase: int) -> Proposal:
    digest = DIGESTS[suite.integrity]
    if suite.is_gcm:
        return Proposal(CIPHERS[suite.encryption], None, digest if phase == 1 else None, GROUPS[suite.group])
    return Proposal(CIPHERS[suite.encryption], digest, None, GROUPS[suite.group])


@every_case
def test_tunnels_are_the_connection_s(case: Case) -> None:
    settings = read(case)
    view = view_for(case.device, case.routing)
    side = device_side(view, case.device, case.ike_version, case.sample_type, site=Site(announce=(LAN,)), now=NOW)
    assert [t.peer for t in settings.tunnels] == ["203.0.113.10", "198.51.100.10"]
    assert [t.pre_shared_key for t in settings.tunnels] == list(KEYS)
    if case.device.mode == "route":
        assert [t.inside for t in settings.tunnels] == ["169.254.10.2/30", "169.254.20.6/30"]
        assert [t.remote_inside for t in settings.tunnels] == ["169.254.10.1", "169.254.20.5"]
    for read_one, expected in zip(settings.tunnels, side.tunnels, strict=True):
        assert read_one.ike_version == int(case.ike_version.removeprefix("ikev"))
        assert read_one.ike == (proposal(expected.phase1, 1),)
        assert read_one.esp == (proposal(expected.phase2, 2),)
        assert (read_one.ike_lifetime, read_one.esp_lifetime) == (28800, 3600)
        assert read_one.dpd_interval in {None, 10}
        assert read_one.local_id in {None, "192.0.2.2"}
        assert read_one.mss is None or read_one.mss <= expected.mss
        assert read_one.mtu is None or read_one.mtu <= expected.mtu


@every_case
def test_traffic_passes_both_ways_and_is_not_translated(case: Case) -> None:
    settings = read(case)
    for tunnel in settings.active:
        assert {(INSIDE, tunnel.name), (tunnel.name, INSIDE)} <= settings.permitted
    assert not settings.source_nat


@every_case
def test_routing_is_the_connection_s_and_tunnel_1_is_preferred(case: Case) -> None:
    settings = read(case)
    first, second = (tunnel.name for tunnel in settings.tunnels)
    if case.device.mode == "policy":
        assert [tunnel.standby for tunnel in settings.tunnels] == [False, True]
        assert [(t.local_selector, t.remote_selector) for t in settings.tunnels] == [(LAN, CLOUD[0])] * 2
        assert [(route.prefix, route.tunnel) for route in settings.static_routes] == [(CLOUD[0], first)]
        return
    if case.routing == "static":
        assert settings.bgp is None
        routes = {(route.prefix, route.tunnel): route.preference for route in settings.static_routes}
        assert routes.keys() == {(prefix, name) for prefix in CLOUD for name in (first, second)}
        assert all(routes[prefix, first] < routes[prefix, second] for prefix in CLOUD)
        return
    bgp = settings.bgp
    assert bgp is not None
    assert settings.static_routes == ()
    assert bgp.asn == 65000
    assert bgp.networks == (LAN,)
    assert [n.address for n in bgp.neighbors] == ["169.254.10.1", "169.254.20.5"]
    for neighbor in bgp.neighbors:
        assert (neighbor.remote_asn, neighbor.keepalive, neighbor.hold) == (64512, 10, 30)
        assert neighbor.announce in {None, (LAN,)}
        assert not neighbor.default_originate
        assert neighbor.password is None
    one, two = bgp.neighbors
    assert not case.device.local_preference or (one.local_preference or 100) > (two.local_preference or 100)
    assert (one.med or 0) < (two.med or 0)


@every_bgp_case
def test_nothing_is_announced_that_was_not_asked_for(case: Case) -> None:
    bgp = read(case, Site()).bgp
    assert bgp is not None
    assert bgp.networks == ()
    assert not any(neighbor.default_originate or neighbor.announce for neighbor in bgp.neighbors)


@every_bgp_case
def test_a_default_route_is_announced_when_it_is_asked_for(case: Case) -> None:
    bgp = read(case, Site(announce=(LAN, "0.0.0.0/0"))).bgp
    assert bgp is not None
    assert all(n.default_originate or "0.0.0.0/0" in bgp.networks for n in bgp.neighbors)
    assert all(n.announce is None or set(n.announce) == {LAN, "0.0.0.0/0"} for n in bgp.neighbors)


@every_bgp_case
def test_a_password_is_that_of_its_session(case: Case) -> None:
    if case.device.bgp_password:
        bgp = read(case, bgp_password="s3cret").bgp
        assert bgp is not None
        assert [n.password for n in bgp.neighbors] == ["s3cret", None]


@every_bgp_case
def test_the_second_tunnel_or_none_can_be_preferred(case: Case) -> None:
    if not case.device.local_preference:
        with pytest.raises(DeviceCannot, match="preferred-tunnel to 1"):
            read(case, Site(announce=(LAN,), preferred_tunnel=2))
        return
    bgp = read(case, Site(announce=(LAN,), preferred_tunnel=2)).bgp
    assert bgp is not None
    one, two = bgp.neighbors
    assert (one.local_preference or 100) < (two.local_preference or 100)
    assert (one.med or 0) > (two.med or 0)
    bgp = read(case, Site(announce=(LAN,), preferred_tunnel=0)).bgp
    assert bgp is not None
    one, two = bgp.neighbors
    assert (one.local_preference, one.med) == (two.local_preference, two.med)


@every_usual_case
def test_translation_is_on_when_it_is_asked_for(case: Case) -> None:
    assert read(case, Site(announce=(LAN,), nat=True)).source_nat


@every_usual_case
def test_a_device_behind_nat_says_who_it_is(case: Case) -> None:
    settings = read(case, Site(announce=(LAN,), behind_nat=True))
    assert [tunnel.local_id for tunnel in settings.tunnels] == ["192.0.2.2", "192.0.2.2"]
    assert [tunnel.local_address for tunnel in settings.tunnels] == [None, None]
