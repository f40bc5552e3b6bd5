"""Beds whose gateways are connected: what is at either end, what is between, and which processes carry the packets."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import bed, ours, stock, wireguard
from bench.bed import Wire
from bench.cipher import GCM_128, Suite
from twinbore.lab.topology import Lab


class Kind(enum.Enum):
    """What a gateway sends packets through. The value is the name in figures."""

    PLAIN = "plain routing"
    STOCK = "kernel-libipsec"
    WIREGUARD = "wireguard-go"
    OURS = "twinbore-esp"


_SHORT: Final = {Kind.PLAIN: "plain", Kind.STOCK: "stock", Kind.WIREGUARD: "wg", Kind.OURS: "ours"}


@dataclass(frozen=True, slots=True)
class Bed:
    """`processes` are those of the data path, by gateway; `homes` their files. Plain routing has none."""

    lab: Lab
    processes: Mapping[str, int]
    homes: Mapping[str, Path]


def both(kind: Kind) -> dict[str, Kind]:
    """The same at both ends."""
    return dict.fromkeys(bed.GATEWAYS, kind)


def available(kinds: Iterable[Kind]) -> list[Kind]:
    """Those of the kinds that this machine has."""
    return [kind for kind in kinds if kind is not Kind.WIREGUARD or wireguard.program() is not None]


@contextmanager
def connected(
    ends: Mapping[str, Kind], work: Path, *, wire: Wire = Wire.LARGE, suite: Suite = GCM_128, intruder: bool = False
) -> Iterator[Bed]:
    """A bed through which packets pass. `ends` by gateway; `work` has the daemons' files, below a name of its own.

    The suite is of ESP: plain routing has none, and WireGuard has one of its own.
    """
    name = "-".join([*dict.fromkeys(_SHORT[kind] for kind in ends.values()), secrets.token_hex(2)])
    homes = {gateway: work / name / gateway for gateway in ends}
    key = "bench." + secrets.token_hex(16)
    keys = wireguard.Keys()
    with ExitStack() as stack:
        lab = stack.enter_context(bed.bed(name, wire, intruder=intruder))
        processes: dict[str, int] = {}
        # West initiates, so it comes last.
        for gateway, kind in sorted(ends.items()):
            home = homes[gateway]
            if kind is Kind.PLAIN:
                peer = bed.other(gateway)
                lab.ip(gateway, f"route add {bed.NETWORKS[peer]} via {bed.GATEWAYS[peer]}")
            elif kind is Kind.WIREGUARD:
                processes[gateway] = stack.enter_context(wireguard.end(lab, gateway, keys, home))
            elif kind is Kind.STOCK:
                processes[gateway] = stack.enter_context(stock.end(lab, gateway, suite, key, home))
            else:
                processes[gateway] = stack.enter_context(ours.end(lab, gateway, suite, key, home))
        bed.wait_for_path(lab)
        yield Bed(lab, processes, homes)
