"""Golden files: each type's configurations as text, so that a change of one is seen and meant.

`TWINBORE_WRITE_GOLDEN=1 pytest tests/unit/devices/test_golden.py` writes them anew; read the difference before you
commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.devices.cases import usual
from tests.unit.devices.samples import LAN
from twinbore.devices.catalogue import device_types
from twinbore.model.site import Site

WRITE = "TWINBORE_WRITE_GOLDEN"
GOLDEN = Path(__file__).parent / "golden"
FIRST_OF_FAMILY = {device.family: device for device in reversed(device_types())}
EXPECTED = {
    GOLDEN / device.family / f"{device.id}-{routing}{language}{device.suffix}": (device, routing, language)
    for device in device_types()
    for language in ("", "-ja")
    for routing in (device.routing if not language else device.routing[:1])
    if not language or FIRST_OF_FAMILY[device.family] == device
}
"""File → device type, routing, and `-ja` where the comments are Japanese."""


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.name)
def test_the_configuration_is_the_golden_file(path: Path) -> None:
    device, routing, language = EXPECTED[path]
    text = usual(device, routing).text(Site(announce=(LAN,), language="ja" if language else "en"))
    if os.environ.get(WRITE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), "there is no golden file of this type: see above how to write it"
    assert text == path.read_text(encoding="utf-8")


def test_there_is_no_golden_file_of_what_is_gone() -> None:
    if os.environ.get(WRITE):
        for path in {path for path in GOLDEN.rglob("*") if path.is_file()} - set(EXPECTED):
            path.unlink()
    assert {path for path in GOLDEN.rglob("*") if path.is_file()} == set(EXPECTED)
