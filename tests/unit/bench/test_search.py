"""The search for the highest rate that is carried."""

from __future__ import annotations

import pytest
from bench.search import RESOLUTION, highest


@pytest.mark.parametrize("limit", [1_000, 1_700, 40_000, 55_000, 999_999])
@pytest.mark.parametrize("guess", [1.0, 50_000.0, 5_000_000.0])
def test_the_limit_is_found_from_any_guess(limit: float, guess: float) -> None:
    found = highest(lambda rate: rate if rate <= limit else None, guess, 1_000, 1_000_000)
    assert found is not None
    rate, result = found
    assert rate == result
    assert rate <= limit <= rate * RESOLUTION


def test_a_good_guess_needs_few_trials() -> None:
    tried: list[float] = []

    def attempt(rate: float) -> bool | None:
        tried.append(rate)
        return True if rate <= 51_000 else None

    assert highest(attempt, 50_000, 1_000, 1_000_000) is not None
    assert len(tried) == 4


def test_a_path_that_carries_everything_ends_at_the_most() -> None:
    assert highest(lambda _rate: "all", 50_000, 1_000, 1_000_000) == (1_000_000, "all")


def test_a_path_that_carries_nothing_is_told() -> None:
    assert highest(lambda _rate: None, 50_000, 1_000, 1_000_000) is None
