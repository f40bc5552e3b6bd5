"""Customer gateways without a fixed address: known by a DNS name or an IKE identity, which tags say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import ADDRESS, connect, customer_gateway, described, refused, vpn_gateway
from twinbore.model import resources as r
from twinbore.model.settings import Settings
from twinbore.planner.gateways import HostFacts
from twinbore.planner.plan import plan
from twinbore.store.snapshot import load_snapshot

DNS, IDENTITY = "twinbore:dns-name", "twinbore:ike-identity"
GENERIC = "9005b6c1"


@pytest.fixture
def settings() -> Settings:
    return Settings(outside_pool_a=("203.0.113.0/30",), outside_pool_b=("198.51.100.0/30",))


def tagged(**given: str) -> list[dict[str, Any]]:
    pairs = [{"Key": {"dns": DNS, "identity": IDENTITY}.get(key, key), "Value": value} for key, value in given.items()]
    return [{"ResourceType": "customer-gateway", "Tags": pairs}]


def create(ec2: Any, ip: str | None = None, **tags: str) -> dict[str, Any]:
    request: dict[str, Any] = {"Type": "ipsec.1", "BgpAsn": 65000, "TagSpecifications": tagged(**tags)}
    if ip is not None:
        request["IpAddress"] = ip
    found: dict[str, Any] = ec2.create_customer_gateway(**request)["CustomerGateway"]
    return found


def peers(service: Service) -> set[tuple[str | None, str | None]]:
    """Address and identity of the peers that charon would be given."""
    with service.database.read() as tx:
        planned = plan(load_snapshot(tx), HostFacts(encapsulate=True))
    return {(t.remote_address, t.remote_identity) for t in planned.ipsec.tunnels}


def test_a_gateway_known_by_a_name_has_no_address_and_gets_what_the_name_leads_to(service: Service, ec2: Any) -> None:
    made = create(ec2, dns="router.example.net")
    assert "IpAddress" not in made
    assert made["Tags"] == [{"Key": DNS, "Value": "router.example.net"}]
    connection = connect(ec2, made["CustomerGatewayId"], vpn_gateway(ec2))
    assert peers(service) == {(None, None)}
    with service.database.write() as tx:
        tx.update(tx.all(r.CustomerGateway)[0], resolved_address="192.0.2.77")
    assert peers(service) == {("192.0.2.77", None)}
    assert "192.0.2.77" in described(ec2, connection["VpnConnectionId"])["CustomerGatewayConfiguration"]
    (shape,) = ec2.describe_customer_gateways()["CustomerGateways"]
    assert "IpAddress" not in shape


def test_a_gateway_known_by_its_identity_may_be_anywhere(service: Service, ec2: Any) -> None:
    made = create(ec2, identity="edge@example.net")
    connection = connect(ec2, made["CustomerGatewayId"], vpn_gateway(ec2))
    assert peers(service) == {(None, "edge@example.net")}
    service.settle()
    sample = ec2.get_vpn_connection_device_sample_configuration(
        VpnConnectionId=connection["VpnConnectionId"], VpnConnectionDeviceTypeId=GENERIC
    )["VpnConnectionDeviceSampleConfiguration"]
    assert sample.count("edge@example.net") == 2


def test_a_router_behind_nat_has_an_address_and_another_identity(service: Service, ec2: Any) -> None:
    made = create(ec2, ADDRESS, identity="10.0.0.2")
    connect(ec2, made["CustomerGatewayId"], vpn_gateway(ec2))
    assert peers(service) == {(ADDRESS, "10.0.0.2")}


def test_the_same_request_finds_the_same_gateway_and_other_options_make_another(ec2: Any) -> None:
    first = create(ec2, dns="a.example.net")
    assert create(ec2, dns="a.example.net") == first
    others = [create(ec2, dns="b.example.net"), create(ec2, identity="a.example.net"), create(ec2, ADDRESS, Name="x")]
    others.append(create(ec2, ADDRESS, identity="10.0.0.2"))
    assert len({g["CustomerGatewayId"] for g in (first, *others)}) == 5
    assert customer_gateway(ec2) == others[2]["CustomerGatewayId"]


@pytest.mark.parametrize(
    ("ip", "tags", "code", "words"),
    [
        (ADDRESS, {"dns": "a.example.net"}, "InvalidParameterCombination", [DNS, ADDRESS]),
        (None, {"Name": "x"}, "MissingParameter", ["IpAddress"]),
        (None, {"dns": "192.0.2.1"}, "InvalidParameterValue", [DNS, "(192.0.2.1)", "domain name"]),
        (None, {"identity": "%any"}, "InvalidParameterValue", [IDENTITY, "(%any)", "mail address"]),
        (None, {"twinbore:dns": "a.example.net"}, "InvalidParameterValue", ["twinbore:dns", DNS, IDENTITY]),
    ],
)
def test_what_makes_no_gateway_is_refused(
    service: Service, ec2: Any, ip: str | None, tags: dict[str, str], code: str, words: list[str]
) -> None:
    with refused(service, code, *words):
        create(ec2, ip, **tags)


def test_gateways_without_address_never_share_an_outside_address(service: Service, ec2: Any) -> None:
    gateway = vpn_gateway(ec2)
    made = [
        connect(ec2, create(ec2, identity=f"{name}.example.net")["CustomerGatewayId"], gateway)["Options"]
        for name in ("a", "b")
    ]
    outside = [tunnel["OutsideIpAddress"] for options in made for tunnel in options["TunnelOptions"]]
    assert len(set(outside)) == 4
    third = create(ec2, dns="c.example.net")["CustomerGatewayId"]
    with refused(service, "InsufficientAddressCapacity", "without an address"):
        connect(ec2, third, gateway)
    connect(ec2, customer_gateway(ec2), gateway)


def test_an_address_that_a_name_leads_to_counts_as_its_gateways(service: Service, ec2: Any) -> None:
    gateway = vpn_gateway(ec2)
    first = connect(ec2, create(ec2, dns="a.example.net")["CustomerGatewayId"], gateway)
    with service.database.write() as tx:
        tx.update(tx.all(r.CustomerGateway)[0], resolved_address=ADDRESS)
    second = connect(ec2, customer_gateway(ec2), gateway)
    outside = [t["OutsideIpAddress"] for made in (first, second) for t in made["Options"]["TunnelOptions"]]
    assert len(set(outside)) == 4


def test_tags_change_how_a_gateway_is_known(service: Service, ec2: Any) -> None:
    identifier = create(ec2, dns="a.example.net")["CustomerGatewayId"]
    connect(ec2, identifier, vpn_gateway(ec2))
    with service.database.write() as tx:
        tx.update(tx.all(r.CustomerGateway)[0], resolved_address="192.0.2.77")
    ec2.create_tags(Resources=[identifier], Tags=[{"Key": IDENTITY, "Value": "edge.example.net"}])
    assert peers(service) == {("192.0.2.77", "edge.example.net")}
    ec2.delete_tags(Resources=[identifier], Tags=[{"Key": DNS}])
    assert peers(service) == {(None, "edge.example.net")}
    for tags in ({"Tags": [{"Key": IDENTITY}]}, {}):
        with refused(service, "InvalidParameterCombination", identifier, DNS, IDENTITY):
            ec2.delete_tags(Resources=[identifier], **tags)
    fixed = customer_gateway(ec2)
    with refused(service, "InvalidParameterCombination", DNS, ADDRESS):
        ec2.create_tags(Resources=[fixed], Tags=[{"Key": DNS, "Value": "a.example.net"}])


def start(*numbers: int) -> dict[str, Any]:
    return {"TunnelOptions": [{"StartupAction": "start"} if n in numbers else {} for n in (1, 2)]}


def test_nobody_can_be_called_who_is_known_by_an_identity_alone(service: Service, ec2: Any) -> None:
    gateway = vpn_gateway(ec2)
    known = create(ec2, identity="a.example.net")["CustomerGatewayId"]
    with refused(service, "InvalidParameterCombination", "StartupAction start", "TunnelOptions.2", DNS, known):
        connect(ec2, known, gateway, Options=start(2))
    made = connect(ec2, known, gateway)
    service.settle()
    outside = made["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
    request = {"VpnConnectionId": made["VpnConnectionId"], "VpnTunnelOutsideIpAddress": outside}
    with refused(service, "InvalidParameterCombination", "StartupAction start", known):
        ec2.modify_vpn_tunnel_options(**request, TunnelOptions={"StartupAction": "start"})
    named = create(ec2, dns="b.example.net")["CustomerGatewayId"]
    called = connect(ec2, named, gateway, Options=start(1))
    service.settle()
    ec2.create_tags(Resources=[named], Tags=[{"Key": IDENTITY, "Value": "b.example.net"}])
    with refused(service, "InvalidParameterCombination", "StartupAction start", named, called["VpnConnectionId"]):
        ec2.delete_tags(Resources=[named], Tags=[{"Key": DNS}])
    other = create(ec2, identity="c.example.net")["CustomerGatewayId"]
    with refused(service, "InvalidParameterCombination", "StartupAction start", other):
        ec2.modify_vpn_connection(VpnConnectionId=called["VpnConnectionId"], CustomerGatewayId=other)
