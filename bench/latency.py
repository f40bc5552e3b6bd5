"""Round-trip times: of an idle path, and of one that one stream of TCP fills.

Echo requests go from left to right, 10 ms apart on an idle path and 20 ms under load; the median of each turn is the
sample. The measuring program is the same everywhere, so what it adds itself cancels out of differences.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench import traffic
from bench.measure import Figure, Measurement, NotReached, Sample, Settings, add_difference, interleaved
from bench.tunnel import Bed, Kind, available, both, connected

IDLE: Final = "idle ping"
LOADED: Final = "ping under one TCP stream"
_INTERVAL: Final = 0.02
_RAMP_SECONDS: Final = 0.7


def run(settings: Settings) -> list[Figure]:
    """Medians for each kind, and what ours adds to plain routing."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        beds = {kind: stack.enter_context(connected(both(kind), work)) for kind in available(Kind)}
        measurements = [
            Measurement(f"{kind.value}, {IDLE}", partial(_idle, kind.value, bed)) for kind, bed in beds.items()
        ]
        measurements += [
            Measurement(f"{kind.value}, {LOADED}", partial(_loaded, kind.value, bed, settings.seconds))
            for kind, bed in beds.items()
        ]
        figures = interleaved(settings, measurements)
    add_difference(figures, Kind.OURS.value, Kind.PLAIN.value, IDLE)
    return list(figures.values())


def _idle(subject: str, bed: Bed) -> list[Sample]:
    time.sleep(0.2)
    report = traffic.echo(bed)
    if report.lost:
        raise NotReached(f"{bed.lab.prefix}: {report.lost} of {report.sent} echo requests were lost on an idle path")
    return [Sample(f"{subject}, {IDLE}", "ms", report.median_ms)]


def _loaded(subject: str, bed: Bed, seconds: int) -> list[Sample]:
    length = seconds + 1
    with traffic.tcp_running(bed, length) as client:
        time.sleep(_RAMP_SECONDS)
        report = traffic.echo(bed, int((length - 2 * _RAMP_SECONDS) / _INTERVAL), _INTERVAL)
        rate, _ = traffic.tcp_result(bed, client, length)
    name = f"{subject}, {LOADED}"
    return [
        Sample(name, "ms", report.median_ms),
        Sample(f"{name}, lost", "%", 100 * report.lost / report.sent),
        Sample(f"{name}, rate meanwhile", "Gbit/s", rate),
    ]
