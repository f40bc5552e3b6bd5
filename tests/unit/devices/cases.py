"""Every configuration that there is to test: type × IKE version × routing × sample type, as far as the type has it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.unit.devices.samples import LAN, NOW, view_for
from twinbore.devices.catalogue import DeviceType, device_types
from twinbore.devices.render import SampleType, device_configuration
from twinbore.model.site import Site

OUT_OF_DATE = {2, 5, 22, 23, 24}
SUITES: tuple[SampleType | None, ...] = (None, "recommended", "compatibility")


@dataclass(frozen=True)
class Case:
    device: DeviceType
    ike_version: str
    routing: str
    sample_type: SampleType | None

    def __str__(self) -> str:
        return f"{self.device.id}-{self.ike_version}-{self.routing}-{self.sample_type or 'strongest'}"

    def text(self, site: Site | None = None, *, bgp_password: str = "") -> str:
        """The configuration, with 192.168.10.0/24 announced unless `site` says otherwise."""
        view = view_for(self.device, self.routing)
        if bgp_password:
            view = replace(view, tunnels=(replace(view.tunnels[0], bgp_password=bgp_password), view.tunnels[1]))
        return device_configuration(
            view, self.device.id, self.ike_version, self.sample_type, site=site or Site(announce=(LAN,)), now=NOW
        )


def cases(device: DeviceType) -> list[Case]:
    """Those of one type; `recommended` needs ikev2, and a group that is not out of date."""
    return [
        Case(device, version, routing, sample_type)
        for version in device.ike_versions
        for routing in device.routing
        for sample_type in SUITES
        if sample_type != "recommended"
        or (version == "ikev2" and not device.capabilities[1, version].groups <= OUT_OF_DATE)
    ]


ALL = [case for device in device_types() for case in cases(device)]


def usual(device: DeviceType, routing: str | None = None) -> Case:
    """The case that a user meets who asks for nothing special."""
    return Case(device, device.ike_versions[-1], routing or device.routing[0], None)
