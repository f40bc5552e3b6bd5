"""What the demonstration prints of a step that passes and of one that fails."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from twinbore.lab.scenario import StepFailed
from twinbore.lab.show import Show


def show() -> tuple[Show, io.StringIO]:
    output = io.StringIO()
    return Show(Console(file=output, width=100, highlight=False)), output


def test_a_step_that_passes_is_marked_and_explained() -> None:
    shown, output = show()
    with shown.step(3, "Route propagation") as outcome:
        shown.calling("EnableVgwRoutePropagation")
        outcome.sentence = "It was off [and now] is on."
    assert "✓  3 Route propagation 0.0 s\n     It was off [and now] is on.\n" in output.getvalue()


def test_a_step_that_fails_is_marked_with_the_reason_and_goes_on_failing() -> None:
    shown, output = show()
    with pytest.raises(StepFailed), shown.step(4, "VPN connection"):
        raise StepFailed("state: expected 'available', found 'pending'")
    assert "✗  4 VPN connection" in output.getvalue()
    assert "found 'pending'" in output.getvalue()


def test_a_step_that_is_interrupted_says_so() -> None:
    shown, output = show()
    with pytest.raises(KeyboardInterrupt), shown.step(5, "Configure"):
        raise KeyboardInterrupt
    assert "✗  5 Configure" in output.getvalue()
    assert "interrupted" in output.getvalue()


def test_the_table_has_every_step_and_the_sum() -> None:
    shown, output = show()
    with shown.step(1, "first"):
        pass
    with pytest.raises(StepFailed), shown.step(2, "second"):
        raise StepFailed("no")
    shown.outcomes[0].seconds, shown.outcomes[1].seconds = 1.5, 2.0
    shown.table()
    text = output.getvalue()
    rows = [line for line in text.splitlines() if line.startswith("│")]
    assert [("passed" in row, "failed" in row) for row in rows] == [(True, False), (False, True), (False, False)]
    assert "3.5" in rows[-1]
