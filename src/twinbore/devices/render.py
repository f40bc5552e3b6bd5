"""Sample configurations: a device type's template over a connection.

* `compatibility` offers all that the connection's tunnels allow; `recommended` the strongest of each kind, and IKEv2
  only, as in the EC2 API.
* Templates decide layout and syntax of one platform; what they show is computed here, once for all platforms. A
  variable that a template misspells is an error (StrictUndefined), never an empty line in a router's configuration.

References: EC2 API reference, GetVpnConnectionDeviceSampleConfiguration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from twinbore.devices import strongswan
from twinbore.devices.catalogue import DEVICE_TYPES, DeviceType, find
from twinbore.devices.errors import IkeVersionNotOffered, SampleTypeNotOffered, UnknownDeviceType
from twinbore.devices.offer import NothingToOffer, offered_options
from twinbore.devices.view import ConnectionView, TunnelView
from twinbore.model.addressing import inside_customer, inside_gateway
from twinbore.model.mtu import IPV4_AND_TCP_HEADERS, tunnel_mtu
from twinbore.model.options import DPD_INTERVAL_SECONDS, TunnelOptions

SampleType = Literal["compatibility", "recommended"]

LIBIPSEC_MTU: Final = 1400
"""MTU that strongSwan's kernel-libipsec gives its TUN device (TUN_DEFAULT_MTU)."""


@dataclass(frozen=True, slots=True)
class TunnelSample:
    """What templates show of one tunnel. Times in seconds, sizes in bytes; `options` are those offered to the device.

    `customer` and `gateway` are the inside addresses with length, `outside` is the gateway's outside address.
    """

    index: int
    outside: str
    customer: str
    customer_ip: str
    gateway_ip: str
    pre_shared_key: str = field(repr=False)
    bgp_password: str = field(repr=False)
    options: TunnelOptions
    ike_proposals: str
    esp_proposals: str
    mtu: int

    @property
    def mss(self) -> int:
        return self.mtu - IPV4_AND_TCP_HEADERS


def sample_configuration(view: ConnectionView, device_type_id: str, ike_version: str, sample_type: SampleType) -> str:
    """The text for the device, keys in clear.

    Raises `UnknownDeviceType`, `IkeVersionNotOffered` or `SampleTypeNotOffered`.
    """
    device = find(device_type_id)
    if device is None:
        known = ", ".join(d.id for d in DEVICE_TYPES)
        raise UnknownDeviceType(f"no device type has the id {device_type_id!r}; there are {known}")
    _check(view, device, ike_version, sample_type)
    strongest = sample_type == "recommended"
    return (
        _environment()
        .get_template(device.template)
        .render(
            view=view,
            connection=view.connection,
            device=device,
            ike_version=ike_version,
            sample_type=sample_type,
            dpd_interval=DPD_INTERVAL_SECONDS,
            libipsec_mtu=LIBIPSEC_MTU,
            tunnels=[_tunnel(side, ike_version, strongest) for side in view.tunnels],
        )
    )


def _check(view: ConnectionView, device: DeviceType, ike_version: str, sample_type: str) -> None:
    if sample_type not in get_args(SampleType):
        raise SampleTypeNotOffered(f"sample type {sample_type!r} is not one of compatibility, recommended")
    if ike_version not in device.ike_versions:
        raise IkeVersionNotOffered(
            f"{device.vendor} {device.platform} speaks {', '.join(device.ike_versions)}, not {ike_version!r}"
        )
    if sample_type == "recommended" and ike_version == "ikev1":
        raise SampleTypeNotOffered("the recommended sample is for ikev2 only: ask for ikev2, or for compatibility")
    for side in view.tunnels:
        options = side.tunnel.options
        if ike_version not in options.ike_versions:
            raise IkeVersionNotOffered(
                f"tunnel {side.tunnel.index} of {view.connection.id} allows {', '.join(options.ike_versions)} only"
            )


def _tunnel(side: TunnelView, ike_version: str, strongest: bool) -> TunnelSample:
    tunnel = side.tunnel
    customer = inside_customer(tunnel.inside_cidr)
    try:
        options = offered_options(tunnel.options, ike_version, strongest_only=strongest)
    except NothingToOffer as error:
        raise IkeVersionNotOffered(f"tunnel {tunnel.index}: {error}; ask for ikev2") from error
    return TunnelSample(
        index=tunnel.index,
        outside=tunnel.outside_address,
        customer=str(customer),
        customer_ip=str(customer.ip),
        gateway_ip=str(inside_gateway(tunnel.inside_cidr).ip),
        pre_shared_key=side.pre_shared_key,
        bgp_password=side.bgp_password,
        options=options,
        ike_proposals=strongswan.ike_proposals(options),
        esp_proposals=strongswan.esp_proposals(options),
        mtu=tunnel_mtu(options.phase2_encryption_algorithms, options.phase2_integrity_algorithms, encapsulated=True),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("twinbore.devices", "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is a router's configuration, not a page
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
