"""Each interpreter refuses a misspelt command, and a configuration of which something is missing."""

from __future__ import annotations

import pytest

from tests.devices.interpreters import OF_TYPE
from tests.devices.settings import DeviceSettings, Refused
from tests.unit.devices.cases import usual
from twinbore.devices.catalogue import DeviceType, find

EMBEDDED = {"47c2a8ef", "8b35f2d1"}
"""Types whose commands stand inside another file."""
TYPES = [device for device in map(find, OF_TYPE) if device is not None and device.id not in EMBEDDED]
MISSING = {
    "asa": "tunnel-group 203.0.113.10 type ipsec-l2l",
    "fortios": "        set phase1name",
    "ios": "crypto ipsec transform-set vpn-0a1b2c3d-1",
    "junos": "set security ike policy vpn-0a1b2c3d-1 proposals",
    "panos": "set network ike gateway vpn-0a1b2c3d-1 peer-address",
    "routeros": "/ip ipsec proposal add name=vpn-0a1b2c3d-1",
    "screenos": "set ike p1-proposal vpn-0a1b2c3d-1",
    "sonicwall": "commit best-effort",
    "vyos": "set vpn ipsec esp-group vpn-0a1b2c3d-1 proposal 1 encryption",
    "yamaha": "ipsec sa policy 201 101",
}
"""Family → the beginning of a line that a device cannot do without."""

every_type = pytest.mark.parametrize("device", TYPES, ids=lambda device: f"{device.family}-{device.id}")


def read(device_id: str, lines: list[str]) -> DeviceSettings:
    return OF_TYPE[device_id]("\n".join(lines) + "\n")


@every_type
def test_a_misspelt_command_is_refused(device: DeviceType) -> None:
    lines = usual(device).text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.strip() and line[0] not in "#!")
    read(device.id, lines)
    with pytest.raises(Refused, match=rf"^line {first + 1}:"):
        read(device.id, [*lines[:first], "x" + lines[first], *lines[first + 1 :]])


@every_type
def test_what_is_missing_is_noticed(device: DeviceType) -> None:
    lines = usual(device).text().splitlines()
    kept = [line for line in lines if not line.startswith(MISSING[device.family])]
    assert len(kept) < len(lines)
    with pytest.raises((Refused, KeyError)):
        read(device.id, kept)
