"""Differences of the VPN operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twinbore.api.differences.reasons import CERTIFICATES, IPV6, NO_CORE_NETWORK, NO_LOG_GROUPS, TRANSIT_GATEWAYS

ADDITIONAL_KEYS: Final = (
    "additional key exchanges (post-quantum, RFC 9370) are not available: leave them out, and choose among the groups "
    "of Phase1DHGroupNumbers and Phase2DHGroupNumbers"
)
NO_CONCENTRATORS: Final = "VPN concentrators come in a later version: connect to a virtual private gateway"
NOT_CERTIFIED: Final = "tunnels authenticate by pre-shared key: change it with ModifyVpnTunnelOptions"
ONLY_VGW: Final = "it needs a transit gateway or Cloud WAN, which come in a later version: use the default"

MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "ActiveVpnTunnelStatus": {
        "Phase1AdditionalKeyExchanges": ADDITIONAL_KEYS,
        "Phase2AdditionalKeyExchanges": ADDITIONAL_KEYS,
    },
    "CloudWatchLogOptions": {"LogGroupArn": NO_LOG_GROUPS, "BgpLogGroupArn": NO_LOG_GROUPS},
    "CloudWatchLogOptionsSpecification": {"LogGroupArn": NO_LOG_GROUPS, "BgpLogGroupArn": NO_LOG_GROUPS},
    "CreateCustomerGatewayRequest": {"CertificateArn": CERTIFICATES},
    "CreateVpnConnectionRequest": {
        "PreSharedKeyStorage=SecretsManager": "there is no Secrets Manager: keys are kept encrypted by the service",
        "TransitGatewayId": TRANSIT_GATEWAYS,
        "VpnConcentratorId": NO_CONCENTRATORS,
    },
    "CustomerGateway": {"CertificateArn": CERTIFICATES},
    "GetVpnTunnelReplacementStatusResult": {"TransitGatewayId": TRANSIT_GATEWAYS},
    "ModifyVpnConnectionOptionsRequest": {
        "LocalIpv6NetworkCidr": IPV6,
        "RemoteIpv6NetworkCidr": IPV6,
        "TunnelBandwidth=large": ONLY_VGW,
    },
    "ModifyVpnConnectionRequest": {"TransitGatewayId": TRANSIT_GATEWAYS},
    "ModifyVpnTunnelCertificateRequest": {
        "DryRun": NOT_CERTIFIED,
        "VpnConnectionId": NOT_CERTIFIED,
        "VpnTunnelOutsideIpAddress": NOT_CERTIFIED,
    },
    "ModifyVpnTunnelCertificateResult": {"VpnConnection": NOT_CERTIFIED},
    "ModifyVpnTunnelOptionsSpecification": {
        "Phase1AdditionalKeyExchanges": ADDITIONAL_KEYS,
        "Phase2AdditionalKeyExchanges": ADDITIONAL_KEYS,
        "TunnelInsideIpv6Cidr": IPV6,
    },
    "TunnelOption": {
        "Phase1AdditionalKeyExchanges": ADDITIONAL_KEYS,
        "Phase2AdditionalKeyExchanges": ADDITIONAL_KEYS,
        "TunnelInsideIpv6Cidr": IPV6,
    },
    "VgwTelemetry": {"CertificateArn": CERTIFICATES},
    "VpnConnection": {
        "CoreNetworkArn": NO_CORE_NETWORK,
        "CoreNetworkAttachmentArn": NO_CORE_NETWORK,
        "PreSharedKeyArn": "there is no Secrets Manager: keys are kept encrypted by the service",
        "TransitGatewayId": TRANSIT_GATEWAYS,
        "VpnConcentratorId": NO_CONCENTRATORS,
    },
    "VpnConnectionOptions": {
        "LocalIpv6NetworkCidr": IPV6,
        "RemoteIpv6NetworkCidr": IPV6,
        "TransportTransitGatewayAttachmentId": TRANSIT_GATEWAYS,
    },
    "VpnConnectionOptionsSpecification": {
        "LocalIpv6NetworkCidr": IPV6,
        "RemoteIpv6NetworkCidr": IPV6,
        "TransportTransitGatewayAttachmentId": TRANSIT_GATEWAYS,
        "TunnelBandwidth=large": ONLY_VGW,
        "TunnelInsideIpVersion=ipv6": ONLY_VGW,
    },
    "VpnTunnelOptionsSpecification": {
        "Phase1AdditionalKeyExchanges": ADDITIONAL_KEYS,
        "Phase2AdditionalKeyExchanges": ADDITIONAL_KEYS,
        "TunnelInsideIpv6Cidr": IPV6,
    },
}

FILTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "DescribeVpnConnections": {"transit-gateway-id": TRANSIT_GATEWAYS},
}
