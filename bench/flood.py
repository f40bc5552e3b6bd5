"""A flood of unknown ESP: what an established tunnel still carries while a third host sends 100 000 packets a second
of ESP in UDP with random SPIs from random sources to the gateway that receives.

The flood's sender and the kernel's reception of it need the same two cores as everything else, so that the tunnel loses
something even if the flood costs twinbore-esp nothing. Therefore:

* the same is done with plain routing, the flood aimed at a UDP port of the gateway that nobody has opened: what plain
  routing loses is the machine's doing. Its ratio, and the ratio of the two ratios, stand beside ours;
* the flood alone, without traffic, shows what twinbore-esp uses of a core for it, and which part of it it has seen.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench import cpu, ours, traffic
from bench.bed import GATEWAYS
from bench.control import Control
from bench.measure import Figure, Measurement, NotReached, Sample, Settings, add_ratio, figure, interleaved
from bench.throughput import tcp_samples
from bench.tunnel import Bed, Kind, both, connected

RATE: Final = 100_000
WHAT: Final = "TCP 1 stream"
FLOODED: Final = "under flood"
_PORTS: Final = {Kind.OURS: 4500, Kind.PLAIN: 9}
"""4500 is twinbore-esp's, 9 (discard) is nobody's."""
_HEAD_SECONDS: Final = 0.3


def run(settings: Settings) -> list[Figure]:
    """Rates with and without the flood, their ratios, and what the flood alone costs."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        beds = {
            kind: stack.enter_context(connected(both(kind), work, intruder=True)) for kind in (Kind.PLAIN, Kind.OURS)
        }
        measurements = []
        for kind, bed in beds.items():
            subject = kind.value
            quiet = partial(tcp_samples, bed, subject, WHAT, settings.seconds)
            flooded = partial(_flooded, bed, kind, settings.seconds)
            measurements += [
                Measurement(f"{subject}, {WHAT}", quiet),
                Measurement(f"{subject} {FLOODED}, {WHAT}", flooded),
            ]
        measurements.append(Measurement("the flood alone", partial(_alone, beds[Kind.OURS], settings.seconds)))
        figures = interleaved(settings, measurements)
    ratios = []
    for kind in beds:
        add_ratio(figures, f"{kind.value} {FLOODED}", kind.value, WHAT)
        ratios.append(figures[f"{kind.value} {FLOODED} / {kind.value}, {WHAT}"])
    plain, tunnel = ratios
    relative = [ours / routed for ours, routed in zip(tunnel.samples, plain.samples, strict=True)]
    return [*figures.values(), figure("ratio of the two ratios: the tunnel's part of the loss", "x", relative)]


def _destination(kind: Kind) -> str:
    return f"{GATEWAYS['east']}:{_PORTS[kind]}"


def _flooded(bed: Bed, kind: Kind, seconds: int) -> list[Sample]:
    subject = f"{kind.value} {FLOODED}"
    with traffic.flood(bed, _destination(kind), RATE, seconds + 2 * _HEAD_SECONDS + 0.4) as flood:
        time.sleep(_HEAD_SECONDS)
        samples = tcp_samples(bed, subject, WHAT, seconds)
        rate = traffic.flood_rate(flood)
    return [*samples, Sample(f"{subject}, the flood itself", "kpps", rate / 1000)]


def _alone(bed: Bed, seconds: int) -> list[Sample]:
    gateway = bed.processes["east"]
    control = ours.control_socket(bed.homes["east"])
    before = _unknown(control), cpu.seconds([gateway])
    with traffic.flood(bed, _destination(Kind.OURS), RATE, seconds) as flood:
        sent = traffic.flood_rate(flood) * seconds
    seen, used = _unknown(control) - before[0], cpu.seconds([gateway]) - before[1]
    if seen == 0:
        raise NotReached("the flood does not reach twinbore-esp")
    return [
        Sample(f"{Kind.OURS.value}, the flood alone, share of a core", "%", 100 * used / seconds),
        Sample(f"{Kind.OURS.value}, the flood alone, each packet", "ns", used / seen * 1e9),
        Sample(f"{Kind.OURS.value}, the flood alone, seen by the daemon", "%", 100 * seen / sent),
    ]


def _unknown(path: Path) -> int:
    """Packets that the daemon has dropped for their unknown SPI."""
    with Control(path) as control:
        count: int = control.ask("stats")["drops"]["unknown_spi"]
    return count
