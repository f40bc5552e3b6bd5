"""The device types that configurations can be made for.

The catalogue is data: a folder below `families/` for each family of devices with one syntax, in it

* `family.toml`: the device types, what their software can do, and where their syntax is documented;
* `words.toml`: what the comments say, in each language;
* the templates.

A type's id is part of the API and never changes. Ids and names that AWS gives out too are AWS's
(GetVpnConnectionDeviceTypes), so that a script written for AWS finds the same type here; the others are ours.

Invariants: ids are unique; every template and every table of capabilities that a type names exists. A test reads all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from twinbore.devices.capabilities import Capabilities, read_capabilities

SHARED: Final = "common"
"""The folder of what all families share."""
NEEDS: Final[Mapping[str, str]] = {
    "local_prefixes": "the networks behind the device (option announce, or the connection's LocalIpv4NetworkCidr)",
    "remote_prefixes": "the networks of the cloud (attach the gateway to a VPC, or set RemoteIpv4NetworkCidr)",
}
"""What a type may need of a connection → how it is said. Devices that tunnel by policy have to know both sides."""


@dataclass(frozen=True, slots=True)
class DeviceType:
    """One type.

    `id`: eight hexadecimal digits. `kind` is what the output is: `cli` (pasted or loaded), `file`, `script`, `sheet`
    (fields and values for a device that has a user interface only) or `data`. `mode`: `route` where the device
    routes into a tunnel interface, `policy` where it tunnels what matches a policy. `routing`: `bgp`, `static`.
    `outside_interface`, `inside_interface`: names on such a device as it is sold. `name_length`: of a tunnel's name,
    in characters. `bfd`, `bgp_password`: whether its BGP can do that. `local_preference`: whether it can prefer what
    comes in over one of the tunnels; without, the gateway's MED decides, for tunnel 1. `one_group`: phase 2 has phase
    1's key exchange group. `needs`: keys of `NEEDS`. `suffix`: of a file
    with the output. `source`: where the syntax is documented. `facts`: more of the family's own, for its templates.
    """

    id: str
    vendor: str
    platform: str
    software: str
    template: str
    ike_versions: tuple[str, ...]
    routing: tuple[str, ...]
    source: str
    family: str
    comment: tuple[str, str]
    capabilities: Capabilities = field(repr=False, hash=False)
    kind: str = "cli"
    mode: str = "route"
    outside_interface: str = "outside"
    inside_interface: str = "inside"
    name_length: int = 31
    bfd: bool = False
    bgp_password: bool = True
    local_preference: bool = True
    one_group: bool = False
    needs: tuple[str, ...] = ()
    suffix: str = ".txt"
    sheet: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    @property
    def name(self) -> str:
        """Vendor, platform and software in a line."""
        return f"{self.vendor} {self.platform}, {self.software}"


def root() -> Traversable:
    """The folder of the families."""
    return files("twinbore.devices") / "families"


@cache
def device_types() -> tuple[DeviceType, ...]:
    """All of them, by vendor, platform and software."""
    return tuple(sorted(_read_all(), key=lambda d: (d.vendor.lower(), d.platform.lower(), d.software.lower(), d.id)))


def find(device_type_id: str) -> DeviceType | None:
    """The device type with this id, or None."""
    return _by_id().get(device_type_id)


@cache
def _by_id() -> dict[str, DeviceType]:
    return {device.id: device for device in device_types()}


def _read_all() -> Iterator[DeviceType]:
    for folder in root().iterdir():
        if folder.is_dir() and folder.name != SHARED:
            yield from read_family(folder.name, tomllib.loads((folder / "family.toml").read_text()))


def read_family(family: str, data: Mapping[str, Any]) -> Iterator[DeviceType]:
    """The types of a `family.toml`: `[[types]]` over `[defaults]`. Raises `ValueError`, `TypeError` or `KeyError`."""
    capabilities = {name: read_capabilities(name, table) for name, table in data["capabilities"].items()}
    for entry in data["types"]:
        values = dict(data.get("defaults", {})) | dict(entry)
        values["capabilities"] = capabilities[values["capabilities"]]
        if "sheet" in values:
            values |= {"kind": "sheet", "sheet": data["sheets"][values["sheet"]], "comment": ("", "")}
            values["template"] = f"{SHARED}/sheet.txt.j2"
        values["template"] = f"{family}/{values['template']}" if "/" not in values["template"] else values["template"]
        for key in ("ike_versions", "routing", "comment", "needs"):
            if key in values:
                values[key] = tuple(values[key])
        yield DeviceType(family=family, **values)
