"""Starting a data-plane process again when it ended by itself, with a pause that grows while it keeps ending.

Reference: the same idea as systemd's RestartSec with RestartSteps (systemd.service(5)), but inside the agent, because
what is to be done after the start (load everything again) is the engine's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

PAUSES_SECONDS: Final = (0.1, 0.25, 1.0, 2.0, 5.0, 10.0, 30.0)
STABLE_SECONDS: Final = 60.0

log = structlog.get_logger("engines")


class Restarter:
    """Calls `bring_back` after each end of a process until it succeeds.

    `bring_back` starts the process and gives it its work; it raises one of `errors` when that failed. A process that
    had run for `STABLE_SECONDS` comes back at once; one that keeps ending waits longer each time.
    """

    def __init__(
        self,
        name: str,
        bring_back: Callable[[], Awaitable[None]],
        errors: tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._bring_back = bring_back
        self._errors = errors
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._started_at = float("-inf")
        self._failures = 0

    @property
    def waiting(self) -> bool:
        """Whether a restart is under way and the caller is not that restart itself."""
        return self._task is not None and self._task is not asyncio.current_task()

    def started(self) -> None:
        """The process was started just now."""
        self._started_at = self._clock()

    def ended(self) -> None:
        """The process ended by itself: begin to bring it back."""
        stable = self._clock() - self._started_at > STABLE_SECONDS
        self._failures = 0 if stable else self._failures + 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"restart-{self._name}")

    async def cancel(self) -> None:
        """Give up a restart that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PAUSES_SECONDS[min(self._failures, len(PAUSES_SECONDS) - 1)])
            try:
                await self._bring_back()
            except self._errors as error:
                self._failures += 1
                log.error("could not be started again", process=self._name, error=str(error))
            else:
                self._task = None
                return
