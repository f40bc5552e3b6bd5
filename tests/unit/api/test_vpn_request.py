"""CreateVpnConnection's parameters: what is accepted, what is refused, and with which code."""

from __future__ import annotations

from typing import Any

import pytest

from twinbore.api.errors import ApiError
from twinbore.api.ops.vpn_request import parse_connection

BASE = {"Type": "ipsec.1", "CustomerGatewayId": "cgw-0000000000000000a"}
VGW = {"VpnGatewayId": "vgw-0000000000000000a"}


def refusal(request: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_connection(request)
    return caught.value


def test_defaults() -> None:
    wanted = parse_connection(BASE | VGW)
    assert wanted.vpn_gateway_id == VGW["VpnGatewayId"]
    assert not wanted.static_routes_only
    assert wanted.local_ipv4_network_cidr == wanted.remote_ipv4_network_cidr == "0.0.0.0/0"
    assert len(wanted.tunnels) == 2


def test_the_defaults_given_explicitly_change_nothing() -> None:
    explicit = {
        "PreSharedKeyStorage": "Standard",
        "Options": {
            "EnableAcceleration": False,
            "StaticRoutesOnly": False,
            "TunnelInsideIpVersion": "ipv4",
            "OutsideIpAddressType": "PublicIpv4",
            "TunnelBandwidth": "standard",
            "LocalIpv4NetworkCidr": "0.0.0.0/0",
            "RemoteIpv4NetworkCidr": "0.0.0.0/0",
            "TunnelOptions": [{}, {}],
        },
    }
    assert parse_connection(BASE | VGW | explicit) == parse_connection(BASE | VGW)


def test_one_tunnel_specification_is_the_first_tunnels() -> None:
    options = {"TunnelOptions": [{"TunnelInsideCidr": "169.254.10.0/30"}]}
    first, second = parse_connection(BASE | {"Options": options}).tunnels
    assert (first.inside_cidr, second.inside_cidr) == ("169.254.10.0/30", None)


@pytest.mark.parametrize(
    ("change", "with_gateway", "without"),
    [
        ({"Options": {"EnableAcceleration": True}}, "InvalidParameterCombination", "UnsupportedOperation"),
        ({"Options": {"TunnelInsideIpVersion": "ipv6"}}, "InvalidParameterCombination", "UnsupportedOperation"),
        ({"Options": {"TunnelBandwidth": "large"}}, "InvalidParameterCombination", "UnsupportedOperation"),
        ({"Options": {"OutsideIpAddressType": "PrivateIpv4"}}, "InvalidParameterCombination", "UnsupportedOperation"),
        ({"Options": {"OutsideIpAddressType": "Ipv6"}}, "InvalidParameterCombination", "UnsupportedOperation"),
        (
            {"Options": {"TransportTransitGatewayAttachmentId": "tgw-attach-0000000000000000a"}},
            "InvalidParameterCombination",
            "UnsupportedOperation",
        ),
        ({"TransitGatewayId": "tgw-0000000000000000a"}, "InvalidParameterCombination", "UnsupportedOperation"),
        ({"VpnConcentratorId": "vcn-0000000000000000a"}, "InvalidParameterCombination", "UnsupportedOperation"),
        ({"PreSharedKeyStorage": "SecretsManager"}, "UnsupportedOperation", "UnsupportedOperation"),
        ({"PreSharedKeyStorage": "Vault"}, "InvalidParameterValue", "InvalidParameterValue"),
        ({"Type": "ipsec.2"}, "InvalidParameterValue", "InvalidParameterValue"),
        ({"Options": {"TunnelInsideIpVersion": "ipv5"}}, "InvalidParameterValue", "InvalidParameterValue"),
        ({"Options": {"TunnelBandwidth": "huge"}}, "InvalidParameterValue", "InvalidParameterValue"),
        ({"Options": {"OutsideIpAddressType": "Any"}}, "InvalidParameterValue", "InvalidParameterValue"),
        (
            {"Options": {"LocalIpv6NetworkCidr": "::/0"}},
            "InvalidParameterCombination",
            "InvalidParameterCombination",
        ),
        (
            {"Options": {"RemoteIpv6NetworkCidr": "::/0"}},
            "InvalidParameterCombination",
            "InvalidParameterCombination",
        ),
        ({"Options": {"LocalIpv4NetworkCidr": "10.0.0.1/8"}}, "InvalidParameterValue", "InvalidParameterValue"),
        ({"Options": {"RemoteIpv4NetworkCidr": "ten"}}, "InvalidParameterValue", "InvalidParameterValue"),
        ({"Options": {"TunnelOptions": [{}, {}, {}]}}, "InvalidParameterValue", "InvalidParameterValue"),
        (
            {"Options": {"TunnelOptions": [{"TunnelInsideCidr": "169.254.10.0/30"}] * 2}},
            "InvalidParameterValue",
            "InvalidParameterValue",
        ),
        (
            {"Options": {"TunnelOptions": [{}, {"DPDTimeoutSeconds": 1}]}},
            "InvalidParameterValue",
            "InvalidParameterValue",
        ),
    ],
)
def test_refused_options_have_their_code_and_are_named(change: dict[str, Any], with_gateway: str, without: str) -> None:
    name = next(iter(change.get("Options", change)))
    for target, code in ((VGW, with_gateway), ({}, without)):
        error = refusal(BASE | target | change)
        assert error.code == code
        assert name in error.message
