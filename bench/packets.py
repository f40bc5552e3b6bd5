"""UDP: the highest rate at which less than 0.5 % is lost, for large and for small packets.

* `UDP 1350 octets`: payload of 1350 octets (1378 of IP), which fits every tunnel; from left to right.
* `64-byte packets`: IP packets of 64 bytes (20 of IP, 8 of UDP, 36 of payload), in each direction.

One flow, sent in steps of 200 µs (see esp/load): what of it arrives is told by sequence numbers. The gateways get
single packets, as from a network card; the sender makes them in batches, or it would be the limit, and gives way to
the gateways (nice 19), or the scheduler would let a TUN's queue of 500 packets overflow while a gateway waits for its
core. What it can send at all is what plain routing reaches here.

A rate counts as carried when at least 90 % of it could be sent, and less than 0.5 % of that was lost; the figure is
what arrived each second at the highest such rate. One hiccup of the machine overflows a queue, so a rate that fails by
little is tried once more. After a failure the path is left to recover: what kernel-libipsec cannot keep up with, it
queues without bound, and it would deliver nothing else for seconds.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench import traffic
from bench.bed import wait_for_path
from bench.measure import Figure, Measurement, NotReached, Sample, Settings, add_ratio, interleaved
from bench.search import highest
from bench.traffic import IP_AND_UDP_HEADERS, Trial
from bench.tunnel import Bed, Kind, available, both, connected

LOSS_LIMIT: Final = 0.005
TRIAL_SECONDS: Final = 1.0
ATTEMPTS: Final = 2
LARGE: Final = 1350
SMALL: Final = 64 - IP_AND_UDP_HEADERS
UDP_LARGE: Final = "UDP 1350 octets"
SMALL_FORTH: Final = "64-byte packets, left to right"
SMALL_BACK: Final = "64-byte packets, right to left"
_LEAST: Final = 1_000.0
_MOST: Final = 2_000_000.0
_SENDABLE: Final = 0.9
_NEARLY: Final = 4 * LOSS_LIMIT
_GUESSES: Final = {Kind.PLAIN: 500_000.0, Kind.STOCK: 50_000.0, Kind.WIREGUARD: 50_000.0, Kind.OURS: 200_000.0}
"""Where a search begins; a bad guess costs time only."""
_RECOVERY_SECONDS: Final = 60.0


class _Search:
    """Searches on one bed, each beginning where the last one ended."""

    def __init__(self, bed: Bed, kind: Kind, what: str, size: int, source: str) -> None:
        self._bed = bed
        self._name = f"{kind.value}, {what}"
        self._size = size
        self._source = source
        self._guess = _GUESSES[kind]

    def take(self) -> list[Sample]:
        found = highest(self._attempt, self._guess, _LEAST, _MOST)
        if found is None:
            raise NotReached(f"{self._name}: more than {LOSS_LIMIT:.1%} is lost even of {_LEAST:.0f} packets/s")
        self._guess, trial = found
        carried = trial.received / trial.seconds
        samples = [Sample(self._name, "kpps", carried / 1000)]
        if self._size == LARGE:
            samples.append(Sample(f"{self._name}, payload", "Gbit/s", carried * self._size * 8 / 1e9))
        return samples

    def _attempt(self, rate: float) -> Trial | None:
        for _ in range(ATTEMPTS):
            trial = traffic.udp(self._bed, self._size, rate, TRIAL_SECONDS, self._source)
            offered = trial.sent >= _SENDABLE * rate * TRIAL_SECONDS
            if offered and trial.loss < LOSS_LIMIT:
                return trial
            wait_for_path(self._bed.lab, _RECOVERY_SECONDS)
            if not offered or trial.loss > _NEARLY:
                break
        return None


def run(settings: Settings) -> list[Figure]:
    """Rates and ratios for both sizes; against the flow, of the two only whose ratio is asked for."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbore-bench-")))
        beds = {kind: stack.enter_context(connected(both(kind), work)) for kind in available(Kind)}
        for bed in beds.values():
            traffic.single_datagrams(bed)
        searches = [(kind, UDP_LARGE, LARGE, "left") for kind in beds]
        searches += [(kind, SMALL_FORTH, SMALL, "left") for kind in beds]
        searches += [(kind, SMALL_BACK, SMALL, "right") for kind in (Kind.STOCK, Kind.OURS)]
        measurements = [
            Measurement(f"{kind.value}, {what}", _Search(beds[kind], kind, what, size, source).take)
            for kind, what, size, source in searches
        ]
        figures = interleaved(settings, measurements)
    for what in (UDP_LARGE, SMALL_FORTH, SMALL_BACK):
        for rival in (Kind.STOCK, Kind.WIREGUARD):
            add_ratio(figures, Kind.OURS.value, rival.value, what)
    return list(figures.values())
