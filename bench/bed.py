"""Two gateways back to back, each with a host behind it:

    left ── west ══ wire ══ east ── right          intruder ── east, where one is asked for
    10.1.0.2   203.0.113.1  203.0.113.2   10.2.0.2       192.0.2.2

How the gateways reach each other's networks (plain routes or a tunnel of some kind, see `bench.tunnel`) is what is
measured; the bed is the same. What the wire carries makes a great difference to what is measured, see `Wire`.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.measure import seconds_until
from twinbore.lab import ledger
from twinbore.lab.namespaces import CommandFailed, run
from twinbore.lab.topology import Lab

GATEWAYS: Final = {"west": "203.0.113.1", "east": "203.0.113.2"}
NETWORKS: Final = {"west": "10.1.0.0/24", "east": "10.2.0.0/24"}
HOSTS: Final = {"left": "10.1.0.2", "right": "10.2.0.2"}
INTRUDER: Final = "192.0.2.2"
_NO_SEGMENTATION: Final = ("tso", "off", "gso", "off", "tx-udp-segmentation", "off")


class Wire(enum.Enum):
    """What passes between the gateways. The value is the name in figures.

    * `LARGE`: segments as the sender's kernel made them (up to 64 KiB), as between virtual machines of one host.
    * `PACKETS`: packets of 1500 bytes, as from a network card without segmentation offload, which the receiver's kernel
      merges again (GRO).
    * `UNMERGED`: packets of 1500 bytes, each of which the receiver sees alone.
    """

    LARGE = "large segments"
    PACKETS = "1500-byte packets"
    UNMERGED = "1500-byte packets without GRO"

    @property
    def offloads(self) -> tuple[str, ...]:
        """Words for `ethtool -K`, at both ends of the wire."""
        return _OFFLOADS[self]


_OFFLOADS: Final[dict[Wire, tuple[str, ...]]] = {
    Wire.LARGE: (),
    Wire.PACKETS: (*_NO_SEGMENTATION, "gro", "on"),
    Wire.UNMERGED: (*_NO_SEGMENTATION, "gro", "off"),
}


def other(gateway: str) -> str:
    """The gateway at the other end."""
    return "east" if gateway == "west" else "west"


@contextmanager
def bed(name: str, wire: Wire = Wire.LARGE, *, intruder: bool = False) -> Iterator[Lab]:
    """The namespaces, wired and addressed, without any route between the networks."""
    ledger.settle_abandoned()
    prefix = f"bench{os.getpid():x}-{name}"
    with Lab(prefix, ledger.open_ledger(prefix)) as lab:
        for role in ("left", "west", "east", "right"):
            lab.add_namespace(role)
        for role in GATEWAYS:
            lab.forward(role)
        lab.connect("west", "wire", "east", "wire")
        for (gateway, address), (host, host_address) in zip(GATEWAYS.items(), HOSTS.items(), strict=True):
            router = f"{host_address.rpartition('.')[0]}.1"
            lab.connect(gateway, "lan", host, "eth0")
            lab.ip(gateway, f"address add {address}/30 dev wire", f"address add {router}/24 dev lan")
            lab.ip(host, f"address add {host_address}/24 dev eth0", f"route add default via {router}")
            if wire.offloads:
                run(["ethtool", "-K", "wire", *wire.offloads], namespace=lab.name(gateway))
        if intruder:
            _add_intruder(lab)
        yield lab


def _add_intruder(lab: Lab) -> None:
    lab.add_namespace("intruder")
    lab.connect("intruder", "eth0", "east", "wild")
    lab.ip("east", "address add 192.0.2.1/30 dev wild")
    lab.ip("intruder", f"address add {INTRUDER}/30 dev eth0", "route add default via 192.0.2.1")


def wait_for_path(lab: Lab, limit: float = 20) -> None:
    """Wait until packets pass in both directions. Raises `NotReached`."""

    def reaches() -> bool:
        try:
            run(["ping", "-c", "1", "-W", "1", HOSTS["right"]], namespace=lab.name("left"))
        except CommandFailed:
            return False
        return True

    seconds_until(reaches, limit, f"{lab.prefix}: a reply from {HOSTS['right']}", pause=0.1)
