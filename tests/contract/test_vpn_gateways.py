"""CreateVpnGateway, DescribeVpnGateways, AttachVpnGateway, DetachVpnGateway, DeleteVpnGateway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import POOL_A, POOL_B, Service, now
from tests.contract.vpn import connect, customer_gateway, foreign, refused, vpc, vpn_gateway
from twinbore.model.resources import VpnGateway
from twinbore.model.settings import Quotas, Settings


@pytest.fixture
def settings() -> Settings:
    return Settings(outside_pool_a=POOL_A, outside_pool_b=POOL_B, quotas=Quotas(vpn_gateways=3))


def described(ec2: Any, **request: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ec2.describe_vpn_gateways(**request)["VpnGateways"]
    return found


def attachment(ec2: Any, gateway: str) -> list[tuple[str, str]]:
    return [(a["VpcId"], a["State"]) for a in described(ec2, VpnGatewayIds=[gateway])[0]["VpcAttachments"]]


def attached(service: Service, ec2: Any) -> tuple[str, str]:
    """A gateway that is attached to a new VPC: both ids."""
    gateway, network = vpn_gateway(ec2), vpc(ec2)
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    service.settle()
    return gateway, network


def test_a_new_one_is_detached_and_has_asn_64512_by_default(service: Service, ec2: Any) -> None:
    made = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]
    assert made == {
        "VpnGatewayId": made["VpnGatewayId"],
        "State": "pending",
        "Type": "ipsec.1",
        "AmazonSideAsn": 64512,
        "VpcAttachments": [],
        "Tags": [],
    }
    service.settle()
    assert described(ec2) == [made | {"State": "available"}]


def test_everything_given_is_shown(ec2: Any) -> None:
    made = ec2.create_vpn_gateway(
        Type="ipsec.1",
        AmazonSideAsn=4294967294,
        AvailabilityZone="us-east-1b",
        TagSpecifications=[{"ResourceType": "vpn-gateway", "Tags": [{"Key": "Name", "Value": "hub"}]}],
    )["VpnGateway"]
    assert (made["AmazonSideAsn"], made["AvailabilityZone"]) == (4294967294, "us-east-1b")
    assert made["Tags"] == [{"Key": "Name", "Value": "hub"}]
    assert described(ec2) == [made]


@pytest.mark.parametrize("asn", [64512, 65534, 4200000000])
def test_private_asns_are_accepted(ec2: Any, asn: int) -> None:
    assert described(ec2, VpnGatewayIds=[vpn_gateway(ec2, AmazonSideAsn=asn)])[0]["AmazonSideAsn"] == asn


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"Type": "ipsec.2"}, "InvalidParameterValue", ["Type", "ipsec.1"]),
        ({"AmazonSideAsn": 64511}, "InvalidParameterValue", ["AmazonSideAsn", "64512 to 65534"]),
        ({"AmazonSideAsn": 65535}, "InvalidParameterValue", ["65535"]),
        ({"AmazonSideAsn": 7224}, "InvalidParameterValue", ["7224"]),
        ({"AmazonSideAsn": 0}, "InvalidParameterValue", ["(0)"]),
        ({"AmazonSideAsn": 4294967295}, "InvalidParameterValue", ["4200000000 to 4294967294"]),
        ({"AvailabilityZone": "us-east-1z"}, "InvalidZone.NotFound", ["us-east-1z", "us-east-1a"]),
        (
            {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]},
            "InvalidParameterValue",
            ["vpn-gateway"],
        ),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    service: Service, ec2: Any, change: dict[str, Any], code: str, words: list[str]
) -> None:
    with refused(service, code, *words):
        vpn_gateway(ec2, **change)


def test_the_quota_counts_those_that_are_not_deleted(service: Service, ec2: Any) -> None:
    made = [vpn_gateway(ec2) for _ in range(3)]
    assert len(set(made)) == 3
    with refused(service, "VpnGatewayLimitExceeded", "(3)"):
        vpn_gateway(ec2)
    ec2.delete_vpn_gateway(VpnGatewayId=made[0])
    service.settle()
    vpn_gateway(ec2)


def test_attach_and_detach(service: Service, ec2: Any) -> None:
    gateway, network = vpn_gateway(ec2), vpc(ec2)
    answer = ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)["VpcAttachment"]
    assert answer == {"VpcId": network, "State": "attaching"}
    assert attachment(ec2, gateway) == [(network, "attaching")]
    service.settle()
    assert attachment(ec2, gateway) == [(network, "attached")]
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    assert attachment(ec2, gateway) == [(network, "detaching")]
    service.settle()
    assert attachment(ec2, gateway) == [(network, "detached")]


def test_attaching_again_changes_nothing(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    before = service.dump()
    answer = ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)["VpcAttachment"]
    assert answer == {"VpcId": network, "State": "attached"}
    assert service.dump() == before


def test_detaching_again_changes_nothing(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    before = service.dump()
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    assert service.dump() == before


def test_a_detached_gateway_can_be_attached_elsewhere(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    other = vpc(ec2, "10.1.0.0/16")
    with refused(service, "IncorrectState", "being detached", network):
        ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=other)
    service.settle()
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=other)
    service.settle()
    assert attachment(ec2, gateway) == [(other, "attached")]


def test_one_gateway_for_a_vpc_and_one_vpc_for_a_gateway(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    lone, other = vpn_gateway(ec2), vpc(ec2, "10.1.0.0/16")
    words = f"VPC {network} is currently attached to the Virtual Private Gateway"
    with refused(service, "InvalidVpcState", words, gateway):
        ec2.attach_vpn_gateway(VpnGatewayId=lone, VpcId=network)
    with refused(service, "VpnGatewayAttachmentLimitExceeded", gateway):
        ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=other)


def test_a_vpc_takes_another_gateway_only_when_the_first_is_detached(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    second = vpn_gateway(ec2)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    with refused(service, "InvalidVpcState", gateway):
        ec2.attach_vpn_gateway(VpnGatewayId=second, VpcId=network)
    service.settle()
    ec2.attach_vpn_gateway(VpnGatewayId=second, VpcId=network)


def test_detaching_what_is_not_attached(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    lone, other = vpn_gateway(ec2), vpc(ec2, "10.1.0.0/16")
    for wrong_gateway, wrong_network in ((lone, network), (gateway, other)):
        with refused(service, "InvalidVpnGatewayAttachment.NotFound", wrong_gateway, wrong_network):
            ec2.detach_vpn_gateway(VpnGatewayId=wrong_gateway, VpcId=wrong_network)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    service.settle()
    with refused(service, "InvalidVpnGatewayAttachment.NotFound", gateway):
        ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)


@pytest.mark.parametrize(
    ("gateway", "network", "code"),
    [
        ("vgw-0123456789abcdef0", None, "InvalidVpnGatewayID.NotFound"),
        ("vgw-nonsense", None, "InvalidVpnGatewayId.Malformed"),
        (None, "vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
        (None, "vpc-nonsense", "InvalidVpcID.Malformed"),
    ],
)
def test_attach_and_detach_of_what_does_not_exist(
    service: Service, ec2: Any, gateway: str | None, network: str | None, code: str
) -> None:
    pair = {"VpnGatewayId": gateway or vpn_gateway(ec2), "VpcId": network or vpc(ec2)}
    for operation in (ec2.attach_vpn_gateway, ec2.detach_vpn_gateway):
        with refused(service, code, gateway or network or ""):
            operation(**pair)


def test_a_pending_connection_holds_attach_and_detach_up(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    words = "This call cannot be completed because there are pending VPNs or Virtual Interfaces"
    made = connect(ec2, customer_gateway(ec2), gateway)["VpnConnectionId"]
    with refused(service, "InvalidParameterValue", words, made):
        ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    service.settle()
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    lone, other = vpn_gateway(ec2), vpc(ec2, "10.1.0.0/16")
    connect(ec2, customer_gateway(ec2, BgpAsn=65001), lone)
    with refused(service, "InvalidParameterValue", words):
        ec2.attach_vpn_gateway(VpnGatewayId=lone, VpcId=other)


def test_deletion_needs_it_detached_and_without_connections(service: Service, ec2: Any) -> None:
    gateway, network = attached(service, ec2)
    made = connect(ec2, customer_gateway(ec2), gateway)["VpnConnectionId"]
    service.settle()
    with refused(service, "IncorrectState", "The VPN gateway is in use.", network):
        ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    with refused(service, "IncorrectState", "The VPN gateway is in use.", "detaching"):
        ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    service.settle()
    with refused(service, "IncorrectState", "The VPN gateway is in use.", made):
        ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    ec2.delete_vpn_connection(VpnConnectionId=made)
    service.settle()
    ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    assert described(ec2, VpnGatewayIds=[gateway])[0]["State"] == "deleting"
    ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    service.settle()
    assert described(ec2, VpnGatewayIds=[gateway])[0]["State"] == "deleted"


def test_one_that_is_being_deleted_cannot_be_used(service: Service, ec2: Any) -> None:
    gateway, network, customer = vpn_gateway(ec2), vpc(ec2), customer_gateway(ec2)
    ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    with refused(service, "InvalidVpnGatewayState", gateway, "deleting"):
        ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    with refused(service, "InvalidVpnGatewayState", gateway):
        connect(ec2, customer, gateway)
    service.settle()
    for operation in (
        lambda: ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network),
        lambda: ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network),
        lambda: ec2.delete_vpn_gateway(VpnGatewayId=gateway),
        lambda: connect(ec2, customer, gateway),
    ):
        with refused(service, "InvalidVpnGatewayID.NotFound", gateway):
            operation()


def test_every_filter_finds_the_one(service: Service, ec2: Any) -> None:
    vpn_gateway(ec2)
    specification = {"ResourceType": "vpn-gateway", "Tags": [{"Key": "Site", "Value": "north"}]}
    wanted = vpn_gateway(ec2, AmazonSideAsn=64600, AvailabilityZone="us-east-1c", TagSpecifications=[specification])
    network = vpc(ec2)
    ec2.attach_vpn_gateway(VpnGatewayId=wanted, VpcId=network)
    for name, value in (
        ("amazon-side-asn", "64600"),
        ("attachment.state", "attaching"),
        ("attachment.vpc-id", network),
        ("availability-zone", "us-east-1c"),
        ("vpn-gateway-id", wanted),
        ("tag:Site", "north"),
        ("tag-key", "Site"),
    ):
        found = described(ec2, Filters=[{"Name": name, "Values": [value]}])
        assert [g["VpnGatewayId"] for g in found] == [wanted], name
    for name, value in (("state", "pending"), ("type", "ipsec.1")):
        assert len(described(ec2, Filters=[{"Name": name, "Values": [value]}])) == 2


def test_another_accounts_gateway_does_not_exist(service: Service, ec2: Any) -> None:
    row = VpnGateway("vgw-0123456789abcdef0", "210987654321", "available", "ipsec.1", 64512, 99, None, now())
    identifier = foreign(service, row)
    assert described(ec2) == []
    with refused(service, "InvalidVpnGatewayID.NotFound", identifier):
        ec2.delete_vpn_gateway(VpnGatewayId=identifier)


def test_dry_run_changes_nothing(service: Service, ec2: Any) -> None:
    gateway, network = vpn_gateway(ec2), vpc(ec2)
    for operation in (
        lambda: vpn_gateway(ec2, DryRun=True),
        lambda: ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network, DryRun=True),
        lambda: ec2.delete_vpn_gateway(VpnGatewayId=gateway, DryRun=True),
    ):
        with refused(service, "DryRunOperation"):
            operation()
