"""The device types that sample configurations exist for.

A type's id is part of the API and never changes. Ids and names that AWS gives out too are AWS's
(GetVpnConnectionDeviceTypes), so that a script written for AWS finds the same type here; the others are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twinbore.model.options import IKE_VERSIONS


@dataclass(frozen=True, slots=True)
class DeviceType:
    """`template` is a file under `templates/`; `ike_versions` are those that the device's software speaks."""

    id: str
    vendor: str
    platform: str
    software: str
    ike_versions: tuple[str, ...]
    template: str


DEVICE_TYPES: Final = (
    DeviceType(
        id="9005b6c1",
        vendor="Generic",
        platform="Generic",
        software="Vendor Agnostic",
        ike_versions=IKE_VERSIONS,
        template="generic/values.txt.j2",
    ),
    DeviceType(
        id="51cb26fd",
        vendor="Strongswan",
        platform="Ubuntu 16.04",
        software="Strongswan 5.5.1+",
        ike_versions=IKE_VERSIONS,
        template="strongswan/xfrm.sh.j2",
    ),
    DeviceType(
        id="7c1e40a9",
        vendor="Strongswan",
        platform="Linux, xfrm interfaces",
        software="Strongswan 5.9+, FRR 8.4+",
        ike_versions=IKE_VERSIONS,
        template="strongswan/xfrm.sh.j2",
    ),
    DeviceType(
        id="d3925bf6",
        vendor="Strongswan",
        platform="Linux, user-space ESP",
        software="Strongswan 5.9+, FRR 8.4+",
        ike_versions=IKE_VERSIONS,
        template="strongswan/libipsec.sh.j2",
    ),
)

_BY_ID: Final = {device.id: device for device in DEVICE_TYPES}


def find(device_type_id: str) -> DeviceType | None:
    """The device type with this id, or None."""
    return _BY_ID.get(device_type_id)
