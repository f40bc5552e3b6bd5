"""Outside addresses of new connections: pools that run out, are shared, overlap, or lie behind NAT."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import connect, customer_gateway, refused, vpn_gateway
from twinbore.model import resources as r
from twinbore.model.settings import Settings

SHARED = "192.0.2.100"


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings with the two pools that the test is given as `settings` parameter."""
    pool_a, pool_b = request.param
    return Settings(outside_pool_a=pool_a, outside_pool_b=pool_b)


def pools(*both: tuple[str, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("settings", [both], indirect=True)


def addresses(made: dict[str, Any]) -> list[str]:
    return [t["OutsideIpAddress"] for t in made["Options"]["TunnelOptions"]]


@pools(("203.0.113.1",), ("198.51.100.1",))
def test_addresses_are_shared_by_customers_at_different_addresses_only(service: Service, ec2: Any) -> None:
    gateway, same = vpn_gateway(ec2), customer_gateway(ec2, BgpAsn=65001)
    first = connect(ec2, customer_gateway(ec2), gateway)
    second = connect(ec2, customer_gateway(ec2, IpAddress=SHARED), gateway)
    assert addresses(first) == addresses(second) == ["203.0.113.1", "198.51.100.1"]
    with refused(service, "InsufficientAddressCapacity", "Tunnel 1", "192.0.2.10", "add addresses", "outside_pool_a"):
        connect(ec2, same, gateway)
    ec2.delete_vpn_connection(VpnConnectionId=first["VpnConnectionId"])
    with refused(service, "InsufficientAddressCapacity"):
        connect(ec2, same, gateway)
    service.settle()
    assert addresses(connect(ec2, same, gateway)) == ["203.0.113.1", "198.51.100.1"]


@pools((), ())
def test_without_pools_no_connection_can_be_made(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    with refused(service, "InsufficientAddressCapacity", "Tunnel 1", "outside_pool_a"):
        connect(ec2, customer, gateway)


@pools(("203.0.113.1",), ("203.0.113.1",))
def test_one_address_is_not_enough_for_two_tunnels(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    with refused(service, "InsufficientAddressCapacity", "Tunnel 2", "outside_pool_b"):
        connect(ec2, customer, gateway)


@pools(("203.0.113.1", "203.0.113.2"), ("203.0.113.1",))
def test_tunnel_1_leaves_tunnel_2_the_only_address_that_it_could_have(ec2: Any) -> None:
    assert addresses(connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))) == ["203.0.113.2", "203.0.113.1"]


@pools(("203.0.113.0/30",), ("198.51.100.1=10.9.0.1",))
def test_a_prefix_and_an_address_behind_nat(service: Service, ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))
    assert addresses(made) == ["203.0.113.1", "198.51.100.1"]
    with service.database.read() as tx:
        assert [t.outside_local for t in tx.all(r.VpnTunnel)] == ["203.0.113.1", "10.9.0.1"]
    behind = customer_gateway(ec2, IpAddress="10.9.0.1")
    with refused(service, "InvalidCustomerGateway.DuplicateIpAddress", "10.9.0.1"):
        connect(ec2, behind, made["VpnGatewayId"])
