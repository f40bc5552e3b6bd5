"""The matrix of device types: what it must show, and that the page in the docs is the tables'."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.devices.page import page, proved_vendors
from tests.devices.proofs import INTERPRETED, READ, REASONS, RUN, proof
from twinbore.devices.catalogue import device_types

AWS = {
    "36ef5d04", "feabc07e", "1b270706", "42ff1bfc", "866e027c", "6883834a", "b556dcd1", "78c1a727", "48548f98",
    "7b754310", "ae4cefeb", "b0adb196", "d995c2ab", "f8eac8fc", "56c86b54", "2b2c1a73", "980b2a2d", "9d9470de",
    "887cd1a5", "7125681a", "9005b6c1", "670add1b", "40b66cf5", "a0c6b2f4", "4b8b2ed4", "8a961875", "1361227b",
    "acabcac0", "631f834b", "d36a4756", "dd55903b", "411e7147", "2b5427d7", "37d8aff6", "6e62f3e3", "754a6372",
    "9612cbed", "5fb390ba", "74671aaa", "4280e43e", "60ca5da1", "46154821", "fa2df246", "758d1557", "90f254e7",
    "e5ec51ed", "51cb26fd", "f1647754", "a0745ade", "dbeffb53", "e7a2d626", "400e7aee", "1153d0d2",
}  # fmt: skip
"""The ids of GetVpnConnectionDeviceTypes in ap-northeast-2."""


def test_all_of_aws_s_types_are_there_and_more() -> None:
    assert len(AWS) == 53
    ids = {device.id for device in device_types()}
    assert ids >= AWS
    assert len(ids) >= 70


def test_the_tables_name_types_that_there_are() -> None:
    assert {*RUN, *INTERPRETED, *READ} <= {device.id for device in device_types()}


def test_enough_types_were_run_or_interpreted() -> None:
    counts = Counter(proof(device.id)[0] for device in device_types())
    assert counts["run"] + counts["interpreted"] >= 25


def test_every_vendor_of_aws_s_list_was_proved_or_has_its_reason() -> None:
    vendors = {device.vendor for device in device_types() if device.id in AWS}
    assert vendors - proved_vendors() == set(REASONS)


def test_the_page_is_as_the_tables_are() -> None:
    written = Path(__file__).parents[3] / "docs" / "devices.md"
    assert written.read_text() == page(), "python -m tests.devices.page > docs/devices.md"
