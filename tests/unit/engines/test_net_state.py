"""The ledger of namespaces, and the machine's settings."""

from __future__ import annotations

from pathlib import Path

from twinbore.engines.net import sysctl
from twinbore.engines.net.ledger import Ledger


def test_the_ledger_survives(tmp_path: Path) -> None:
    Ledger(tmp_path / "netns").add("vpc-1")
    ledger = Ledger(tmp_path / "netns")
    ledger.add("vpc-1")
    ledger.add("vgw-1")
    assert ledger.names() == {"vpc-1", "vgw-1"}
    ledger.remove("vpc-1")
    ledger.remove("vpc-1")
    assert ledger.names() == {"vgw-1"}
    assert Ledger(tmp_path / "nothing").names() == set()


def test_low_machine_settings_are_named(tmp_path: Path) -> None:
    for setting in sysctl.MACHINE:
        file = tmp_path / setting.name.replace(".", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{setting.least}\n")
    assert sysctl.machine_problems(tmp_path) == []
    (tmp_path / "net/ipv4/neigh/default/gc_thresh3").write_text("1024\n")
    ((setting, present),) = sysctl.machine_problems(tmp_path)
    assert (setting.name, setting.least, present) == ("net.ipv4.neigh.default.gc_thresh3", 32768, 1024)
    assert "neighbour table" in setting.reason


def test_settings_that_a_kernel_lacks_are_no_problem(tmp_path: Path) -> None:
    assert sysctl.machine_problems(tmp_path) == []
