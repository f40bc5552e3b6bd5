"""The record of a lab: written first, found after a crash, undone in the opposite order."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinbore.lab import ledger as ledgers
from twinbore.lab.ledger import Ledger


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(ledgers, "LEDGER_DIRECTORY", tmp_path / "ledgers")
    yield tmp_path / "ledgers"


def test_a_ledger_of_a_living_process_is_left_alone() -> None:
    mine = ledgers.open_ledger("one")
    assert not mine.abandoned()
    assert ledgers.settle_abandoned() == []
    assert [found.prefix for found in ledgers.ledgers()] == ["one"]


def test_a_ledger_of_a_dead_process_is_settled(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    left_behind = tmp_path / "left-behind"
    left_behind.touch()
    Ledger("dead", child.pid, 1, [], [["rm", str(left_behind)]]).save()
    assert ledgers.settle_abandoned() == ["dead"]
    assert not left_behind.exists()
    assert ledgers.ledgers() == []


def test_a_recycled_process_id_is_not_the_owner() -> None:
    start = ledgers.start_time(os.getpid())
    assert start is not None
    assert Ledger("recycled", os.getpid(), start + 1, [], []).abandoned()


def test_a_disowned_ledger_is_not_abandoned() -> None:
    ledger = ledgers.open_ledger("kept")
    ledger.disown()
    assert [found.owner_pid for found in ledgers.ledgers()] == [0]
    assert ledgers.settle_abandoned() == []


def test_undo_runs_backwards_and_a_failure_does_not_stop_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    ledger = ledgers.open_ledger("undo")
    ledger.undo = [["sh", "-c", f"echo first >>{log}"], ["false"], ["sh", "-c", f"echo last >>{log}"]]
    ledger.settle()
    assert log.read_text() == "last\nfirst\n"
    assert not ledger.path.exists()
