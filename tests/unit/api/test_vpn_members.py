"""Every member that AWS's model has for the VPN operations' requests is one that was thought of.

A new botocore may bring members that the codec then accepts by itself; this list makes sure that none of them is
ignored unnoticed. Whoever adds one here has made the operation use it or refuse it.
"""

from __future__ import annotations

import botocore.session
import pytest
from botocore.model import Shape

TAGS = {"TagSpecifications.ResourceType", "TagSpecifications.Tags.Key", "TagSpecifications.Tags.Value"}
FILTERS = {"Filters.Name", "Filters.Values"}
TUNNEL = {
    "TunnelInsideCidr",
    "TunnelInsideIpv6Cidr",
    "PreSharedKey",
    "Phase1LifetimeSeconds",
    "Phase2LifetimeSeconds",
    "RekeyMarginTimeSeconds",
    "RekeyFuzzPercentage",
    "ReplayWindowSize",
    "DPDTimeoutSeconds",
    "DPDTimeoutAction",
    "Phase1EncryptionAlgorithms.Value",
    "Phase2EncryptionAlgorithms.Value",
    "Phase1IntegrityAlgorithms.Value",
    "Phase2IntegrityAlgorithms.Value",
    "Phase1DHGroupNumbers.Value",
    "Phase2DHGroupNumbers.Value",
    "IKEVersions.Value",
    "StartupAction",
    "LogOptions.CloudWatchLogOptions.LogEnabled",
    "LogOptions.CloudWatchLogOptions.LogGroupArn",
    "LogOptions.CloudWatchLogOptions.LogOutputFormat",
    "LogOptions.CloudWatchLogOptions.BgpLogEnabled",
    "LogOptions.CloudWatchLogOptions.BgpLogGroupArn",
    "LogOptions.CloudWatchLogOptions.BgpLogOutputFormat",
    "EnableTunnelLifecycleControl",
    "Phase1AdditionalKeyExchanges.AdditionalKeyExchangeRound",
    "Phase1AdditionalKeyExchanges.KeyExchangeMethods.Value",
    "Phase1AdditionalKeyExchanges.Requirement",
    "Phase2AdditionalKeyExchanges.AdditionalKeyExchangeRound",
    "Phase2AdditionalKeyExchanges.KeyExchangeMethods.Value",
    "Phase2AdditionalKeyExchanges.Requirement",
}
OPTIONS = {
    "EnableAcceleration",
    "TunnelInsideIpVersion",
    "LocalIpv4NetworkCidr",
    "RemoteIpv4NetworkCidr",
    "LocalIpv6NetworkCidr",
    "RemoteIpv6NetworkCidr",
    "OutsideIpAddressType",
    "TransportTransitGatewayAttachmentId",
    "TunnelBandwidth",
    "StaticRoutesOnly",
}
KNOWN = {
    "CreateCustomerGateway": TAGS
    | {"BgpAsn", "BgpAsnExtended", "CertificateArn", "DeviceName", "IpAddress", "PublicIp", "Type"},
    "DescribeCustomerGateways": FILTERS | {"CustomerGatewayIds"},
    "DeleteCustomerGateway": {"CustomerGatewayId"},
    "CreateVpnGateway": TAGS | {"AmazonSideAsn", "AvailabilityZone", "Type"},
    "DescribeVpnGateways": FILTERS | {"VpnGatewayIds"},
    "DeleteVpnGateway": {"VpnGatewayId"},
    "AttachVpnGateway": {"VpcId", "VpnGatewayId"},
    "DetachVpnGateway": {"VpcId", "VpnGatewayId"},
    "CreateVpnConnection": TAGS
    | {
        "CustomerGatewayId",
        "PreSharedKeyStorage",
        "TransitGatewayId",
        "Type",
        "VpnConcentratorId",
        "VpnGatewayId",
    }
    | {f"Options.{name}" for name in OPTIONS}
    | {f"Options.TunnelOptions.{name}" for name in TUNNEL},
    "DescribeVpnConnections": FILTERS | {"VpnConnectionIds"},
    "DeleteVpnConnection": {"VpnConnectionId"},
    "CreateVpnConnectionRoute": {"DestinationCidrBlock", "VpnConnectionId"},
    "DeleteVpnConnectionRoute": {"DestinationCidrBlock", "VpnConnectionId"},
    "GetVpnConnectionDeviceTypes": {"MaxResults", "NextToken"},
    "GetVpnConnectionDeviceSampleConfiguration": {
        "InternetKeyExchangeVersion",
        "SampleType",
        "VpnConnectionDeviceTypeId",
        "VpnConnectionId",
    },
    "EnableVgwRoutePropagation": {"GatewayId", "RouteTableId"},
    "DisableVgwRoutePropagation": {"GatewayId", "RouteTableId"},
    "GetActiveVpnTunnelStatus": {"VpnConnectionId", "VpnTunnelOutsideIpAddress"},
    "ModifyVpnConnection": {"CustomerGatewayId", "TransitGatewayId", "VpnConnectionId", "VpnGatewayId"},
    "ModifyVpnConnectionOptions": {
        "LocalIpv4NetworkCidr",
        "RemoteIpv4NetworkCidr",
        "LocalIpv6NetworkCidr",
        "RemoteIpv6NetworkCidr",
        "TunnelBandwidth",
        "VpnConnectionId",
    },
    "ModifyVpnTunnelOptions": {
        "PreSharedKeyStorage",
        "SkipTunnelReplacement",
        "VpnConnectionId",
        "VpnTunnelOutsideIpAddress",
    }
    | {f"TunnelOptions.{name}" for name in TUNNEL},
    "ModifyVpnTunnelCertificate": {"VpnConnectionId", "VpnTunnelOutsideIpAddress"},
    "ReplaceVpnTunnel": {"ApplyPendingMaintenance", "VpnConnectionId", "VpnTunnelOutsideIpAddress"},
    "GetVpnTunnelReplacementStatus": {"VpnConnectionId", "VpnTunnelOutsideIpAddress"},
}
"""Operation → paths of its request's members. DryRun is the frame's."""


@pytest.mark.parametrize("operation", sorted(KNOWN))
def test_the_model_has_these_members_and_no_others(operation: str) -> None:
    model = botocore.session.get_session().get_service_model("ec2").operation_model(operation)
    assert set(_leaves(model.input_shape, "")) - {"DryRun"} == KNOWN[operation]


def _leaves(shape: Shape, path: str) -> list[str]:
    if shape.type_name == "list":
        return _leaves(shape.member, path)
    if shape.type_name != "structure":
        return [path]
    return [leaf for name, member in shape.members.items() for leaf in _leaves(member, f"{path}.{name}".lstrip("."))]
