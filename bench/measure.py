"""Figures: every sample is kept, the median is what is quoted.

What is compared is measured in interleaved rounds: each round takes every measurement once, in turn, so that whatever
else the machine does disturbs all alike. Ratios and differences are formed round by round, not of medians.

A figure is called "SUBJECT, WHAT" ("twinbore-esp, TCP 1 stream"): two subjects can be compared in the same thing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """`rounds`: how often each measurement is repeated; `seconds`: how long one measurement of TCP lasts."""

    rounds: int
    seconds: int


class Figure(msgspec.Struct, frozen=True):
    """One quantity: its name, unit and samples in the order in which they were taken; the summary is derived."""

    name: str
    unit: str
    samples: tuple[float, ...]
    median: float
    low: float
    high: float


class Sample(NamedTuple):
    """One value of the figure `name`."""

    name: str
    unit: str
    value: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one turn of a round does: it gives one sample of each of its figures, the most important one first."""

    label: str
    take: Callable[[], Sequence[Sample]]


Figures = dict[str, Figure]
"""By name, in the order in which they are shown."""


def interleaved(settings: Settings, measurements: Sequence[Measurement]) -> Figures:
    """Take every measurement once in each round; say which one is running and what it gave."""
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(settings.rounds):
        for measurement in measurements:
            say(f"round {number + 1}/{settings.rounds}: {measurement.label} ...", end=" ")
            begin = time.monotonic()
            taken = measurement.take()
            shown = ", ".join(f"{sample.value:.4g} {sample.unit}" for sample in taken)
            say(f"{shown}  ({time.monotonic() - begin:.1f} s)", stamp=False)
            for sample in taken:
                samples[sample.name, sample.unit].append(sample.value)
    return {name: figure(name, unit, values) for (name, unit), values in samples.items()}


def say(text: str, *, end: str = "\n", stamp: bool = True) -> None:
    """Progress, for whoever waits: on standard error, so that the tables can be redirected alone."""
    print(f"{time.strftime('%H:%M:%S')}  {text}" if stamp else text, end=end, file=sys.stderr, flush=True)


def figure(name: str, unit: str, samples: Iterable[float]) -> Figure:
    """The figure of at least one sample, rounded to four significant digits."""
    rounded = tuple(_rounded(sample) for sample in samples)
    return Figure(name, unit, rounded, _rounded(statistics.median(rounded)), min(rounded), max(rounded))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def add_ratio(figures: Figures, above: str, below: str, what: str) -> None:
    """Add "ABOVE / BELOW, WHAT", in the same rounds. Nothing if one of the two was not measured."""
    pair = [figures.get(f"{subject}, {what}") for subject in (above, below)]
    if pair[0] is not None and pair[1] is not None:
        name = f"{above} / {below}, {what}"
        figures[name] = figure(name, "x", [a / b for a, b in zip(pair[0].samples, pair[1].samples, strict=True)])


def add_difference(figures: Figures, more: str, less: str, what: str) -> None:
    """Add "MORE − LESS, WHAT", in the same rounds."""
    a, b = (figures[f"{subject}, {what}"] for subject in (more, less))
    name = f"{more} − {less}, {what}"
    figures[name] = figure(name, a.unit, [x - y for x, y in zip(a.samples, b.samples, strict=True)])


def table(figures: Iterable[Figure]) -> Table:
    """The figures for the terminal."""
    shown = Table("figure", "unit", box=None, pad_edge=False)
    for heading in ("median", "lowest", "highest", "samples"):
        shown.add_column(heading, justify="right")
    for one in figures:
        values = [f"{value:.4g}" for value in (one.median, one.low, one.high)]
        shown.add_row(one.name, one.unit, *values, str(len(one.samples)))
    return shown


class NotReached(Exception):
    """What a measurement waits for did not happen."""


_PAUSE: Final = 0.01


def seconds_until(condition: Callable[[], object], limit: float, what: str, pause: float = _PAUSE) -> float:
    """How long until the condition holds. Raises `NotReached` after `limit` seconds."""
    begin = time.perf_counter()
    while not condition():
        if time.perf_counter() - begin > limit:
            raise NotReached(f"{what}: not within {limit:g} s")
        time.sleep(pause)
    return time.perf_counter() - begin
