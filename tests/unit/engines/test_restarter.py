"""Restarting what ended: at once when it had been stable, later and later when it keeps ending."""

from __future__ import annotations

import asyncio

import pytest

from twinbore.engines import restarter
from twinbore.engines.base import EngineError
from twinbore.engines.restarter import Restarter


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without waiting for them."""
    made: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        made.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr(restarter.asyncio, "sleep", sleep)
    return made


def test_failures_make_the_pause_grow_and_success_ends_it(pauses: list[float]) -> None:
    attempts: list[int] = []

    async def bring_back() -> None:
        attempts.append(1)
        assert not it.waiting
        if len(attempts) < 4:
            raise EngineError("not yet")

    it = Restarter("charon", bring_back, (EngineError,), clock=lambda: 1000.0)

    async def scenario() -> None:
        it.ended()
        assert it.waiting
        it.ended()
        while it.waiting:
            await asyncio.wait({asyncio.create_task(asyncio.sleep(0))})

    asyncio.run(scenario())
    assert len(attempts) == 4
    restarts = [seconds for seconds in pauses if seconds]
    assert restarts == [0.1, 0.25, 1.0, 2.0]


def test_a_process_that_keeps_ending_waits_longer_each_time(pauses: list[float]) -> None:
    now = 0.0

    async def bring_back() -> None:
        it.started()

    it = Restarter("bird", bring_back, (EngineError,), clock=lambda: now)

    async def end() -> None:
        it.ended()
        while it.waiting:
            await asyncio.wait({asyncio.create_task(asyncio.sleep(0))})

    async def scenario() -> None:
        nonlocal now
        it.started()
        for _ in range(2):
            now += 1
            await end()
        now += 100
        await end()

    asyncio.run(scenario())
    assert [seconds for seconds in pauses if seconds] == [0.25, 1.0, 0.1]


def test_cancel(pauses: list[float]) -> None:
    async def bring_back() -> None:
        raise AssertionError("must not be called")

    async def scenario() -> None:
        it = Restarter("bird", bring_back, (EngineError,))
        it.ended()
        await it.cancel()
        await it.cancel()
        assert not it.waiting

    asyncio.run(scenario())
