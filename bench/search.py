"""The highest rate that is still carried, with few trials.

A search begins at a guess (the last round's result), goes up or down by a factor until the limit is between two rates,
and halves that interval, in logarithms, until it is narrow enough. Above the limit nothing is assumed: a trial that
happens to succeed there moves the search up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

STEP: Final = 1.25
RESOLUTION: Final = 1.06


def highest(attempt: Callable[[float], T | None], guess: float, least: float, most: float) -> tuple[float, T] | None:
    """The highest rate between `least` and `most` at which `attempt` gives a result, and that result.

    `attempt` gives None for a rate that is not carried. None when not even `least` is.
    """
    low: tuple[float, T] | None = None
    high = math.inf
    rate = min(max(guess, least), most)
    while low is None or high > low[0] * RESOLUTION:
        result = attempt(rate)
        if result is not None:
            low = (rate, result)
            if rate >= most:
                return low
        elif rate <= least:
            return None
        else:
            high = rate
        if low is None:
            rate = max(least, high / STEP)
        elif high == math.inf:
            rate = min(most, low[0] * STEP)
        else:
            rate = math.sqrt(low[0] * high)
    return low
