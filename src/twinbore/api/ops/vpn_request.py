"""CreateVpnConnection's parameters as a value: everything that can be judged without looking at a resource.

AWS has options that belong to other targets than a virtual private gateway (transit gateway, Cloud WAN), and some that
need other services. With a virtual private gateway AWS refuses the first with InvalidParameterCombination, and so is
done here; what AWS would take but cannot be had here is UnsupportedOperation. The message says what is possible.

References: EC2 API reference, CreateVpnConnection, `VpnConnectionOptionsSpecification`; AWS Site-to-Site VPN User
Guide, "Limitations".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Request
from twinbore.api.ops.common import cidr
from twinbore.api.ops.vpn_tunnels import TunnelRequest, parse_tunnel

IPSEC_1: Final = "ipsec.1"
TUNNELS: Final = 2
PRE_SHARED_KEY_STORAGES: Final = ("Standard", "SecretsManager")
TUNNEL_BANDWIDTHS: Final = ("standard", "large")
INSIDE_IP_VERSIONS: Final = ("ipv4", "ipv6")
OUTSIDE_ADDRESS_TYPES: Final = ("PublicIpv4", "PrivateIpv4", "Ipv6")


@dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """What a request wants of a connection; `vpn_gateway_id` None is a connection without a target gateway."""

    customer_gateway_id: str
    vpn_gateway_id: str | None
    static_routes_only: bool
    local_ipv4_network_cidr: str
    remote_ipv4_network_cidr: str
    tunnels: tuple[TunnelRequest, TunnelRequest]


def check_type(value: str) -> None:
    """Refuse every gateway and connection type but the one that exists."""
    if value != IPSEC_1:
        raise errors.invalid_value("Type", value, IPSEC_1)


def parse_connection(request: Request) -> ConnectionRequest:
    """The request, validated. Raises `ApiError` that names the parameter as it stands on the wire."""
    check_type(request["Type"])
    gateway_id: str | None = request.get("VpnGatewayId")
    _check_targets(request, gateway_id)
    check_pre_shared_key_storage(request)
    options: Mapping[str, Any] = request.get("Options") or {}
    _check_options(options, gateway_id)
    return ConnectionRequest(
        customer_gateway_id=request["CustomerGatewayId"],
        vpn_gateway_id=gateway_id,
        static_routes_only=bool(options.get("StaticRoutesOnly", False)),
        local_ipv4_network_cidr=_network(options, "LocalIpv4NetworkCidr"),
        remote_ipv4_network_cidr=_network(options, "RemoteIpv4NetworkCidr"),
        tunnels=_tunnels(options.get("TunnelOptions") or []),
    )


def check_pre_shared_key_storage(request: Request) -> None:
    """Refuse every storage of keys but the one that exists."""
    _choice("PreSharedKeyStorage", request.get("PreSharedKeyStorage"), PRE_SHARED_KEY_STORAGES)
    if request.get("PreSharedKeyStorage") == "SecretsManager":
        raise errors.unsupported(
            "PreSharedKeyStorage SecretsManager: there is no Secrets Manager here. Use Standard, the default: keys are "
            "kept encrypted by the service."
        )


def _check_targets(request: Request, gateway_id: str | None) -> None:
    for name, what in (("TransitGatewayId", "transit gateways"), ("VpnConcentratorId", "VPN concentrators")):
        if request.get(name) is None:
            continue
        if gateway_id is not None:
            raise errors.combination(f"The parameters VpnGatewayId and {name} cannot be used together.")
        raise errors.unsupported(f"{name}: there are no {what} here. Give VpnGatewayId.")


def _check_options(options: Mapping[str, Any], gateway_id: str | None) -> None:
    for name, allowed in (
        ("TunnelInsideIpVersion", INSIDE_IP_VERSIONS),
        ("OutsideIpAddressType", OUTSIDE_ADDRESS_TYPES),
        ("TunnelBandwidth", TUNNEL_BANDWIDTHS),
    ):
        value = options.get(name)
        _choice(f"Options.{name}", value, allowed)
        if value not in (None, allowed[0]):
            _refuse(gateway_id, f"Options.{name} {value}", f"Use {allowed[0]}, the default.")
    if options.get("EnableAcceleration"):
        _refuse(gateway_id, "Options.EnableAcceleration", "Leave it out or false.")
    if options.get("TransportTransitGatewayAttachmentId") is not None:
        _refuse(gateway_id, "Options.TransportTransitGatewayAttachmentId", "Leave it out.")
    for name in ("LocalIpv6NetworkCidr", "RemoteIpv6NetworkCidr"):
        if options.get(name) is not None:
            raise errors.combination(
                f"Options.{name} is for TunnelInsideIpVersion ipv6 only; the tunnels of this connection carry IPv4."
            )


def _refuse(gateway_id: str | None, what: str, instead: str) -> None:
    if gateway_id is not None:
        raise errors.combination(
            f"{what} is not available for a connection of a virtual private gateway ({gateway_id}). {instead}"
        )
    raise errors.unsupported(f"{what} needs a transit gateway or Cloud WAN, which are not available here. {instead}")


def _choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise errors.invalid_value(name, value, "one of " + ", ".join(allowed))


def _network(options: Mapping[str, Any], name: str) -> str:
    text = options.get(name)
    return "0.0.0.0/0" if text is None else str(cidr(f"Options.{name}", text))


def _tunnels(specifications: list[Mapping[str, Any]]) -> tuple[TunnelRequest, TunnelRequest]:
    if len(specifications) > TUNNELS:
        raise errors.invalid_value("Options.TunnelOptions", f"{len(specifications)} items", f"at most {TUNNELS} items")
    padded = [*specifications, {}, {}]
    first, second = (parse_tunnel(padded[i], f"TunnelOptions.{i + 1}") for i in range(TUNNELS))
    if first.inside_cidr is not None and first.inside_cidr == second.inside_cidr:
        raise errors.invalid_value(
            "TunnelOptions.2.TunnelInsideCidr", second.inside_cidr, "a block other than that of tunnel 1"
        )
    return first, second
