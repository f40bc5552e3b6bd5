"""CreateCustomerGateway, DescribeCustomerGateways, DeleteCustomerGateway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service, now
from tests.contract.vpn import ADDRESS, connect, customer_gateway, foreign, refused, vpn_gateway
from twinbore.model.resources import CustomerGateway
from twinbore.model.settings import Quotas, Settings


@pytest.fixture
def settings() -> Settings:
    return Settings(
        region="eu-west-1",
        outside_pool_a=("203.0.113.1",),
        outside_pool_b=("198.51.100.1",),
        quotas=Quotas(customer_gateways=3),
    )


def described(ec2: Any, **request: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ec2.describe_customer_gateways(**request)["CustomerGateways"]
    return found


def test_a_new_one_is_available_at_once_with_asn_65000_by_default(ec2: Any) -> None:
    made = ec2.create_customer_gateway(Type="ipsec.1", IpAddress=ADDRESS)["CustomerGateway"]
    assert made == {
        "CustomerGatewayId": made["CustomerGatewayId"],
        "State": "available",
        "Type": "ipsec.1",
        "IpAddress": ADDRESS,
        "BgpAsn": "65000",
        "Tags": [],
    }
    assert described(ec2, CustomerGatewayIds=[made["CustomerGatewayId"]]) == [made]


def test_everything_given_is_shown(ec2: Any) -> None:
    made = ec2.create_customer_gateway(
        Type="ipsec.1",
        PublicIp=ADDRESS,
        BgpAsnExtended=4294967295,
        DeviceName="router-1",
        TagSpecifications=[{"ResourceType": "customer-gateway", "Tags": [{"Key": "Name", "Value": "site"}]}],
    )["CustomerGateway"]
    assert made["BgpAsnExtended"] == "4294967295" and "BgpAsn" not in made
    assert (made["IpAddress"], made["DeviceName"]) == (ADDRESS, "router-1")
    assert made["Tags"] == [{"Key": "Name", "Value": "site"}]
    assert described(ec2) == [made]


@pytest.mark.parametrize("asn", [1, 23456, 64512, 2147483647])
def test_the_range_of_bgp_asn(ec2: Any, asn: int) -> None:
    assert described(ec2, CustomerGatewayIds=[customer_gateway(ec2, BgpAsn=asn)])[0]["BgpAsn"] == str(asn)


def test_an_identical_request_answers_with_the_first(service: Service, ec2: Any) -> None:
    first = customer_gateway(ec2, DeviceName="router-1")
    before = service.dump()
    assert customer_gateway(ec2) == first
    assert customer_gateway(ec2, DeviceName="router-1") == first
    assert service.dump() == before
    assert customer_gateway(ec2, DeviceName="router-2") != first
    assert customer_gateway(ec2, BgpAsn=65001) != first


def test_a_deleted_one_is_not_answered_with_again(ec2: Any) -> None:
    first = customer_gateway(ec2)
    ec2.delete_customer_gateway(CustomerGatewayId=first)
    assert customer_gateway(ec2) != first


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"Type": "ipsec.2"}, "InvalidParameterValue", ["Type", "ipsec.2", "ipsec.1"]),
        ({"BgpAsn": 0}, "InvalidParameterValue", ["BgpAsn", "(0)", "1 to 2147483647"]),
        ({"BgpAsn": 2147483648}, "InvalidParameterValue", ["BgpAsnExtended"]),
        ({"BgpAsn": 4294967296}, "InvalidParameterValue", ["4294967296"]),
        ({"BgpAsn": 7224}, "InvalidParameterValue", ["7224", "reserved"]),
        ({"BgpAsn": 9059}, "InvalidParameterValue", ["9059", "eu-west-1"]),
        ({"BgpAsn": None, "BgpAsnExtended": 65000}, "InvalidParameterValue", ["BgpAsnExtended", "BgpAsn"]),
        ({"BgpAsn": None, "BgpAsnExtended": 4294967296}, "InvalidParameterValue", ["4294967295"]),
        ({"BgpAsnExtended": 4200000000}, "InvalidParameterCombination", ["BgpAsn", "BgpAsnExtended"]),
        ({"IpAddress": None}, "MissingParameter", ["IpAddress"]),
        ({"IpAddress": "vpn.example.com"}, "InvalidParameterValue", ["IpAddress", "vpn.example.com"]),
        ({"IpAddress": "192.0.2.010"}, "InvalidParameterValue", ["192.0.2.010"]),
        ({"IpAddress": "2001:db8::1"}, "InvalidParameterValue", ["2001:db8::1", "IPv4"]),
        ({"IpAddress": "0.0.0.0"}, "InvalidParameterValue", ["unicast"]),
        ({"IpAddress": "127.0.0.1"}, "InvalidParameterValue", ["unicast"]),
        ({"IpAddress": "224.0.0.9"}, "InvalidParameterValue", ["unicast"]),
        ({"IpAddress": "255.255.255.255"}, "InvalidParameterValue", ["unicast"]),
        ({"PublicIp": "192.0.2.11"}, "InvalidParameterCombination", ["PublicIp"]),
        ({"CertificateArn": "arn:aws:acm:x"}, "UnsupportedOperation", ["CertificateArn", "pre-shared key"]),
        ({"DeviceName": "x" * 256}, "InvalidParameterValue", ["DeviceName", "255"]),
        (
            {"TagSpecifications": [{"ResourceType": "vpn-gateway", "Tags": [{"Key": "a", "Value": "b"}]}]},
            "InvalidParameterValue",
            ["customer-gateway"],
        ),
        (
            {
                "TagSpecifications": [
                    {"ResourceType": "customer-gateway", "Tags": [{"Key": "twinbore:bfd", "Value": "on"}]}
                ]
            },
            "InvalidParameterValue",
            ["twinbore:bfd"],
        ),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    service: Service, ec2: Any, change: dict[str, Any], code: str, words: list[str]
) -> None:
    request = {"Type": "ipsec.1", "IpAddress": ADDRESS, "BgpAsn": 65000} | change
    with refused(service, code, *words):
        ec2.create_customer_gateway(**{k: v for k, v in request.items() if v is not None})


def test_the_quota_counts_those_that_are_not_deleted(service: Service, ec2: Any) -> None:
    made = [customer_gateway(ec2, BgpAsn=65000 + n) for n in range(3)]
    with refused(service, "CustomerGatewayLimitExceeded", "(3)"):
        customer_gateway(ec2, BgpAsn=65100)
    assert customer_gateway(ec2, BgpAsn=65000) == made[0]
    ec2.delete_customer_gateway(CustomerGatewayId=made[0])
    customer_gateway(ec2, BgpAsn=65100)


def test_dry_run_changes_nothing(service: Service, ec2: Any) -> None:
    with refused(service, "DryRunOperation"):
        customer_gateway(ec2, DryRun=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bgp-asn", "65001"),
        ("customer-gateway-id", None),
        ("ip-address", "192.0.2.20"),
        ("ip-address", "*.20"),
        ("tag:Site", "north"),
        ("tag-key", "Site"),
    ],
)
def test_every_filter_finds_the_one(ec2: Any, name: str, value: str | None) -> None:
    customer_gateway(ec2)
    specification = {"ResourceType": "customer-gateway", "Tags": [{"Key": "Site", "Value": "north"}]}
    wanted = customer_gateway(ec2, BgpAsn=65001, IpAddress="192.0.2.20", TagSpecifications=[specification])
    found = described(ec2, Filters=[{"Name": name, "Values": [value or wanted]}])
    assert [g["CustomerGatewayId"] for g in found] == [wanted]


def test_filters_by_state_and_type(ec2: Any) -> None:
    living, deleted = customer_gateway(ec2), customer_gateway(ec2, BgpAsn=65001)
    ec2.delete_customer_gateway(CustomerGatewayId=deleted)
    by_state = described(ec2, Filters=[{"Name": "state", "Values": ["deleted"]}])
    assert [g["CustomerGatewayId"] for g in by_state] == [deleted]
    by_type = described(ec2, Filters=[{"Name": "type", "Values": ["ipsec.1"]}])
    assert {g["CustomerGatewayId"] for g in by_type} == {living, deleted}


def test_the_filter_bgp_asn_finds_extended_ones(ec2: Any) -> None:
    ec2.create_customer_gateway(Type="ipsec.1", IpAddress=ADDRESS, BgpAsnExtended=4200000000)
    assert len(described(ec2, Filters=[{"Name": "bgp-asn", "Values": ["4200000000"]}])) == 1


def test_an_unknown_filter_is_refused(service: Service, ec2: Any) -> None:
    with refused(service, "InvalidParameterValue", "device-colour"):
        described(ec2, Filters=[{"Name": "device-colour", "Values": ["red"]}])


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("cgw-0123456789abcdef0", "InvalidCustomerGatewayID.NotFound"),
        ("vgw-0123456789abcdef0", "InvalidCustomerGatewayId.Malformed"),
        ("cgw-xyz", "InvalidCustomerGatewayId.Malformed"),
    ],
)
def test_ids_that_do_not_exist(service: Service, ec2: Any, identifier: str, code: str) -> None:
    with refused(service, code, identifier):
        described(ec2, CustomerGatewayIds=[identifier])
    with refused(service, code, identifier):
        ec2.delete_customer_gateway(CustomerGatewayId=identifier)


def test_another_accounts_gateway_does_not_exist(service: Service, ec2: Any) -> None:
    row = CustomerGateway(
        "cgw-0123456789abcdef0", "210987654321", "available", "ipsec.1", 65000, ADDRESS, None, None, now()
    )
    identifier = foreign(service, row)
    assert described(ec2) == []
    assert customer_gateway(ec2) != identifier
    with refused(service, "InvalidCustomerGatewayID.NotFound", identifier):
        ec2.delete_customer_gateway(CustomerGatewayId=identifier)


def test_deletion_is_at_once_visible_and_final(service: Service, ec2: Any) -> None:
    gateway = customer_gateway(ec2)
    ec2.delete_customer_gateway(CustomerGatewayId=gateway)
    assert described(ec2, CustomerGatewayIds=[gateway])[0]["State"] == "deleted"
    with refused(service, "InvalidCustomerGatewayID.NotFound", gateway):
        ec2.delete_customer_gateway(CustomerGatewayId=gateway)


def test_one_in_use_is_kept_until_its_connection_is_deleted(service: Service, ec2: Any) -> None:
    gateway = customer_gateway(ec2)
    connection = connect(ec2, gateway, vpn_gateway(ec2))["VpnConnectionId"]
    with refused(service, "IncorrectState", "The customer gateway is in use.", connection):
        ec2.delete_customer_gateway(CustomerGatewayId=gateway)
    service.settle()
    ec2.delete_vpn_connection(VpnConnectionId=connection)
    with refused(service, "IncorrectState", connection):
        ec2.delete_customer_gateway(CustomerGatewayId=gateway)
    service.settle()
    ec2.delete_customer_gateway(CustomerGatewayId=gateway)
