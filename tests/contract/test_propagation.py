"""EnableVgwRoutePropagation and DisableVgwRoutePropagation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import refused, vpc, vpn_gateway


@pytest.fixture
def network(ec2: Any) -> str:
    return vpc(ec2)


@pytest.fixture
def table(ec2: Any, network: str) -> str:
    return str(ec2.create_route_table(VpcId=network)["RouteTable"]["RouteTableId"])


@pytest.fixture
def gateway(service: Service, ec2: Any, network: str) -> str:
    """A gateway that is attached to `network`."""
    identifier = vpn_gateway(ec2)
    ec2.attach_vpn_gateway(VpnGatewayId=identifier, VpcId=network)
    service.settle()
    return identifier


def propagating(ec2: Any, table: str) -> list[str]:
    found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    return [vgw["GatewayId"] for vgw in found["PropagatingVgws"]]


def test_it_is_off_until_enabled_and_off_again_when_disabled(ec2: Any, table: str, gateway: str) -> None:
    assert propagating(ec2, table) == []
    ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert propagating(ec2, table) == [gateway]
    ec2.disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert propagating(ec2, table) == []


def test_both_are_idempotent(service: Service, ec2: Any, table: str, gateway: str) -> None:
    for operation in (ec2.enable_vgw_route_propagation, ec2.disable_vgw_route_propagation):
        operation(GatewayId=gateway, RouteTableId=table)
        before = service.dump()
        operation(GatewayId=gateway, RouteTableId=table)
        assert service.dump() == before


def test_it_may_be_enabled_while_the_gateway_is_being_attached(ec2: Any, network: str, table: str) -> None:
    attaching = vpn_gateway(ec2)
    ec2.attach_vpn_gateway(VpnGatewayId=attaching, VpcId=network)
    ec2.enable_vgw_route_propagation(GatewayId=attaching, RouteTableId=table)
    assert propagating(ec2, table) == [attaching]


def test_detaching_ends_it(service: Service, ec2: Any, network: str, table: str, gateway: str) -> None:
    ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    assert propagating(ec2, table) == []
    with refused(service, "Gateway.NotAttached", gateway):
        ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    service.settle()
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    assert propagating(ec2, table) == []


def test_a_gateway_that_is_not_attached(service: Service, ec2: Any, table: str) -> None:
    lone = vpn_gateway(ec2)
    with refused(service, "Gateway.NotAttached", lone):
        ec2.enable_vgw_route_propagation(GatewayId=lone, RouteTableId=table)


def test_a_route_table_of_another_vpc(service: Service, ec2: Any, gateway: str) -> None:
    other = ec2.create_route_table(VpcId=vpc(ec2, "10.1.0.0/16"))["RouteTable"]["RouteTableId"]
    with refused(service, "InvalidParameterValue", other, gateway, "belong to different networks"):
        ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=other)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"GatewayId": "vgw-0123456789abcdef0"}, "InvalidGatewayID.NotFound"),
        ({"GatewayId": "igw-0123456789abcdef0"}, "InvalidVpnGatewayId.Malformed"),
        ({"RouteTableId": "rtb-0123456789abcdef0"}, "InvalidRouteTableID.NotFound"),
        ({"RouteTableId": "rtb-1"}, "InvalidRouteTableId.Malformed"),
    ],
)
def test_what_does_not_exist(
    service: Service, ec2: Any, table: str, gateway: str, change: dict[str, str], code: str
) -> None:
    request = {"GatewayId": gateway, "RouteTableId": table} | change
    for operation in (ec2.enable_vgw_route_propagation, ec2.disable_vgw_route_propagation):
        with refused(service, code, *change.values()):
            operation(**request)


def test_a_deleted_gateway_does_not_exist(service: Service, ec2: Any, table: str) -> None:
    gone = vpn_gateway(ec2)
    ec2.delete_vpn_gateway(VpnGatewayId=gone)
    service.settle()
    with refused(service, "InvalidGatewayID.NotFound", gone):
        ec2.enable_vgw_route_propagation(GatewayId=gone, RouteTableId=table)


def test_dry_run_changes_nothing(service: Service, ec2: Any, table: str, gateway: str) -> None:
    with refused(service, "DryRunOperation"):
        ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table, DryRun=True)
