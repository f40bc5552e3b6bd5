"""One tunnel between two gateways: twinbore-esp at both ends, kernel-libipsec at both ends, and no tunnel at all.

Each kind has a bed of its own with the same wiring; all are up at the same time and measured in turn, round by round,
so that whatever else the machine does disturbs them alike. Client, server and both gateways share the machine's cores:
the figures compare, they do not say what a gateway on hardware of its own would do.

* `large segments`: the wire passes on TCP segments as the sender's kernel made them (up to 64 KiB), as between virtual
  machines of one host.
* `1500-byte packets`: no segmentation offload on the wire, as with a plain network card.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench import bed, pair
from bench.libipsec import libipsec
from bench.measure import Figure, Settings, figure, ratio
from twinbore.lab.topology import Lab

PLAIN: Final = "plain routing"
RIVAL: Final = "kernel-libipsec"
OURS: Final = "twinbore-esp"
KINDS: Final = {PLAIN: "plain", RIVAL: "ipsec", OURS: "ours"}
STREAMS: Final = (1, 4)
WIRES: Final = {"large segments": False, "1500-byte packets": True}


def run(settings: Settings) -> list[Figure]:
    """Throughput for one stream and for four, ratios for one, and idle round-trip times."""
    figures: list[Figure] = []
    for wire, packets in WIRES.items():
        figures += _on_wire(wire, packets, settings)
    return figures


def _on_wire(wire: str, packets: bool, settings: Settings) -> list[Figure]:
    samples: dict[tuple[str, int], list[float]] = defaultdict(list)
    idle: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        beds = {kind: stack.enter_context(bed.bed(short, packets=packets)) for kind, short in KINDS.items()}
        _connect(stack, beds, work)
        for lab in beds.values():
            bed.wait_for_path(lab)
        for _ in range(settings.rounds):
            for kind, lab in beds.items():
                idle[kind].append(bed.round_trip(lab))
                for streams in STREAMS:
                    samples[kind, streams].append(bed.tcp(lab, settings.seconds, streams))
    rates = {key: figure(f"{key[0]}, {_plural(key[1])}, {wire}", "Gbit/s", s) for key, s in samples.items()}
    ratios = [ratio(f"{OURS} / {other}, 1 stream, {wire}", rates[OURS, 1], rates[other, 1]) for other in (RIVAL, PLAIN)]
    return [*rates.values(), *ratios, *(figure(f"{kind}, idle ping, {wire}", "ms", s) for kind, s in idle.items())]


def _connect(stack: ExitStack, beds: dict[str, Lab], work: Path) -> None:
    for gateway, network in bed.NETWORKS.items():
        peer = bed.other(gateway)
        beds[PLAIN].ip(peer, f"route add {network} via {bed.GATEWAYS[gateway]}")
    stack.enter_context(libipsec(beds[RIVAL], work))
    stack.enter_context(pair.twinbore(beds[OURS], work))


def _plural(streams: int) -> str:
    return f"{streams} stream" if streams == 1 else f"{streams} streams"
