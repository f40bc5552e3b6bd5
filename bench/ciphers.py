"""Cipher suites: one stream of TCP in large segments, AES-128-GCM against AES-256-GCM, and CBC against the rival's."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench.bed import Wire
from bench.cipher import CBC_128, GCM_128, GCM_256, Suite
from bench.measure import Figure, Measurement, Settings, add_ratio, interleaved
from bench.throughput import tcp_name, tcp_samples
from bench.tunnel import Kind, both, connected

_MEASURED: Final = ((Kind.OURS, GCM_128), (Kind.OURS, GCM_256), (Kind.OURS, CBC_128), (Kind.STOCK, CBC_128))


def subject(kind: Kind, suite: Suite) -> str:
    return f"{kind.value} {suite.name}"


def run(settings: Settings) -> list[Figure]:
    """Rates, and the ratios that say what a suite costs."""
    what = tcp_name(Wire.LARGE)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        measurements = []
        for kind, suite in _MEASURED:
            bed = stack.enter_context(connected(both(kind), work, suite=suite))
            take = partial(tcp_samples, bed, subject(kind, suite), what, settings.seconds)
            measurements.append(Measurement(f"{subject(kind, suite)}, {what}", take))
        figures = interleaved(settings, measurements)
    add_ratio(figures, subject(Kind.OURS, GCM_256), subject(Kind.OURS, GCM_128), what)
    add_ratio(figures, subject(Kind.OURS, CBC_128), subject(Kind.STOCK, CBC_128), what)
    return list(figures.values())
