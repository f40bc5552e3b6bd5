"""ModifyVpnConnection and ModifyVpnConnectionOptions."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.contract.conftest import POOL_A, Service
from tests.contract.vpn import connect, connection, customer_gateway, described, refused, vpn_gateway
from twinbore.model.settings import Quotas, Settings
from twinbore.planner.gateways import HostFacts
from twinbore.planner.plan import plan
from twinbore.store.snapshot import load_snapshot


@pytest.fixture
def settings() -> Settings:
    quotas = Quotas(vpn_connections=20, vpn_connections_per_vpn_gateway=2)
    return Settings(outside_pool_a=POOL_A[:1], outside_pool_b=("198.51.100.1",), quotas=quotas)


def modify(ec2: Any, identifier: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = ec2.modify_vpn_connection(VpnConnectionId=identifier, **changes)["VpnConnection"]
    return made


def modify_options(ec2: Any, identifier: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = ec2.modify_vpn_connection_options(VpnConnectionId=identifier, **changes)["VpnConnection"]
    return made


def without_configuration(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if name != "CustomerGatewayConfiguration"}


def test_another_customer_gateway(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    before = described(ec2, identifier)
    other = customer_gateway(ec2, IpAddress="192.0.2.99", BgpAsn=65099)
    answered = modify(ec2, identifier, CustomerGatewayId=other)
    expected = before | {"CustomerGatewayId": other, "State": "modifying"}
    assert without_configuration(answered) == without_configuration(expected)
    document = ET.fromstring(answered["CustomerGatewayConfiguration"])
    assert document.findtext("customer_gateway_id") == other
    assert document.findtext("ipsec_tunnel/customer_gateway/tunnel_outside_address/ip_address") == "192.0.2.99"
    with service.database.read() as tx:
        host = plan(load_snapshot(tx), HostFacts(encapsulate=True))
    assert {t.remote_address for t in host.ipsec.tunnels} == {"192.0.2.99"}
    assert {s.peer_asn for s in host.bgp.domains[0].sessions} == {65099}
    service.settle()
    assert described(ec2, identifier)["State"] == "available"
    ec2.delete_customer_gateway(CustomerGatewayId=before["CustomerGatewayId"])


def test_another_virtual_private_gateway(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    before = described(ec2, identifier)
    other = vpn_gateway(ec2, AmazonSideAsn=64600)
    answered = modify(ec2, identifier, VpnGatewayId=other)
    expected = before | {"VpnGatewayId": other, "State": "modifying"}
    assert without_configuration(answered) == without_configuration(expected)
    document = ET.fromstring(answered["CustomerGatewayConfiguration"])
    assert document.findtext("vpn_gateway_id") == other
    assert document.findtext("ipsec_tunnel/vpn_gateway/bgp/asn") == "64600"
    with service.database.read() as tx:
        host = plan(load_snapshot(tx), HostFacts(encapsulate=True))
    assert {i.netns for i in host.esp.interfaces} == {other}
    assert {d.name: len(d.sessions) for d in host.bgp.domains} == {before["VpnGatewayId"]: 0, other: 2}
    service.settle()
    ec2.delete_vpn_gateway(VpnGatewayId=before["VpnGatewayId"])


def test_both_at_once(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    customer, gateway = customer_gateway(ec2, IpAddress="192.0.2.99"), vpn_gateway(ec2)
    answered = modify(ec2, identifier, CustomerGatewayId=customer, VpnGatewayId=gateway)
    assert (answered["CustomerGatewayId"], answered["VpnGatewayId"]) == (customer, gateway)


def test_a_connection_that_was_not_associated_gets_its_gateway(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), None)["VpnConnectionId"]
    service.settle()
    before = described(ec2, identifier)
    assert before["GatewayAssociationState"] == "not-associated"
    gateway = vpn_gateway(ec2)
    modify(ec2, identifier, VpnGatewayId=gateway)
    service.settle()
    after = described(ec2, identifier)
    assert (after["VpnGatewayId"], after["GatewayAssociationState"]) == (gateway, "associated")
    assert after["Options"] == before["Options"]


def test_another_customer_gateway_while_there_is_no_target(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), None)["VpnConnectionId"]
    service.settle()
    other = customer_gateway(ec2, IpAddress="192.0.2.99")
    assert modify(ec2, identifier, CustomerGatewayId=other)["CustomerGatewayId"] == other


def test_the_same_gateways_again(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    shape = described(ec2, identifier)
    before = service.dump()
    same = {"CustomerGatewayId": shape["CustomerGatewayId"], "VpnGatewayId": shape["VpnGatewayId"]}
    assert modify(ec2, identifier, **same) == shape
    assert service.dump() == before


def test_static_routes_move_along(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2, Options={"StaticRoutesOnly": True})
    ec2.create_vpn_connection_route(VpnConnectionId=identifier, DestinationCidrBlock="192.168.0.0/16")
    service.settle()
    other = vpn_gateway(ec2)
    assert modify(ec2, identifier, VpnGatewayId=other)["Routes"] == described(ec2, identifier)["Routes"] != []
    with service.database.read() as tx:
        host = plan(load_snapshot(tx), HostFacts(encapsulate=True))
    assert {d.name: len(d.static_routes) for d in host.bgp.domains}[other] == 2


def test_gateways_that_cannot_be_joined(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    same_asn = customer_gateway(ec2, IpAddress="192.0.2.98", BgpAsn=64512)
    with refused(service, "InvalidParameterCombination", "64512", "StaticRoutesOnly"):
        modify(ec2, identifier, CustomerGatewayId=same_asn)
    asn = vpn_gateway(ec2, AmazonSideAsn=65000)
    with refused(service, "InvalidParameterCombination", "65000"):
        modify(ec2, identifier, VpnGatewayId=asn)
    own = customer_gateway(ec2, IpAddress=POOL_A[0], BgpAsn=65001)
    with refused(service, "InvalidCustomerGateway.DuplicateIpAddress", POOL_A[0]):
        modify(ec2, identifier, CustomerGatewayId=own)
    ec2.delete_customer_gateway(CustomerGatewayId=own)
    with refused(service, "InvalidCustomerGatewayID.NotFound", own):
        modify(ec2, identifier, CustomerGatewayId=own)
    ec2.delete_vpn_gateway(VpnGatewayId=asn)
    with refused(service, "InvalidVpnGatewayState", asn):
        modify(ec2, identifier, VpnGatewayId=asn)
    service.settle()
    with refused(service, "InvalidVpnGatewayID.NotFound", asn):
        modify(ec2, identifier, VpnGatewayId=asn)


def test_a_peer_that_another_connection_has_at_the_same_outside_address(service: Service, ec2: Any) -> None:
    """Each pool has one address here, so every connection shares it with the others."""
    identifier = connection(service, ec2)
    other = customer_gateway(ec2, IpAddress="192.0.2.20")
    connect(ec2, other, vpn_gateway(ec2))
    with refused(service, "InvalidCustomerGateway.DuplicateIpAddress", "192.0.2.20", identifier):
        modify(ec2, identifier, CustomerGatewayId=other)


def test_gateways_that_are_joined_already(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    shape = described(ec2, identifier)
    other = customer_gateway(ec2, IpAddress="192.0.2.20")
    second = connect(ec2, other, shape["VpnGatewayId"])["VpnConnectionId"]
    with refused(service, "InvalidOption.Conflict", second):
        modify(ec2, identifier, CustomerGatewayId=other)


def test_a_gateway_where_an_inside_cidr_is_in_use(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    cidr = described(ec2, identifier)["Options"]["TunnelOptions"][0]["TunnelInsideCidr"]
    gateway = vpn_gateway(ec2)
    options = {"TunnelOptions": [{}, {"TunnelInsideCidr": cidr}]}
    connect(ec2, customer_gateway(ec2, IpAddress="192.0.2.20"), gateway, Options=options)
    with refused(service, "InvalidParameterValue", "VpnGatewayId", gateway, cidr, "ModifyVpnTunnelOptions"):
        modify(ec2, identifier, VpnGatewayId=gateway)


def test_a_gateway_that_has_as_many_connections_as_it_may(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    gateway = vpn_gateway(ec2)
    for number in (20, 21):
        connect(ec2, customer_gateway(ec2, IpAddress=f"192.0.2.{number}"), gateway)
    with refused(service, "VpnConnectionLimitExceeded", gateway):
        modify(ec2, identifier, VpnGatewayId=gateway)


def test_targets_that_do_not_exist_here(service: Service, ec2: Any) -> None:
    identifier, gateway = connection(service, ec2), vpn_gateway(ec2)
    with refused(service, "UnsupportedOperation", "TransitGatewayId", "VpnGatewayId"):
        modify(ec2, identifier, TransitGatewayId="tgw-0123456789abcdef0")
    with refused(service, "InvalidParameterCombination", "TransitGatewayId", "VpnGatewayId"):
        modify(ec2, identifier, TransitGatewayId="tgw-0123456789abcdef0", VpnGatewayId=gateway)
    with refused(service, "MissingParameter", "CustomerGatewayId", "VpnGatewayId"):
        modify(ec2, identifier)


def test_states_in_which_a_connection_is_not_changed(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))["VpnConnectionId"]
    other = vpn_gateway(ec2)
    for state in ("pending", "deleting"):
        with refused(service, "InvalidVpnConnection.InvalidState", state):
            modify(ec2, identifier, VpnGatewayId=other)
        with refused(service, "InvalidVpnConnection.InvalidState", state):
            modify_options(ec2, identifier, LocalIpv4NetworkCidr="10.0.0.0/8")
        ec2.delete_vpn_connection(VpnConnectionId=identifier)
    service.settle()
    for attempt in (modify, modify_options):
        with refused(service, "InvalidVpnConnectionID.NotFound"):
            attempt(ec2, identifier)


def test_create_after_a_move_makes_another_connection(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2, IpAddress="192.0.2.30"), vpn_gateway(ec2)
    first = connect(ec2, customer, gateway)["VpnConnectionId"]
    service.settle()
    moved = customer_gateway(ec2, IpAddress="192.0.2.31")
    modify(ec2, first, CustomerGatewayId=moved)
    assert connect(ec2, moved, gateway)["VpnConnectionId"] == first
    second = connect(ec2, customer, gateway)["VpnConnectionId"]
    assert second != first


NETWORKS = [
    {"LocalIpv4NetworkCidr": "192.168.0.0/16"},
    {"RemoteIpv4NetworkCidr": "10.0.0.0/8"},
    {"LocalIpv4NetworkCidr": "192.168.0.0/16", "RemoteIpv4NetworkCidr": "10.0.0.0/8", "TunnelBandwidth": "standard"},
]


@pytest.mark.parametrize("networks", NETWORKS, ids="+".join)
def test_connection_options(service: Service, ec2: Any, networks: dict[str, str]) -> None:
    identifier = connection(service, ec2)
    before = described(ec2, identifier)
    answered = modify_options(ec2, identifier, **networks)
    assert answered["State"] == "modifying"
    assert answered["Options"] == before["Options"] | networks
    with service.database.read() as tx:
        tunnels = plan(load_snapshot(tx), HostFacts(encapsulate=True)).ipsec.tunnels
    options = answered["Options"]
    assert {t.remote_ts for t in tunnels} == {(options["LocalIpv4NetworkCidr"],)}
    assert {t.local_ts for t in tunnels} == {(options["RemoteIpv4NetworkCidr"],)}
    service.settle()
    unchanged = service.dump()
    assert modify_options(ec2, identifier, **networks)["State"] == "available"
    assert service.dump() == unchanged


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        ({}, "MissingParameter", "LocalIpv4NetworkCidr"),
        ({"LocalIpv4NetworkCidr": "10.0.0.1/8"}, "InvalidParameterValue", "use 10.0.0.0/8"),
        ({"RemoteIpv4NetworkCidr": "ten"}, "InvalidParameterValue", "RemoteIpv4NetworkCidr"),
        ({"LocalIpv6NetworkCidr": "::/0"}, "InvalidParameterCombination", "LocalIpv6NetworkCidr"),
        ({"RemoteIpv6NetworkCidr": "::/0"}, "InvalidParameterCombination", "RemoteIpv6NetworkCidr"),
        ({"TunnelBandwidth": "large"}, "InvalidParameterCombination", "transit gateway"),
        ({"TunnelBandwidth": "huge"}, "InvalidParameterValue", "standard, large"),
        ({"LocalIpv4NetworkCidr": "10.0.0.0/8", "DryRun": True}, "DryRunOperation", "would have succeeded"),
    ],
    ids=str,
)
def test_bad_connection_options(service: Service, ec2: Any, options: dict[str, Any], code: str, word: str) -> None:
    identifier = connection(service, ec2)
    with refused(service, code, word):
        modify_options(ec2, identifier, **options)
