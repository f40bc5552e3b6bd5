"""CreateVpnConnectionRoute and DeleteVpnConnectionRoute."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import POOL_A, POOL_B, Service
from tests.contract.vpn import connect, connection, customer_gateway, described, refused, vpn_gateway
from twinbore.model.settings import Quotas, Settings

STATIC = {"StaticRoutesOnly": True}
SITE = "192.168.10.0/24"


@pytest.fixture
def settings() -> Settings:
    quotas = Quotas(static_routes_per_vpn_connection=3)
    return Settings(outside_pool_a=POOL_A, outside_pool_b=POOL_B, quotas=quotas)


def add(ec2: Any, identifier: str, cidr_block: str = SITE) -> None:
    ec2.create_vpn_connection_route(VpnConnectionId=identifier, DestinationCidrBlock=cidr_block)


def remove(ec2: Any, identifier: str, cidr_block: str = SITE) -> None:
    ec2.delete_vpn_connection_route(VpnConnectionId=identifier, DestinationCidrBlock=cidr_block)


def routes(ec2: Any, identifier: str) -> list[tuple[str, str, str]]:
    return [(r["DestinationCidrBlock"], r["Source"], r["State"]) for r in described(ec2, identifier)["Routes"]]


def test_the_life_of_a_route(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    add(ec2, identifier)
    assert routes(ec2, identifier) == [(SITE, "Static", "pending")]
    service.settle()
    assert routes(ec2, identifier) == [(SITE, "Static", "available")]
    remove(ec2, identifier)
    assert routes(ec2, identifier) == [(SITE, "Static", "deleting")]
    service.settle()
    assert routes(ec2, identifier) == []


def test_a_pending_route_can_be_deleted(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    add(ec2, identifier)
    remove(ec2, identifier)
    service.settle()
    assert routes(ec2, identifier) == []


@pytest.mark.parametrize("cidr_block", ["0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/16", "192.168.10.7/32", "128.0.0.0/1"])
def test_any_unicast_prefix_is_accepted(service: Service, ec2: Any, cidr_block: str) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    add(ec2, identifier, cidr_block)
    assert routes(ec2, identifier) == [(cidr_block, "Static", "pending")]


def test_adding_and_removing_again_change_nothing(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    add(ec2, identifier)
    before = service.dump()
    add(ec2, identifier)
    assert service.dump() == before
    remove(ec2, identifier)
    before = service.dump()
    remove(ec2, identifier)
    assert service.dump() == before


def test_a_route_that_is_being_deleted_cannot_be_added(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    add(ec2, identifier)
    remove(ec2, identifier)
    with refused(service, "InvalidRoute.InvalidState", SITE, "being deleted"):
        add(ec2, identifier)
    service.settle()
    add(ec2, identifier)


@pytest.mark.parametrize(
    ("cidr_block", "words"),
    [
        ("192.168.10.1/24", ["192.168.10.0/24", "host bits"]),
        ("nonsense", ["DestinationCidrBlock", "nonsense"]),
        ("2001:db8::/32", ["2001:db8::/32"]),
        ("127.0.0.0/8", ["unicast"]),
        ("169.254.10.0/30", ["unicast"]),
        ("224.0.0.0/4", ["unicast"]),
        ("255.255.255.255/32", ["unicast"]),
    ],
)
def test_bad_destinations_are_refused(service: Service, ec2: Any, cidr_block: str, words: list[str]) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    for operation in (add, remove):
        if operation is add or "unicast" not in words:
            with refused(service, "InvalidParameterValue", *words):
                operation(ec2, identifier, cidr_block)


def test_removing_a_route_that_is_not_there(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    add(ec2, identifier)
    with refused(service, "InvalidRoute.NotFound", identifier, "192.168.0.0/16"):
        remove(ec2, identifier, "192.168.0.0/16")


def test_a_connection_with_bgp_has_no_static_routes(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    for operation in (add, remove):
        with refused(service, "InvalidVpnConnection.InvalidType", identifier, "StaticRoutesOnly"):
            operation(ec2, identifier)


def test_a_connection_must_be_available(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2), Options=STATIC)["VpnConnectionId"]
    with refused(service, "InvalidVpnConnection.InvalidState", identifier, "pending", "available"):
        add(ec2, identifier)
    service.settle()
    add(ec2, identifier)
    ec2.delete_vpn_connection(VpnConnectionId=identifier)
    for operation in (add, remove):
        with refused(service, "InvalidVpnConnection.InvalidState", "deleting"):
            operation(ec2, identifier)
    service.settle()
    assert routes(ec2, identifier) == []
    for operation in (add, remove):
        with refused(service, "InvalidVpnConnectionID.NotFound", identifier):
            operation(ec2, identifier)


def test_the_quota(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2, Options=STATIC)
    for n in range(3):
        add(ec2, identifier, f"192.168.{n}.0/24")
    with refused(service, "RouteLimitExceeded", identifier, "(3)"):
        add(ec2, identifier, "192.168.100.0/24")
    add(ec2, identifier, "192.168.0.0/24")


@pytest.mark.parametrize(
    ("identifier", "code"),
    [("vpn-0123456789abcdef0", "InvalidVpnConnectionID.NotFound"), ("vpn-1", "InvalidVpnConnectionID")],
)
def test_connections_that_do_not_exist(service: Service, ec2: Any, identifier: str, code: str) -> None:
    for operation in (add, remove):
        with refused(service, code, identifier):
            operation(ec2, identifier)
