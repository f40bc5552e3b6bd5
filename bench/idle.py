"""A thousand tunnels that do nothing: how long the daemon takes to have them, and what it then costs to keep them.

One twinbore-esp in a namespace gets 1000 TUN devices over its control socket, in a namespace of their own, then 2000
SAs and 3000 policies over its XFRM socket, one request after the other as the agent and charon send them; neither runs.
Requests are built before the clock starts; the client's own time for sending and reading is in the figures.

* Times: from the start of the process until its control socket answers, then the devices, then the SAs and policies.
* Memory: resident (VmRSS) when it answers, with the devices, and with everything.
* Processor: of all threads, over ten seconds in which nothing happens.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench import cpu, xfrm
from bench.control import Control
from bench.measure import Figure, Measurement, NotReached, Sample, Settings, interleaved, seconds_until
from twinbore.cli.assembly import ESP_DAEMON
from twinbore.lab import ledger
from twinbore.lab.namespaces import inside
from twinbore.lab.topology import Lab

TUNNELS: Final = 1000
IDLE_SECONDS: Final = 10.0
NAME: Final = f"{TUNNELS} idle tunnels"
_LOCAL: Final = "203.0.113.1"
_FIRST_SPI: Final = 0xC0000000
_MTU: Final = 1438
_END_SECONDS: Final = 120
"""The kernel takes its time to remove devices."""


def run(settings: Settings) -> list[Figure]:
    """Times, memory and processor share; each sample is of a daemon of its own."""
    return list(interleaved(settings, [Measurement(NAME, _take)]).values())


def _take() -> list[Sample]:
    requests = [message for tunnel in _tunnels() for message in xfrm.messages(tunnel)]
    with _lab() as lab, tempfile.TemporaryDirectory(prefix="twinbore-bench-") as work:
        begin = time.perf_counter()
        with _daemon(lab, Path(work)) as process, Control(Path(work) / "control") as control:
            control.ask("hello")
            answered, small = time.perf_counter(), _resident(process)
            for if_id in range(1, TUNNELS + 1):
                control.ask("add_tunnel", if_id=if_id, netns=lab.name("domain"), name=f"t{if_id}", mtu=_MTU)
            devices, with_devices = time.perf_counter(), _resident(process)
            devices_cpu = cpu.seconds([process])
            charon = xfrm.Client(Path(work) / "xfrm")
            for request in requests:
                charon.request(request)
            ready, resident = time.perf_counter(), _resident(process)
            ready_cpu = cpu.seconds([process])
            if (count := len(control.ask("list_sas")["sas"])) != 2 * TUNNELS:
                raise NotReached(f"{NAME}: {count} SAs instead of {2 * TUNNELS}")
            time.sleep(1)
            used = cpu.seconds([process])
            time.sleep(IDLE_SECONDS)
            used = cpu.seconds([process]) - used
            charon.close()
    return [
        Sample(f"{NAME}, start to all programmed", "s", ready - begin),
        Sample(f"{NAME}, of that: daemon answers", "s", answered - begin),
        Sample(f"{NAME}, of that: devices", "s", devices - answered),
        Sample(f"{NAME}, of that: SAs and policies", "s", ready - devices),
        Sample(f"{NAME}, processor time for the devices", "s", devices_cpu),
        Sample(f"{NAME}, processor time for SAs and policies", "s", ready_cpu - devices_cpu),
        Sample(f"{NAME}, resident memory", "MiB", resident),
        Sample(f"{NAME}, resident memory without tunnels", "MiB", small),
        Sample(f"{NAME}, resident memory with devices only", "MiB", with_devices),
        Sample(f"{NAME}, processor while idle", "%", 100 * used / IDLE_SECONDS),
    ]


def _tunnels() -> Iterator[xfrm.Tunnel]:
    for if_id in range(1, TUNNELS + 1):
        peer = f"198.18.{if_id // 250}.{if_id % 250 + 1}"
        yield xfrm.Tunnel(if_id, _LOCAL, peer, _FIRST_SPI + 2 * if_id, _FIRST_SPI + 2 * if_id + 1)


@contextmanager
def _lab() -> Iterator[Lab]:
    ledger.settle_abandoned()
    prefix = f"bench{os.getpid():x}-idle"
    with Lab(prefix, ledger.open_ledger(prefix)) as lab:
        for role in ("underlay", "domain"):
            lab.add_namespace(role)
        lab.ip("underlay", f"address add {_LOCAL}/32 dev lo")
        yield lab


@contextmanager
def _daemon(lab: Lab, work: Path) -> Iterator[int]:
    """Process id of a daemon that answers."""
    command: list[str | Path] = [ESP_DAEMON, "run", "--xfrm-socket", work / "xfrm"]
    command += ["--control-socket", work / "control"]
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            inside(lab.name("underlay"), command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        seconds_until(lambda: _answers(work / "control"), 10, "twinbore-esp answers", pause=0.001)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_END_SECONDS)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _resident(process: int) -> float:
    """MiB."""
    match = re.search(r"^VmRSS:\s*(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    if match is None:
        raise NotReached(f"process {process} has no resident memory: it has ended")
    return int(match[1]) / 1024
