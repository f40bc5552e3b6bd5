"""What the API, the codec and the store cost: Twinbore with fake engines beside moto's server, in interleaved rounds.

Each round begins with both servers anew. Every step is taken by one and then by the other: customer gateways and
connections made by one client until `FEW` of them are there, described singly and all at once by 1 and by 16 clients;
the same with `MANY`, made by 16 clients; deletions. Twinbore's agent works beside its API, as it does in use; before
something is described, all connections are `available` and the agent is idle; what is described first has to be written
anew.

For each step and number of clients: the median and the 99th percentile of a request's latency, and requests a second.
Ratios are of requests a second. `boto3` is the median of one DescribeVpnConnections by boto3, whose own work is in it.
`disk` is what the floor of a durable commit is: 8 KiB appended to a file in the same directory and synced.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from bench.api_client import Timing
from bench.api_servers import MOTO_NAME, OURS, moto_program
from bench.api_side import CREATE, CREATE_CUSTOMER, DELETE, REPEATS, Side, both_sides, by, describe_all, describe_one
from bench.measure import Figure, Figures, Settings, add_ratio, figure, say

FEW: Final = 200
MANY: Final = 1000
CLIENTS: Final = (1, 16)
DISK: Final = "disk, 8 KiB appended and synced"
Samples = dict[tuple[str, str], list[float]]


def run(settings: Settings) -> list[Figure]:
    """Every figure; moto's and the ratios only where moto can be had."""
    program = moto_program()
    samples: Samples = defaultdict(list)
    for number in range(settings.rounds):
        say(f"round {number + 1}/{settings.rounds} ...")
        with both_sides(program) as sides:
            _round(sides, samples)
        samples[DISK, "ms"] += _synced_appends()
    figures: Figures = {name: figure(name, unit, values) for (name, unit), values in samples.items()}
    for name in [name.removeprefix(f"{OURS}, ") for name in figures if name.endswith(", rate")]:
        add_ratio(figures, OURS, MOTO_NAME, name)
    return list(figures.values())


def _round(sides: Sequence[Side], samples: Samples) -> None:
    for name, clients, timings in _steps(sides):
        rates = []
        for side, timing in zip(sides, timings, strict=True):
            subject = f"{side.server.name}, {name}, {by(clients)}"
            samples[f"{subject}", "ms"].append(timing.percentile(50))
            samples[f"{subject}, 99th percentile", "ms"].append(timing.percentile(99))
            samples[f"{subject}, rate", "1/s"].append(timing.rate)
            rates.append(f"{side.server.name} {timing.percentile(50):.2f} ms {timing.rate:.0f}/s")
        say(f"  {name}, {by(clients)}: {', '.join(rates)}")
    for side in sides:
        samples[f"{side.server.name}, describe one by boto3", "ms"] += side.boto3(REPEATS // 4)


def _steps(sides: Sequence[Side]) -> Iterator[tuple[str, int, list[Timing]]]:
    """Every step: its name, the number of clients, and what each server took."""
    one, several = CLIENTS
    for count, clients in ((FEW, one), (MANY, several)):
        yield CREATE_CUSTOMER, clients, [side.create_customers(count, clients) for side in sides]
        yield CREATE, clients, [side.create_connections(count, clients) for side in sides]
        for side in sides:
            side.settle()
        for describing in CLIENTS:
            yield describe_one(count), describing, [side.describe_one(describing) for side in sides]
        for describing in CLIENTS:
            times = 64 if count == FEW else 16
            yield describe_all(count), describing, [side.describe_all(times, describing) for side in sides]
    for clients in CLIENTS:
        yield DELETE, clients, [side.delete(FEW, clients) for side in sides]
        for side in sides:
            side.settle()


def _synced_appends() -> list[float]:
    taken = []
    with tempfile.TemporaryFile(prefix="twinbore-bench-", buffering=0) as file:
        for _ in range(50):
            begin = time.perf_counter()
            file.write(b"\0" * 8192)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begin) * 1000)
    return taken
