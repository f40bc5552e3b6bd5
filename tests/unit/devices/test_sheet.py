"""Sheets of fields: every value of the connection stands in one place, and no sheet names a value that there is not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.unit.devices.cases import ALL, Case, usual
from tests.unit.devices.samples import KEYS, LAN, NOW, view_for
from twinbore.devices.catalogue import DeviceType, device_types
from twinbore.devices.render import device_side
from twinbore.devices.sheet import fill
from twinbore.devices.side import CustomerSide
from twinbore.devices.values import connection_values, tunnel_values
from twinbore.model.desired import Bfd
from twinbore.model.site import Site

SHEETS = [device for device in device_types() if device.sheet is not None]
PLACED_BY_EVERY_SHEET = {
    "name", "outside", "key", "ike_version", "phase1.encryption", "phase1.integrity", "phase1.lifetime",
    "phase2.encryption", "phase2.integrity", "phase2.group", "phase2.lifetime",
}  # fmt: skip
"""What the user interface of every device asks for."""

every_sheet = pytest.mark.parametrize("device", SHEETS, ids=lambda device: device.id)
every_case = pytest.mark.parametrize("case", [case for case in ALL if case.device in SHEETS], ids=str)


def side(case: Case, site: Site | None = None) -> CustomerSide:
    view = view_for(case.device, case.routing)
    return device_side(
        view, case.device, case.ike_version, case.sample_type, site=site or Site(announce=(LAN,)), now=NOW
    )


def known_values() -> set[str]:
    """The keys of every value that some connection has."""
    device = next(d for d in device_types() if d.family == "generic")
    view = view_for(device, "bgp")
    one = replace(view.tunnels[0], bgp_password="s3cret")
    both = replace(view, bfd=Bfd(300, 3), tunnels=(one, view.tunnels[1]))
    made = [
        device_side(v, device, "ikev2", "compatibility", site=Site(), now=NOW)
        for v in (both, view_for(device, "static"))
    ]
    return {key for s in made for key in (*connection_values(s), *tunnel_values(s, s.tunnels[0]))}


def test_there_are_sheets_of_every_vendor_that_has_a_user_interface_only() -> None:
    assert {device.vendor for device in SHEETS} >= {
        "Barracuda", "Checkpoint", "Citrix", "Cyberoam", "F5", "pfSense", "Sophos", "WatchGuard", "Zyxel",
    }  # fmt: skip


@every_sheet
def test_a_sheet_names_values_that_there_are(device: DeviceType) -> None:
    assert device.sheet is not None
    keys = {key.removeprefix("@") for step in device.sheet["steps"] for _, key in step["fields"] if key[0] != "="}
    assert keys <= known_values()


@every_case
def test_every_value_stands_in_one_place(case: Case) -> None:
    assert case.device.sheet is not None
    steps = [s for s in case.device.sheet["steps"] if s.get("routing", case.routing) == case.routing]
    placed = Counter(key for step in steps for _, key in step["fields"] if key[0] not in "=@")
    assert [key for key, count in placed.items() if count > 1] == []
    made = side(case)
    filled = fill(case.device.sheet, made)
    values = set(tunnel_values(made, made.tunnels[0]))
    assert {field.label for field in filled.rest} == values - set(placed)
    assert (PLACED_BY_EVERY_SHEET & values) - set(placed) == set()
    assert [field.label for field in filled.site] == list(connection_values(made))
    assert not set(placed) & set(connection_values(made)), "values of the site stand at the beginning already"


@every_case
def test_each_tunnel_s_values_are_in_its_column(case: Case) -> None:
    assert case.device.sheet is not None
    filled = fill(case.device.sheet, side(case))
    fields = [field for step in filled.steps for field in step.fields]
    assert [field.values for field in fields if KEYS[0] in field.values] == [KEYS]
    assert all(len(field.values) == (2 if step.each else 1) for step in filled.steps for field in step.fields)


@every_sheet
def test_names_of_algorithms_are_those_of_the_user_interface(device: DeviceType) -> None:
    assert device.sheet is not None
    text = usual(device).text()
    for spelt_otherwise in set(device.sheet.get("spell", {})) - set(device.sheet["spell"].values()):
        assert f"  {spelt_otherwise}  " not in text
