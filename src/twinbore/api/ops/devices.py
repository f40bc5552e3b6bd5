"""Customer gateway devices: which configurations there are, and the one for a connection.

The text has the pre-shared keys in clear unless the options say otherwise, so it exists only while the connection is
pending or available.

Decisions where AWS's reference names no default:
* The IKE version is ikev2 if the device speaks it and both tunnels permit it, else ikev1.
* Without a sample type the suite is the strongest that the device and both tunnels can do.

References: EC2 API reference, GetVpnConnectionDeviceTypes, GetVpnConnectionDeviceSampleConfiguration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, get_args

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.common import paginate
from twinbore.api.ops.vpn_connection_view import ConnectionReader
from twinbore.devices.catalogue import device_types, find
from twinbore.devices.errors import DeviceCannot, IkeVersionNotOffered, SampleTypeNotOffered
from twinbore.devices.render import SampleType, device_configuration
from twinbore.devices.view import ConnectionView
from twinbore.model import resources as r
from twinbore.model import site
from twinbore.model.options import IKE_VERSIONS
from twinbore.model.states import LIVING

SAMPLE_TYPES: Final = get_args(SampleType)


@operation("GetVpnConnectionDeviceTypes")
def get_vpn_connection_device_types(_call: Call, request: Request) -> Response:
    shapes = [
        {
            "VpnConnectionDeviceTypeId": device.id,
            "Vendor": device.vendor,
            "Platform": device.platform,
            "Software": device.software,
        }
        for device in device_types()
    ]
    return paginate(request, shapes, "VpnConnectionDeviceTypes")


@operation("GetVpnConnectionDeviceSampleConfiguration")
def get_vpn_connection_device_sample_configuration(call: Call, request: Request) -> Response:
    connection = vpn_lookup.vpn_connection_in(call, request["VpnConnectionId"], *LIVING)
    device_id: str = request["VpnConnectionDeviceTypeId"]
    if find(device_id) is None:
        known = ", ".join(device.id for device in device_types())
        raise errors.invalid_value("VpnConnectionDeviceTypeId", device_id, f"one of {known}")
    sample_type: SampleType | None = request.get("SampleType")
    if sample_type is not None and sample_type not in SAMPLE_TYPES:
        raise errors.invalid_value("SampleType", sample_type, "one of " + ", ".join(SAMPLE_TYPES))
    view = device_view(call, connection)
    version: str = request.get("InternetKeyExchangeVersion") or preferred_version(view, device_id)
    if version not in IKE_VERSIONS:
        raise errors.invalid_value("InternetKeyExchangeVersion", version, "one of " + ", ".join(IKE_VERSIONS))
    try:
        text = device_configuration(
            view, device_id, version, sample_type, site=site.site_of(*site_tags(call, connection)), now=call.now
        )
    except SampleTypeNotOffered as error:
        raise errors.ApiError("UnsupportedOperationException", _sentence(error)) from error
    except IkeVersionNotOffered as error:
        raise errors.combination(f"InternetKeyExchangeVersion {version}: {_sentence(error)}") from error
    except DeviceCannot as error:
        raise errors.combination(_sentence(error)) from error
    return {"VpnConnectionDeviceSampleConfiguration": text}


def device_view(call: Call, connection: r.VpnConnection) -> ConnectionView:
    """The connection with what only a device's configuration needs: the VPC's blocks and the static routes."""
    reader = ConnectionReader(call, [connection])
    blocks: list[str] = []
    attachment = call.tx.get(r.VpnGatewayAttachment, connection.vpn_gateway_id) if connection.vpn_gateway_id else None
    if attachment is not None:
        vpc = call.tx.get(r.Vpc, attachment.vpc_id)
        blocks = [vpc.cidr_block] if vpc else []
        blocks += [block.cidr_block for block in call.tx.all(r.VpcCidrBlock, vpc_id=attachment.vpc_id)]
    routes = tuple(route.destination_cidr_block for route in reader.routes(connection))
    return replace(reader.view(connection), cloud_prefixes=tuple(blocks), static_routes=routes)


def site_tags(call: Call, connection: r.VpnConnection) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The tags of the customer gateway and of the connection; the latter's options win."""
    tags: dict[str, dict[str, str]] = {connection.customer_gateway_id: {}, connection.id: {}}
    for tag in call.tx.all(r.Tag, resource_id=list(tags)):
        tags[tag.resource_id][tag.key] = tag.value
    return tags[connection.customer_gateway_id], tags[connection.id]


def preferred_version(view: ConnectionView, device_id: str) -> str:
    """ikev2 where the device and both tunnels can, else ikev1."""
    device = find(device_id)
    permitted = [tunnel.tunnel.options.ike_versions for tunnel in view.tunnels]
    if device is not None:
        permitted.append(device.ike_versions)
    return "ikev2" if all("ikev2" in versions for versions in permitted) else "ikev1"


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[0].upper() + text[1:] + "."
