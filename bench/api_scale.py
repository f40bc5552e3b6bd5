"""How the API's costs grow with the number of VPN connections, from 10 to 10 000, beside moto's server.

Both servers begin with nothing. For each number, connections are made by 16 clients until `LAST` are missing, which
one client makes; their latency is what is quoted. When all are `available`, one is described `REPEATS` times, and all
of them are: the first time, when Twinbore has to write every description anew, and again (the best of three). What all
take is given for each connection, so that growth in proportion shows as a figure that stays the same.

Memory is the most that a process has had resident (VmHWM of Linux) while it described all of them, beside what it had
before. moto makes its answers whole in memory.

Each round is one climb of both; 10 000 connections take a minute and a half for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.api_servers import MOTO_NAME, OURS, moto_program
from bench.api_side import CREATE, Side, both_sides, describe_one
from bench.measure import Figure, Figures, Settings, add_ratio, figure, say

COUNTS: Final = (10, 100, 1000, 10_000)
LAST: Final = 100
AGAIN: Final = 3
SEVERAL: Final = 16
GROWTH: Final = f"describe all, first, each: {COUNTS[-1]} / {COUNTS[0]}"
"""More than 1: the time grows faster than the number of connections."""

Samples = dict[tuple[str, str], list[float]]


def create(count: int) -> str:
    """The name of making the last of so many connections."""
    return f"{CREATE} up to {count}"


def describe_each(count: int, when: str) -> str:
    """The name of describing all of so many connections, for each of them; `when` is "first" or "again"."""
    return f"describe all {count}, {when}, each"


def memory(count: int, when: str) -> str:
    """The name of the resident memory, "before" or "while" all of so many connections are described."""
    return f"memory {when} all {count} are described"


def run(settings: Settings) -> list[Figure]:
    """Every figure; moto's and the ratios only where moto can be had."""
    program = moto_program()
    samples: Samples = defaultdict(list)
    for number in range(settings.rounds):
        say(f"round {number + 1}/{settings.rounds} ...")
        with both_sides(program) as sides:
            _climb(sides, samples)
        for side in sides:
            each = [samples[f"{side.server.name}, {describe_each(count, 'first')}", "µs"][-1] for count in COUNTS]
            _note(samples, side, GROWTH, "x", each[-1] / each[0])
    figures: Figures = {name: figure(name, unit, values) for (name, unit), values in samples.items()}
    for count in COUNTS:
        for what in (create(count), describe_one(count), describe_each(count, "first"), describe_each(count, "again")):
            add_ratio(figures, MOTO_NAME, OURS, what)
    return list(figures.values())


def _climb(sides: Sequence[Side], samples: Samples) -> None:
    for count in COUNTS:
        for side in sides:
            before = len(side.connections)
            if count - LAST > before:
                side.create_customers(count - LAST, SEVERAL)
                side.create_connections(count - LAST, SEVERAL)
                side.settle()
            side.create_customers(count, 1)
            timing = side.create_connections(count, 1)
            _note(samples, side, create(count), "ms", timing.percentile(50))
            _note(samples, side, f"{create(count)}, 99th percentile", "ms", timing.percentile(99))
            side.settle()
        for side in sides:
            _describe_all(side, count, samples)
        for side in sides:
            timing = side.describe_one(1)
            _note(samples, side, describe_one(count), "ms", timing.percentile(50))
            _note(samples, side, f"{describe_one(count)}, 99th percentile", "ms", timing.percentile(99))
        say(f"  {count} connections")


def _describe_all(side: Side, count: int, samples: Samples) -> None:
    process = Path(f"/proc/{side.server.pid}")
    (process / "clear_refs").write_text("5")  # the peak begins anew (proc(5))
    before = _peak(process)
    first = side.describe_all(1, 1)
    again = side.describe_all(AGAIN, 1)
    _note(samples, side, describe_each(count, "first"), "µs", first.latencies[0] * 1000 / count)
    _note(samples, side, describe_each(count, "again"), "µs", min(again.latencies) * 1000 / count)
    _note(samples, side, memory(count, "before"), "MiB", before)
    _note(samples, side, memory(count, "while"), "MiB", _peak(process))


def _peak(process: Path) -> float:
    """The most that was resident, in MiB."""
    fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) / 1024


def _note(samples: Samples, side: Side, what: str, unit: str, value: float) -> None:
    samples[f"{side.server.name}, {what}", unit].append(value)
