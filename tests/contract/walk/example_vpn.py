"""The life of a VPN connection with everything that can be said of it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from tests.contract.walk import example_changes
from tests.contract.walk.filters import check_filters
from tests.contract.walk.pages import check_pages
from tests.contract.walk.walker import Walker
from twinbore.model import resources as r

TUNNEL_1: dict[str, Any] = {
    "TunnelInsideCidr": "169.254.77.0/30",
    "PreSharedKey": "walking.through_the.model.1",
    "Phase1LifetimeSeconds": 28000,
    "Phase2LifetimeSeconds": 3500,
    "RekeyMarginTimeSeconds": 300,
    "RekeyFuzzPercentage": 50,
    "ReplayWindowSize": 512,
    "DPDTimeoutSeconds": 35,
    "DPDTimeoutAction": "restart",
    "Phase1EncryptionAlgorithms": [{"Value": "AES256"}, {"Value": "AES256-GCM-16"}],
    "Phase2EncryptionAlgorithms": [{"Value": "AES128-GCM-16"}],
    "Phase1IntegrityAlgorithms": [{"Value": "SHA2-384"}],
    "Phase2IntegrityAlgorithms": [{"Value": "SHA2-512"}],
    "Phase1DHGroupNumbers": [{"Value": 19}, {"Value": 20}],
    "Phase2DHGroupNumbers": [{"Value": 21}],
    "IKEVersions": [{"Value": "ikev2"}],
    "StartupAction": "start",
    "LogOptions": {"CloudWatchLogOptions": {"LogEnabled": False, "LogOutputFormat": "text", "BgpLogEnabled": False,
                                            "BgpLogOutputFormat": "text"}},
    "EnableTunnelLifecycleControl": True,
}  # fmt: skip


def tags(resource_type: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": resource_type, "Tags": [{"Key": "Name", "Value": name}]}]


def filter_of(name: str, value: object) -> dict[str, Any]:
    return {"Name": name, "Values": [str(value)]}


def walk(w: Walker) -> None:
    customer_id = _customer_gateways(w)
    vpc_id, gateway_id = _vpn_gateways(w)
    table_id = w("DescribeRouteTables", Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"][0][
        "RouteTableId"
    ]
    _propagation(w, gateway_id, table_id)
    connection = _connections(w, customer_id, gateway_id)
    _routes(w, customer_id, connection)
    _observed(w, connection)
    _devices(w, connection["VpnConnectionId"])
    example_changes.walk(w, connection)
    check_filters(w, "DescribeVpnConnections", "VpnConnections", but=("bgp-asn",))
    for asn in (65010, 65012):
        owned = [
            g["CustomerGatewayId"]
            for g in w("DescribeCustomerGateways", Filters=[filter_of("bgp-asn", asn)])["CustomerGateways"]
        ]
        found = w("DescribeVpnConnections", Filters=[filter_of("bgp-asn", asn)])["VpnConnections"]
        assert [c["CustomerGatewayId"] for c in found] == owned
    w.filtered["DescribeVpnConnections"].add("bgp-asn")
    check_filters(w, "DescribeVpnGateways", "VpnGateways")
    check_filters(w, "DescribeCustomerGateways", "CustomerGateways")
    w("DescribeTags")
    _end(w, connection["VpnConnectionId"], gateway_id, vpc_id, customer_id)


def _customer_gateways(w: Walker) -> str:
    made = w(
        "CreateCustomerGateway",
        Type="ipsec.1",
        BgpAsn=65010,
        IpAddress="192.0.2.10",
        DeviceName="office-router",
        TagSpecifications=tags("customer-gateway", "office"),
    )
    w("CreateCustomerGateway", Type="ipsec.1", PublicIp="192.0.2.11", BgpAsnExtended=4200000000)
    customer_id = str(made["CustomerGateway"]["CustomerGatewayId"])
    w("DescribeCustomerGateways", CustomerGatewayIds=[customer_id])
    w.wait("CustomerGatewayAvailable", CustomerGatewayIds=[customer_id])
    return customer_id


def _vpn_gateways(w: Walker) -> tuple[str, str]:
    vpc_id = w("CreateVpc", CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    zone = w("DescribeAvailabilityZones")["AvailabilityZones"][1]["ZoneName"]
    made = w(
        "CreateVpnGateway",
        Type="ipsec.1",
        AvailabilityZone=zone,
        AmazonSideAsn=64600,
        TagSpecifications=tags("vpn-gateway", "cloud-side"),
    )
    gateway_id = made["VpnGateway"]["VpnGatewayId"]
    w.settle()
    w("AttachVpnGateway", VpcId=vpc_id, VpnGatewayId=gateway_id)
    w.settle()
    w("DescribeVpnGateways", VpnGatewayIds=[gateway_id])
    return vpc_id, gateway_id


def _propagation(w: Walker, gateway_id: str, table_id: str) -> None:
    w("EnableVgwRoutePropagation", GatewayId=gateway_id, RouteTableId=table_id)
    w("DisableVgwRoutePropagation", GatewayId=gateway_id, RouteTableId=table_id)
    w("EnableVgwRoutePropagation", GatewayId=gateway_id, RouteTableId=table_id)
    w("DescribeRouteTables", RouteTableIds=[table_id])


def _connections(w: Walker, customer_id: str, gateway_id: str) -> dict[str, Any]:
    second = copy.deepcopy(TUNNEL_1) | {"TunnelInsideCidr": "169.254.78.0/30", "PreSharedKey": "second.key_of_the.walk"}
    made: dict[str, Any] = w(
        "CreateVpnConnection",
        CustomerGatewayId=customer_id,
        Type="ipsec.1",
        VpnGatewayId=gateway_id,
        PreSharedKeyStorage="Standard",
        TagSpecifications=tags("vpn-connection", "the-connection"),
        Options={
            "StaticRoutesOnly": False,
            "EnableAcceleration": False,
            "TunnelInsideIpVersion": "ipv4",
            "TunnelBandwidth": "standard",
            "OutsideIpAddressType": "PublicIpv4",
            "LocalIpv4NetworkCidr": "172.16.0.0/12",
            "RemoteIpv4NetworkCidr": "10.20.0.0/16",
            "TunnelOptions": [TUNNEL_1, second],
        },
    )["VpnConnection"]
    w.settle()
    w.wait("VpnConnectionAvailable", VpnConnectionIds=[made["VpnConnectionId"]])
    w("DescribeVpnConnections", VpnConnectionIds=[made["VpnConnectionId"]])
    return made


def _routes(w: Walker, customer_id: str, connection: dict[str, Any]) -> None:
    other = w("CreateCustomerGateway", Type="ipsec.1", IpAddress="192.0.2.12", BgpAsn=65012)
    static = w(
        "CreateVpnConnection",
        CustomerGatewayId=other["CustomerGateway"]["CustomerGatewayId"],
        Type="ipsec.1",
        VpnGatewayId=connection["VpnGatewayId"],
        Options={"StaticRoutesOnly": True},
    )["VpnConnection"]["VpnConnectionId"]
    w.settle()
    for block in ("198.18.0.0/16", "198.19.0.0/16"):
        w("CreateVpnConnectionRoute", DestinationCidrBlock=block, VpnConnectionId=static)
    w.settle()
    w("DescribeVpnConnections", VpnConnectionIds=[static])
    w("DeleteVpnConnectionRoute", DestinationCidrBlock="198.19.0.0/16", VpnConnectionId=static)
    w.settle()
    left = w("DescribeVpnConnections", VpnConnectionIds=[static])["VpnConnections"][0]["Routes"]
    assert [route["DestinationCidrBlock"] for route in left] == ["198.18.0.0/16"]
    w.effect("DeleteVpnConnectionRoute", "DestinationCidrBlock")


def _observed(w: Walker, connection: dict[str, Any]) -> None:
    """What the agent would record of a tunnel that is up."""
    tunnel = connection["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
    with w.service.database.write() as tx:
        row = next(t for t in tx.all(r.VpnTunnel) if t.outside_address == tunnel)
        telemetry = tx.get(r.TunnelTelemetry, row.id)
        assert telemetry is not None
        tx.update(
            telemetry,
            status="UP",
            status_message="2 BGP ROUTES",
            accepted_route_count=2,
            last_status_change=datetime(2026, 11, 26, tzinfo=UTC),
            ike_version="ikev2",
            phase1_encryption="AES256",
            phase1_integrity="SHA2-384",
            phase1_dh_group=20,
            phase2_encryption="AES128-GCM-16",
            phase2_integrity="SHA2-512",
            phase2_dh_group=21,
            detail="established",
        )
    w(
        "GetActiveVpnTunnelStatus",
        VpnConnectionId=connection["VpnConnectionId"],
        VpnTunnelOutsideIpAddress=tunnel,
    )
    w.effect("GetActiveVpnTunnelStatus", "VpnTunnelOutsideIpAddress")
    other = connection["Options"]["TunnelOptions"][1]["OutsideIpAddress"]
    down = w(
        "GetActiveVpnTunnelStatus",
        VpnConnectionId=connection["VpnConnectionId"],
        VpnTunnelOutsideIpAddress=other,
    )
    assert "IkeVersion" not in down["ActiveVpnTunnelStatus"]


def _devices(w: Walker, connection_id: str) -> None:
    check_pages(w, "GetVpnConnectionDeviceTypes", "VpnConnectionDeviceTypes")
    operation = "GetVpnConnectionDeviceSampleConfiguration"
    texts = [
        w(
            operation,
            VpnConnectionId=connection_id,
            VpnConnectionDeviceTypeId=device,
            InternetKeyExchangeVersion="ikev2",
            SampleType=sample,
        )["VpnConnectionDeviceSampleConfiguration"]
        for device in ("9005b6c1", "51cb26fd")
        for sample in ("compatibility", "recommended")
    ]
    assert len(set(texts)) == len(texts)
    w.effect(operation, "InternetKeyExchangeVersion", "SampleType", "VpnConnectionDeviceTypeId")


def _end(w: Walker, connection_id: str, gateway_id: str, vpc_id: str, customer_id: str) -> None:
    w("DeleteVpnConnection", VpnConnectionId=connection_id)
    w.settle()
    w.wait("VpnConnectionDeleted", VpnConnectionIds=[connection_id])
    for other in w("DescribeVpnConnections", Filters=[{"Name": "state", "Values": ["available"]}])["VpnConnections"]:
        w("DeleteVpnConnection", VpnConnectionId=other["VpnConnectionId"])
    w.settle()
    w("DetachVpnGateway", VpnGatewayId=gateway_id, VpcId=vpc_id)
    w.settle()
    w("DeleteVpnGateway", VpnGatewayId=gateway_id)
    w("DeleteCustomerGateway", CustomerGatewayId=customer_id)
