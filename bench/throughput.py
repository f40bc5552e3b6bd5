"""One tunnel between two gateways: how much TCP it carries, by what the gateways run and what the wire carries.

Each kind has a bed of its own with the same wiring; all are up at the same time and measured in turn. Client, server
and both gateways share the machine's cores: the figures compare, they do not say what a gateway on hardware of its own
would do. Beside each rate stands what the data path's processes use of a processor for each GB of payload, at both
ends together, with the kernel's work in their system calls; forwarding outside of them is not in it.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench import traffic
from bench.bed import Wire
from bench.measure import Figure, Figures, Measurement, Sample, Settings, add_ratio, interleaved
from bench.tunnel import Bed, Kind, available, both, connected

STREAMS: Final[dict[Wire, tuple[int, ...]]] = {Wire.LARGE: (1, 4), Wire.PACKETS: (1, 4), Wire.UNMERGED: (1,)}


def tcp_samples(
    bed: Bed, subject: str, what: str, seconds: int, streams: int = 1, *, source: str = "left"
) -> list[Sample]:
    """Rate, and processor time where a process carries the packets."""
    transfer = traffic.tcp(bed, seconds, streams, source)
    samples = [Sample(f"{subject}, {what}", "Gbit/s", transfer.rate)]
    if bed.processes:
        samples.append(Sample(f"{subject}, {what}, processor time", "s/GB", transfer.cpu))
    return samples


def tcp_name(wire: Wire, streams: int = 1) -> str:
    """What is measured, in a figure's name."""
    return f"TCP {streams} stream{'s' if streams > 1 else ''}, {wire.value}"


def run(settings: Settings) -> list[Figure]:
    """Rates for one stream and for four on every wire, and ratios for one."""
    figures: Figures = {}
    for wire in Wire:
        figures |= _on_wire(wire, settings)
    return list(figures.values())


def _on_wire(wire: Wire, settings: Settings) -> Figures:
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        beds = {kind: stack.enter_context(connected(both(kind), work, wire=wire)) for kind in available(Kind)}
        measurements = []
        for streams in STREAMS[wire]:
            what = tcp_name(wire, streams)
            for kind, bed in beds.items():
                take = partial(tcp_samples, bed, kind.value, what, settings.seconds, streams)
                measurements.append(Measurement(f"{kind.value}, {what}", take))
        figures = interleaved(settings, measurements)
    for rival in (Kind.STOCK, Kind.WIREGUARD, Kind.PLAIN):
        add_ratio(figures, Kind.OURS.value, rival.value, tcp_name(wire))
    return figures
