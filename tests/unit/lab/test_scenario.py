"""Assertions of the steps: what holds passes, what does not says what was expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from twinbore.lab.faults import Faults
from twinbore.lab.ledger import Ledger
from twinbore.lab.scenario import Scenario, StepFailed, check, equal, first
from twinbore.lab.service import Service
from twinbore.lab.topology import Lab


class Answers:
    """A client that gives prepared answers and remembers the calls."""

    overhead = 0.0

    def __init__(self, **answers: dict[str, Any]) -> None:
        self._answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        self.calls.append((operation, parameters))
        return self._answers[operation]


def scenario(client: Answers) -> Scenario:
    lab = Lab("test", Ledger("test", 0, 0, [], []))
    return Scenario(lab, cast(Service, None), client, cast(Faults, None), Path("/nonexistent"), [])


def countdown(calls: int) -> Callable[[], bool]:
    left = [calls]

    def attempt() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return attempt


def test_within_gives_the_result_and_the_time_it_took() -> None:
    result, seconds = scenario(Answers()).within(5, "it is so", countdown(3))
    assert result
    assert 0.05 < seconds < 5


def test_within_fails_in_words_when_it_takes_too_long() -> None:
    with pytest.raises(StepFailed, match=r"it is so: not within 0\.1 s"):
        scenario(Answers()).within(0.1, "it is so", lambda: False)


def test_a_result_that_comes_too_late_does_not_count() -> None:
    with pytest.raises(StepFailed, match="not within 0 s"):
        scenario(Answers()).within(0, "it is so", countdown(2))


def test_a_slow_client_is_given_its_own_time_for_two_calls() -> None:
    client = Answers()
    client.overhead = 1.0
    assert scenario(client).within(0.0, "it is so", countdown(3))[0]


def test_the_connection_is_asked_for_by_its_id() -> None:
    client = Answers(
        DescribeVpnConnections={"VpnConnections": [{"VgwTelemetry": [{"Status": "UP"}, {"Status": "DOWN"}]}]}
    )
    made = scenario(client)
    made.ids.vpn_connection = "vpn-1"
    assert made.telemetry() == [{"Status": "UP"}, {"Status": "DOWN"}]
    assert client.calls == [("DescribeVpnConnections", {"VpnConnectionIds": ["vpn-1"]})]


def test_expectations_name_what_was_found() -> None:
    check(True, "unused")
    equal(1, 1, "unused")
    assert first([{"a": 1}]) == {"a": 1}
    with pytest.raises(StepFailed, match="a tunnel"):
        check([], "a tunnel")
    with pytest.raises(StepFailed, match="state: expected 'available', found 'pending'"):
        equal("pending", "available", "state")
    with pytest.raises(StepFailed, match="number of items in the answer: expected 1, found 0"):
        first([])
