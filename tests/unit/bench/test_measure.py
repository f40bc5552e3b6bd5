"""Rounds, figures, ratios."""

from __future__ import annotations

import pytest
from bench.measure import Figures, Measurement, Sample, Settings, add_difference, add_ratio, figure, interleaved


def test_each_round_takes_every_measurement_once_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    def take(name: str) -> list[Sample]:
        order.append(name)
        return [Sample(f"{name}, TCP", "Gbit/s", len(order)), Sample(f"{name}, TCP, lost", "%", 0)]

    measurements = [Measurement("first", lambda: take("a")), Measurement("second", lambda: take("b"))]
    figures = interleaved(Settings(3, 1), measurements)
    assert order == ["a", "b"] * 3
    assert figures["a, TCP"].samples == (1, 3, 5)
    assert figures["b, TCP"].median == 4
    assert list(figures) == ["a, TCP", "a, TCP, lost", "b, TCP", "b, TCP, lost"]
    progress = capsys.readouterr().err
    assert "round 2/3: second ... 4 Gbit/s, 0 %" in progress


def test_ratios_and_differences_are_formed_round_by_round() -> None:
    figures: Figures = {}
    for name, samples in {"a, x": [2.0, 9.0, 4.0], "b, x": [1.0, 3.0, 4.0]}.items():
        figures[name] = figure(name, "ms", samples)
    add_ratio(figures, "a", "b", "x")
    add_difference(figures, "a", "b", "x")
    assert figures["a / b, x"].samples == (2, 3, 1)
    assert figures["a / b, x"].median == 2
    assert (figures["a − b, x"].samples, figures["a − b, x"].unit) == ((1, 6, 0), "ms")


def test_what_was_not_measured_has_no_ratio() -> None:
    figures: Figures = {"a, x": figure("a, x", "ms", [1.0])}
    add_ratio(figures, "a", "absent", "x")
    assert list(figures) == ["a, x"]
