"""Configurations of devices, run: what an interpreter of the vendor's syntax reads out of a file is what stock
strongSwan and FRR are made to do, and the tunnels must come up, the prefix be announced, and a ping pass.

For every type that has an interpreter: IKE version × routing × suite. Devices that are made to do the same are run
once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.devices.interpreters import OF_TYPE
from tests.devices.settings import DeviceSettings
from tests.namespace.device_router import Site, assert_works, site
from tests.unit.devices.cases import ALL, Case
from twinbore.lab.topology import LAN_PREFIX

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


class Runs:
    """The lab, and what has been seen to work in it."""

    def __init__(self, made: Site) -> None:
        self._made = made
        self._works: set[DeviceSettings] = set()

    def assert_works(self, settings: DeviceSettings) -> None:
        settings = settings.normalised()
        if settings in self._works:
            return
        assert_works(self._made, settings, announced={LAN_PREFIX}, preferred="t1")
        if len(settings.active) == 1:
            assert_works(self._made, settings.failed_over(), announced=set(), preferred="t2")
        self._works.add(settings)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with site(f"tbi{os.getpid():x}", tmp_path_factory.mktemp("devices")) as made:
        yield Runs(made)


@pytest.mark.parametrize("case", [case for case in ALL if case.device.id in OF_TYPE], ids=str)
def test_what_the_configuration_says_works(runs: Runs, case: Case) -> None:
    runs.assert_works(OF_TYPE[case.device.id](case.text()))
