"""The lab itself: everything is connected as drawn, faults are silent, and a killed lab is removed by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinbore.lab import namespaces
from twinbore.lab.capture import Capture
from twinbore.lab.faults import Faults
from twinbore.lab.ledger import ledgers, settle_abandoned
from twinbore.lab.namespaces import CommandFailed, run
from twinbore.lab.probe import MARKER, Probe
from twinbore.lab.remove import remove
from twinbore.lab.topology import CUSTOMER_ADDRESS, LAN_ADDRESS, POOL_A, POOL_B, Lab, gateway_lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with gateway_lab(f"tbl{os.getpid():x}") as made:
        yield made


def lost(namespace: str, destination: str) -> int:
    return Probe(namespace, destination, count=5).wait().lost


def test_the_customer_reaches_every_outside_address_and_the_lan_its_router(lab: Lab) -> None:
    assert [lost(lab.name("router"), address) for address in (*POOL_A, *POOL_B)] == [0, 0, 0, 0]
    assert lost(lab.name("gateway"), CUSTOMER_ADDRESS) == 0
    assert lost(lab.name("router"), LAN_ADDRESS) == 0


def test_answers_leave_by_the_uplink_that_the_request_came_by(lab: Lab, tmp_path: Path) -> None:
    with Capture(lab.name("gateway"), "uplink-b", tmp_path / "b.pcap") as capture:
        assert lost(lab.name("router"), POOL_B[0]) == 0
    assert capture.count(f"icmp[icmptype] == icmp-echoreply and src host {POOL_B[0]}") == 5
    assert capture.contains(MARKER)
    assert not capture.contains(MARKER + b"!")


def test_a_cut_is_silent_hits_one_address_and_heals(lab: Lab, tmp_path: Path) -> None:
    faults = Faults(lab.name("internet"))
    faults.cut(POOL_A[0])
    with Capture(lab.name("router"), "wan", tmp_path / "wan.pcap") as capture:
        assert lost(lab.name("router"), POOL_A[0]) == 5
        assert lost(lab.name("gateway"), CUSTOMER_ADDRESS) == 5, "its packets are dropped as well"
    assert capture.count("icmp[icmptype] == icmp-unreach") == 0
    assert lost(lab.name("router"), POOL_A[1]) == 0
    faults.heal(POOL_A[0])
    assert lost(lab.name("router"), POOL_A[0]) == 0


def test_a_capture_of_a_missing_interface_says_so(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="nosuch0"), Capture(lab.name("router"), "nosuch0", tmp_path / "x.pcap"):
        pass


def test_a_failed_command_says_what_and_why(lab: Lab) -> None:
    with pytest.raises(CommandFailed, match=r"ip link show dev nosuch0: exit status 1: .*does not exist"):
        run(["ip", "link", "show", "dev", "nosuch0"], namespace=lab.name("router"))


def test_a_killed_lab_is_removed_by_the_next_one() -> None:
    prefix = f"tbk{os.getpid():x}"
    program = (
        "import subprocess, time\n"
        "from twinbore.lab.namespaces import inside\nfrom twinbore.lab.topology import bare_lab\n"
        f"lab = bare_lab({prefix!r}); subprocess.Popen(inside(lab.name('lan'), ['sleep', '1000']), stdout=2)\n"
        "print('made', flush=True); time.sleep(1000)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "made\n"
    (sleeper,) = namespaces.processes(f"{prefix}-lan")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert namespaces.exists(f"{prefix}-router")
    assert prefix in settle_abandoned()
    assert not [entry for entry in namespaces.NAMESPACE_DIRECTORY.iterdir() if entry.name.startswith(prefix)]
    assert not Path(f"/proc/{sleeper}/exe").exists()


def test_a_kept_lab_stays_until_it_is_removed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    prefix = f"tbq{os.getpid():x}"
    with gateway_lab(prefix) as made:
        made.keep()
    assert namespaces.exists(f"{prefix}-gateway")
    assert prefix not in settle_abandoned()
    assert remove(["no-such-lab"]) == 1
    assert prefix in capsys.readouterr().err
    assert remove([prefix]) == 0
    assert not namespaces.exists(f"{prefix}-gateway")
    assert prefix not in [ledger.prefix for ledger in ledgers()]
