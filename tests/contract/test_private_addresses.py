"""Secondary addresses of network interfaces through boto3: given at creation, added, moved, taken away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.test_network_interfaces import interface
from tests.contract.test_subnets import subnet
from tests.contract.vpn import refused, vpc
from twinbore.model.settings import Quotas, Settings

UNKNOWN = "eni-0123456789abcdef0"


def listed(*addresses: str, primary: str | None = None) -> list[dict[str, Any]]:
    return [{"PrivateIpAddress": a} | ({"Primary": a == primary} if primary else {}) for a in addresses]


def addresses(shape: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(a["PrivateIpAddress"], a["Primary"]) for a in shape["PrivateIpAddresses"]]


def shown(ec2: Any, eni: str) -> list[str]:
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert addresses(found)[0] == (found["PrivateIpAddress"], True)
    assert not any(primary for _, primary in addresses(found)[1:])
    return [address for address, _ in addresses(found)]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"PrivateIpAddresses": listed("10.0.1.9", "10.0.1.8")}, ["10.0.1.9", "10.0.1.8"]),
        ({"PrivateIpAddresses": listed("10.0.1.9", "10.0.1.8", primary="10.0.1.8")}, ["10.0.1.8", "10.0.1.9"]),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.4", "Primary": False}]}, ["10.0.1.5", "10.0.1.4"]),
        ({"PrivateIpAddress": "10.0.1.9", "PrivateIpAddresses": listed("10.0.1.4")}, ["10.0.1.9", "10.0.1.4"]),
        ({"SecondaryPrivateIpAddressCount": 2}, ["10.0.1.4", "10.0.1.5", "10.0.1.6"]),
        ({"PrivateIpAddress": "10.0.1.5", "SecondaryPrivateIpAddressCount": 2}, ["10.0.1.5", "10.0.1.4", "10.0.1.6"]),
    ],
)
def test_addresses_given_at_creation(ec2: Any, request_: dict[str, Any], expected: list[str]) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    made = interface(ec2, subnet_id, **request_)
    assert addresses(made) == [(address, address == expected[0]) for address in expected]
    assert shown(ec2, made["NetworkInterfaceId"]) == expected
    (found,) = ec2.describe_subnets()["Subnets"]
    assert found["AvailableIpAddressCount"] == 251 - len(expected)


def test_a_request_that_is_sent_again_asks_for_the_same_addresses(service: Service, ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    request = {"ClientToken": "once", "PrivateIpAddresses": listed("10.0.1.9", "10.0.1.8")}
    made = interface(ec2, subnet_id, **request)
    assert interface(ec2, subnet_id, **request) == made
    with refused(service, "IdempotentParameterMismatch", made["NetworkInterfaceId"]):
        interface(ec2, subnet_id, ClientToken="once", PrivateIpAddresses=listed("10.0.1.9", "10.0.1.7"))


def test_assigning_and_unassigning(service: Service, ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    eni, other = (interface(ec2, subnet_id)["NetworkInterfaceId"] for _ in range(2))
    given = ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.20", "10.0.1.21"])
    assert given["NetworkInterfaceId"] == eni
    assert given["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": f"10.0.1.{n}"} for n in (20, 21)]
    chosen = ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1)
    assert chosen["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": "10.0.1.6"}]
    assert shown(ec2, eni) == ["10.0.1.4", "10.0.1.20", "10.0.1.21", "10.0.1.6"]
    assert interface(ec2, subnet_id)["PrivateIpAddress"] == "10.0.1.7"
    for address in ("10.0.1.20", "10.0.1.4"):
        with refused(service, "InvalidIPAddress.InUse", address):
            ec2.assign_private_ip_addresses(NetworkInterfaceId=other, PrivateIpAddresses=[address])
    with refused(service, "InvalidIPAddress.InUse", "10.0.1.4"):
        ec2.assign_private_ip_addresses(
            NetworkInterfaceId=other, PrivateIpAddresses=["10.0.1.20", "10.0.1.4"], AllowReassignment=True
        )
    move = {"PrivateIpAddresses": ["10.0.1.20"], "AllowReassignment": True}
    ec2.assign_private_ip_addresses(NetworkInterfaceId=other, **move)
    assert (shown(ec2, eni), shown(ec2, other)) == (
        ["10.0.1.4", "10.0.1.21", "10.0.1.6"],
        ["10.0.1.5", "10.0.1.20"],
    )
    again = ec2.assign_private_ip_addresses(NetworkInterfaceId=other, **move)
    assert again["AssignedPrivateIpAddresses"] == []
    assert shown(ec2, other) == ["10.0.1.5", "10.0.1.20"]
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.21"])
    assert shown(ec2, eni) == ["10.0.1.4", "10.0.1.6"]
    for address in ("10.0.1.4", "10.0.1.21", "x"):
        with refused(service, "InvalidParameterValue", "PrivateIpAddress", address, "10.0.1.6"):
            ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.6", address])
    with refused(service, "MissingParameter", "PrivateIpAddress"):
        ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni)
    for name, value, expected in (
        ("addresses.private-ip-address", "10.0.1.20", {other}),
        ("private-ip-address", "10.0.1.6", {eni}),
        ("addresses.primary", "false", {eni, other}),
    ):
        found = ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])["NetworkInterfaces"]
        assert {i["NetworkInterfaceId"] for i in found} == expected, name


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, "InvalidParameterCombination", ("PrivateIpAddresses", "SecondaryPrivateIpAddressCount")),
        (
            {"PrivateIpAddresses": ["10.0.1.9"], "SecondaryPrivateIpAddressCount": 1},
            "InvalidParameterCombination",
            ("PrivateIpAddresses", "SecondaryPrivateIpAddressCount"),
        ),
        ({"SecondaryPrivateIpAddressCount": -1}, "InvalidParameterValue", ("-1",)),
        ({"PrivateIpAddresses": ["10.0.2.9"]}, "InvalidParameterValue", ("10.0.2.9", "10.0.1.0/24")),
        ({"PrivateIpAddresses": ["10.0.1.1"]}, "InvalidParameterValue", ("10.0.1.1", "reserved")),
        ({"PrivateIpAddresses": ["10.0.1.9", "10.0.1.9"]}, "InvalidIPAddress.InUse", ("10.0.1.9",)),
        ({"Ipv4PrefixCount": 1}, "UnsupportedOperation", ("Ipv4PrefixCount",)),
        ({"Ipv4Prefixes": ["10.0.1.16/28"]}, "UnsupportedOperation", ("Ipv4Prefixes",)),
        (
            {"NetworkInterfaceId": UNKNOWN, "SecondaryPrivateIpAddressCount": 1},
            "InvalidNetworkInterfaceID.NotFound",
            (),
        ),
    ],
)
def test_an_address_that_cannot_be_assigned(
    service: Service, ec2: Any, changes: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    eni = interface(ec2, subnet(ec2, vpc(ec2)))["NetworkInterfaceId"]
    with refused(service, code, *words):
        ec2.assign_private_ip_addresses(**({"NetworkInterfaceId": eni} | changes))


class TestQuota:
    """The quota of addresses, the primary one among them."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(private_addresses_per_network_interface=2))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        eni = interface(ec2, subnet(ec2, vpc(ec2)), SecondaryPrivateIpAddressCount=1)["NetworkInterfaceId"]
        with refused(service, "PrivateIpAddressLimitExceeded", "2"):
            ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1)
