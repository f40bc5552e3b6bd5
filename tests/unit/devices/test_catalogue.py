"""The catalogue's data: ids, templates, words in both languages."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from twinbore.devices.capabilities import read_capabilities
from twinbore.devices.catalogue import NEEDS, SHARED, DeviceType, device_types, find, read_family, root
from twinbore.model.options import IKE_VERSIONS
from twinbore.model.site import LANGUAGES

KINDS = {"cli", "file", "script", "sheet", "data"}


def test_ids_are_unique_and_have_their_form() -> None:
    ids = [device.id for device in device_types()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{8}", identifier) for identifier in ids)


def test_no_two_types_have_one_name() -> None:
    names = [device.name for device in device_types()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("device", device_types(), ids=lambda device: device.id)
def test_what_a_type_says_is_possible(device: DeviceType) -> None:
    assert (root() / device.template).is_file()
    assert device.kind in KINDS
    assert device.mode in {"route", "policy"}
    assert set(device.routing) <= {"bgp", "static"}
    assert device.routing
    assert device.ike_versions
    assert list(device.ike_versions) == [v for v in IKE_VERSIONS if v in device.ike_versions]
    assert set(device.needs) <= set(NEEDS)
    assert len(device.source) > 10


@pytest.mark.parametrize(
    ("identifier", "vendor", "platform", "software"),
    [
        ("9005b6c1", "Generic", "Generic", "Vendor Agnostic"),
        ("51cb26fd", "Strongswan", "Ubuntu 16.04", "Strongswan 5.5.1+"),
        ("9d9470de", "Fortinet", "Fortigate 40+ Series", "FortiOS 5.0+"),
    ],
)
def test_the_ids_that_aws_gives_out_mean_the_same_here(
    identifier: str, vendor: str, platform: str, software: str
) -> None:
    device = find(identifier)
    assert device is not None
    assert (device.vendor, device.platform, device.software) == (vendor, platform, software)


@pytest.mark.parametrize("family", sorted(folder.name for folder in root().iterdir() if folder.is_dir()))
def test_words_have_the_same_keys_and_fields_in_every_language(family: str) -> None:
    file = root() / family / "words.toml"
    if not file.is_file():
        assert family != SHARED
        return
    tables: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    assert set(tables) == set(LANGUAGES)
    for key, sentence in tables["en"].items():
        other = tables["ja"][key]
        assert set(re.findall(r"{(\w+)}", other)) == set(re.findall(r"{(\w+)}", sentence)), key
    assert set(tables["ja"]) == set(tables["en"])


def test_specific_capabilities_replace_general_ones() -> None:
    can = read_capabilities(
        "x",
        {
            "encryption": ["AES128", "AES256-GCM-16"],
            "integrity": ["SHA1"],
            "groups": [2, 14],
            "phase2": {"groups": [14, 20]},
            "ikev1": {"integrity": ["SHA2-256"]},
            "phase2-ikev1": {"groups": [5]},
        },
    )
    assert can[1, "ikev1"].encryption == {"AES128"}
    assert can[1, "ikev2"].encryption == can[2, "ikev1"].encryption == {"AES128", "AES256-GCM-16"}
    assert [sorted(can[2, version].groups) for version in IKE_VERSIONS] == [[5], [14, 20]]
    assert [sorted(can[1, version].integrity) for version in IKE_VERSIONS] == [["SHA2-256"], ["SHA1"]]


@pytest.mark.parametrize(
    "table",
    [
        {"encryption": ["DES"], "integrity": ["SHA1"], "groups": [2]},
        {"encryption": ["AES128"], "integrity": ["SHA1"]},
        {"encryption": ["AES128"], "integrity": ["SHA1"], "groups": [2], "phase3": {}},
    ],
)
def test_misspelt_capabilities_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"capabilities\.x"):
        read_capabilities("x", table)


def test_a_misspelt_member_of_a_type_is_refused() -> None:
    data = {
        "types": [{"id": "00000000", "bdf": True, "capabilities": "x", "template": "x.j2"}],
        "capabilities": {"x": {"encryption": ["AES128"], "integrity": ["SHA1"], "groups": [2]}},
    }
    with pytest.raises(TypeError, match="bdf"):
        list(read_family("x", data))
