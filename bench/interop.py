"""With a stranger: twinbore-esp at one end, stock strongSwan's kernel-libipsec at the other, in both directions.

The slower end decides. What is asked is whether ours as a peer is any worse for libipsec than libipsec itself.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench.measure import Figure, Measurement, Settings, add_ratio, interleaved
from bench.throughput import tcp_samples
from bench.tunnel import Kind, both, connected

MIXED: Final = f"{Kind.OURS.value} with {Kind.STOCK.value}"
STOCK: Final = f"{Kind.STOCK.value} with {Kind.STOCK.value}"
TO_STOCK: Final = "TCP 1 stream, from west to east"
FROM_STOCK: Final = "TCP 1 stream, from east to west"
"""Ours is west in the mixed pair."""


def run(settings: Settings) -> list[Figure]:
    """Rates of both pairs in both directions, and their ratios."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        pairs = {STOCK: both(Kind.STOCK), MIXED: {"west": Kind.OURS, "east": Kind.STOCK}}
        beds = {subject: stack.enter_context(connected(ends, work)) for subject, ends in pairs.items()}
        measurements = [
            Measurement(f"{subject}, {what}", partial(tcp_samples, bed, subject, what, settings.seconds, source=source))
            for what, source in ((TO_STOCK, "left"), (FROM_STOCK, "right"))
            for subject, bed in beds.items()
        ]
        figures = interleaved(settings, measurements)
    for what in (TO_STOCK, FROM_STOCK):
        add_ratio(figures, MIXED, STOCK, what)
    return list(figures.values())
