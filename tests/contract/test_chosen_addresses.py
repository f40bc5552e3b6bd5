"""Outside addresses that a tag chooses: in the pool, free, kept; else refused with what could be had."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import connect, customer_gateway, described, refused, vpn_gateway
from twinbore.model import resources as r
from twinbore.model.settings import Settings

FIRST, SECOND = "twinbore:outside-address-1", "twinbore:outside-address-2"


@pytest.fixture
def settings() -> Settings:
    return Settings(
        outside_pool_a=("203.0.113.0/29", "192.0.2.200"),
        outside_pool_b=("198.51.100.1=10.9.0.1", "198.51.100.2=10.9.0.2", "192.0.2.200"),
    )


def tags(**given: str) -> list[dict[str, Any]]:
    pairs = [{"Key": f"twinbore:outside-address-{key[1]}", "Value": value} for key, value in given.items()]
    return [{"ResourceType": "vpn-connection", "Tags": pairs}]


def addresses(made: dict[str, Any]) -> list[str]:
    return [t["OutsideIpAddress"] for t in made["Options"]["TunnelOptions"]]


def test_both_addresses_are_chosen_one_of_them_behind_nat(service: Service, ec2: Any) -> None:
    chosen = tags(t1="203.0.113.5", t2="198.51.100.2")
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2), TagSpecifications=chosen)
    assert addresses(made) == ["203.0.113.5", "198.51.100.2"]
    assert "203.0.113.5" in made["CustomerGatewayConfiguration"]
    with service.database.read() as tx:
        assert [t.outside_local for t in tx.all(r.VpnTunnel)] == ["203.0.113.5", "10.9.0.2"]


def test_one_is_chosen_and_the_other_left_to_the_service(ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2), TagSpecifications=tags(t2="192.0.2.200"))
    assert addresses(made) == ["203.0.113.1", "192.0.2.200"]


def test_a_chosen_address_is_shared_by_customers_at_different_addresses_only(service: Service, ec2: Any) -> None:
    chosen = {"TagSpecifications": tags(t1="203.0.113.5")}
    gateway = vpn_gateway(ec2)
    connect(ec2, customer_gateway(ec2), gateway, **chosen)
    other = connect(ec2, customer_gateway(ec2, IpAddress="192.0.2.11"), gateway, **chosen)
    assert addresses(other)[0] == "203.0.113.5"
    same = customer_gateway(ec2, BgpAsn=65010)
    with refused(
        service,
        "InvalidParameterValue",
        f"Tag {FIRST}",
        "203.0.113.5",
        "one has this",
        "Free in outside_pool_a: 203.0.113.1, 203.0.113.2, 203.0.113.3, 203.0.113.4, 203.0.113.6, 192.0.2.200",
    ):
        connect(ec2, same, gateway, **chosen)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"t1": "203.0.113.300"}, [FIRST, "(203.0.113.300)", "dotted decimal"]),
        ({"t1": ""}, [FIRST, "dotted decimal"]),
        ({"t1": "203.0.113.99"}, [FIRST, "(203.0.113.99)", "outside_pool_a", "does not have", "203.0.113.1,"]),
        ({"t2": "203.0.113.1"}, [SECOND, "outside_pool_b", "Free in outside_pool_b: 198.51.100.1, 198.51.100.2"]),
        ({"t2": "10.9.0.1"}, [SECOND, "outside_pool_b"]),
        ({"t1": "192.0.2.200", "t2": "192.0.2.200"}, [SECOND, f"other than that of {FIRST}"]),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_can(
    service: Service, ec2: Any, given: dict[str, str], words: list[str]
) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    with refused(service, "InvalidParameterValue", *words):
        connect(ec2, customer, gateway, TagSpecifications=tags(**given))


def test_a_repeated_request_finds_the_connection_by_its_addresses(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    first = connect(ec2, customer, gateway, TagSpecifications=tags(t1="203.0.113.5"))
    assert connect(ec2, customer, gateway, TagSpecifications=tags(t1="203.0.113.5")) == first
    assert connect(ec2, customer, gateway) == first
    with refused(service, "InvalidOption.Conflict", first["VpnConnectionId"]):
        connect(ec2, customer, gateway, TagSpecifications=tags(t1="203.0.113.6"))


def test_the_tag_changes_no_address_later(service: Service, ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2), TagSpecifications=tags(t1="203.0.113.5"))
    identifier = made["VpnConnectionId"]
    with refused(service, "InvalidParameterValue", FIRST, "(203.0.113.6)", "203.0.113.5", "tunnel 1", "created"):
        ec2.create_tags(Resources=[identifier], Tags=[{"Key": FIRST, "Value": "203.0.113.6"}])
    ec2.create_tags(Resources=[identifier], Tags=[{"Key": SECOND, "Value": addresses(made)[1]}])
    ec2.delete_tags(Resources=[identifier], Tags=[{"Key": FIRST}])
    assert addresses(described(ec2, identifier)) == addresses(made)
