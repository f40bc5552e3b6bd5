"""The whole scenario on real packets: with both clients, and what a run leaves behind when it is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from twinbore.lab.ledger import ledgers
from twinbore.lab.remove import remove
from twinbore.lab.residue import residue
from twinbore.lab.service import twinbore
from twinbore.lab.steps import STEPS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("client", ["boto3", "cli"])
def test_every_step_passes(client: str) -> None:
    done = subprocess.run(twinbore("demo", "--client", client), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == len(STEPS)
    assert "✗" not in done.stdout


@pytest.mark.timeout(120)
def test_a_killed_run_is_cleaned_up_to_the_last_trace() -> None:
    process = subprocess.Popen(twinbore("demo"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "✓  6" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    prefix = f"demo{process.pid:x}"
    (ledger,) = [found for found in ledgers() if found.prefix == prefix]
    gateway = re.search(r"vgw-[0-9a-f]{17}", said)
    assert gateway is not None, said
    names = [*ledger.namespaces, gateway[0]]
    (files,) = [command[2:] for command in ledger.undo if command[:2] == ["rm", "-rf"]]
    assert residue(names, [Path(file) for file in files]), "the killed run has left its lab behind"
    assert remove([prefix]) == 0
    left = residue(names, [Path(file) for file in files])
    assert left == [], left


def test_a_state_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    done = subprocess.run(twinbore("demo", "--state", tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not empty" in done.stdout
    assert (tmp_path / "something").exists()
