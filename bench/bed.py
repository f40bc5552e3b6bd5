"""Two gateways back to back, each with a host behind it:

    left ── west ══ wire ══ east ── right
    10.1.0.2   203.0.113.1  203.0.113.2   10.2.0.2

How the gateways reach each other's networks (plain routes or a tunnel of some kind) is what is measured; the bed is the
same. `packets` makes the wire carry single packets of 1500 bytes, as a network card without segmentation offload would,
instead of the large segments that veth passes on as they are.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from bench.measure import NotReached, seconds_until
from twinbore.lab import ledger
from twinbore.lab.namespaces import CommandFailed, inside, run
from twinbore.lab.probe import Probe
from twinbore.lab.topology import Lab

GATEWAYS: Final = {"west": "203.0.113.1", "east": "203.0.113.2"}
NETWORKS: Final = {"west": "10.1.0.0/24", "east": "10.2.0.0/24"}
LEFT: Final = "10.1.0.2"
RIGHT: Final = "10.2.0.2"
_OFFLOADS: Final = ("tso", "gso", "tx-udp-segmentation")


def other(gateway: str) -> str:
    """The gateway at the other end."""
    return "east" if gateway == "west" else "west"


@contextmanager
def bed(name: str, *, packets: bool = False) -> Iterator[Lab]:
    """The four namespaces, wired and addressed, without any route between the networks."""
    ledger.settle_abandoned()
    prefix = f"bench{os.getpid():x}-{name}"
    with Lab(prefix, ledger.open_ledger(prefix)) as lab:
        for role in ("left", "west", "east", "right"):
            lab.add_namespace(role)
        for role in GATEWAYS:
            lab.forward(role)
        lab.connect("west", "wire", "east", "wire")
        for gateway, host, network in (("west", "left", "10.1.0"), ("east", "right", "10.2.0")):
            lab.connect(gateway, "lan", host, "eth0")
            lab.ip(gateway, f"address add {GATEWAYS[gateway]}/30 dev wire", f"address add {network}.1/24 dev lan")
            lab.ip(host, f"address add {network}.2/24 dev eth0", f"route add default via {network}.1")
            if packets:
                settings = [word for offload in _OFFLOADS for word in (offload, "off")]
                run(["ethtool", "-K", "wire", *settings, "gro", "on"], namespace=lab.name(gateway))
        yield lab


def wait_for_path(lab: Lab, limit: float = 20) -> None:
    """Wait until packets pass in both directions. Raises `NotReached`."""

    def reaches() -> bool:
        try:
            run(["ping", "-c", "1", "-W", "1", RIGHT], namespace=lab.name("left"))
        except CommandFailed:
            return False
        return True

    seconds_until(reaches, limit, f"{lab.prefix}: a reply from {RIGHT}", pause=0.1)


def tcp(lab: Lab, seconds: int, streams: int) -> float:
    """Throughput of TCP from left to right, in Gbit/s of payload as received."""
    server = subprocess.Popen(
        inside(lab.name("right"), ["iperf3", "--server", "--one-off", "--interval", "0"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        seconds_until(lambda: _listens(lab), 5, "iperf3 listens")
        options = ["--client", RIGHT, "--time", str(seconds), "--omit", "1", "--parallel", str(streams), "--json"]
        output = run(["iperf3", *options], namespace=lab.name("left"), timeout=seconds + 30)
    finally:
        server.terminate()
        server.wait()
    report = msgspec.json.decode(output)
    if "error" in report:
        raise NotReached(f"{lab.prefix}: iperf3: {report['error']}")
    bits: float = report["end"]["sum_received"]["bits_per_second"]
    return bits / 1e9


def round_trip(lab: Lab) -> float:
    """Median round-trip time in milliseconds on an idle path."""
    time.sleep(0.2)
    report = Probe(lab.name("left"), RIGHT, interval=0.01, count=100).wait()
    if report.lost:
        raise NotReached(f"{lab.prefix}: {report.lost} of {report.sent} echo requests were lost on an idle path")
    return report.median_ms


def _listens(lab: Lab) -> bool:
    return bool(run(["ss", "--no-header", "--listening", "--tcp", "sport = 5201"], namespace=lab.name("right")).strip())
