"""Figures: every sample is kept, the median is what is quoted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """`rounds`: how often each measurement is repeated; `seconds`: how long one throughput measurement lasts."""

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


def figure(name: str, unit: str, samples: list[float]) -> Figure:
    """The figure of at least one sample, rounded to four significant digits."""
    rounded = tuple(_rounded(sample) for sample in samples)
    return Figure(name, unit, rounded, _rounded(statistics.median(rounded)), min(rounded), max(rounded))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def ratio(name: str, above: Figure, below: Figure) -> Figure:
    """One figure over another, sample by sample: both were taken in the same rounds."""
    return figure(name, "x", [a / b for a, b in zip(above.samples, below.samples, strict=True)])


def table(figures: list[Figure]) -> Table:
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


def seconds_until(condition: Callable[[], object], limit: float, what: str, pause: float = 0.01) -> float:
    """How long until the condition holds. Raises `NotReached` after `limit` seconds."""
    begin = time.perf_counter()
    while not condition():
        if time.perf_counter() - begin > limit:
            raise NotReached(f"{what}: not within {limit:g} s")
        time.sleep(pause)
    return time.perf_counter() - begin
