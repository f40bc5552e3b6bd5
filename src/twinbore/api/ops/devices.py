"""Customer gateway devices: which sample configurations there are, and the one for a connection.

The text has the pre-shared keys in clear, so it exists only while the connection is pending or available.

Decision: where the request names no IKE version it is ikev2 if the device speaks it and both tunnels permit it, else
ikev1 (AWS's reference names no default).

References: EC2 API reference, GetVpnConnectionDeviceTypes, GetVpnConnectionDeviceSampleConfiguration.
"""

from __future__ import annotations

from typing import Final, get_args

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.common import paginate
from twinbore.api.ops.vpn_connection_view import ConnectionReader
from twinbore.devices.catalogue import DEVICE_TYPES, find
from twinbore.devices.errors import IkeVersionNotOffered, SampleTypeNotOffered
from twinbore.devices.render import SampleType, sample_configuration
from twinbore.devices.view import ConnectionView
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
        for device in DEVICE_TYPES
    ]
    return paginate(request, shapes, "VpnConnectionDeviceTypes")


@operation("GetVpnConnectionDeviceSampleConfiguration")
def get_vpn_connection_device_sample_configuration(call: Call, request: Request) -> Response:
    connection = vpn_lookup.vpn_connection_in(call, request["VpnConnectionId"], *LIVING)
    device_id: str = request["VpnConnectionDeviceTypeId"]
    if find(device_id) is None:
        known = ", ".join(device.id for device in DEVICE_TYPES)
        raise errors.invalid_value("VpnConnectionDeviceTypeId", device_id, f"one of {known}")
    sample_type: SampleType = request.get("SampleType") or "compatibility"
    if sample_type not in SAMPLE_TYPES:
        raise errors.invalid_value("SampleType", sample_type, "one of " + ", ".join(SAMPLE_TYPES))
    view = ConnectionReader(call, [connection]).view(connection)
    version: str = request.get("InternetKeyExchangeVersion") or _preferred_version(view, device_id)
    if version not in IKE_VERSIONS:
        raise errors.invalid_value("InternetKeyExchangeVersion", version, "one of " + ", ".join(IKE_VERSIONS))
    try:
        text = sample_configuration(view, device_id, version, sample_type)
    except SampleTypeNotOffered as error:
        raise errors.ApiError("UnsupportedOperationException", _sentence(error)) from error
    except IkeVersionNotOffered as error:
        raise errors.combination(f"InternetKeyExchangeVersion {version}: {_sentence(error)}") from error
    return {"VpnConnectionDeviceSampleConfiguration": text}


def _preferred_version(view: ConnectionView, device_id: str) -> str:
    device = find(device_id)
    permitted = [tunnel.tunnel.options.ike_versions for tunnel in view.tunnels]
    if device is not None:
        permitted.append(device.ike_versions)
    return "ikev2" if all("ikev2" in versions for versions in permitted) else "ikev1"


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[0].upper() + text[1:] + "."
