"""The reconcile loop of one gateway host.

One round: read the resources, plan, apply to each engine whose part changed (or that said something happened), remove
what is no longer wanted, observe, record. The loop is level-triggered: an event only wakes it, the truth is re-read.
A sweep every `SWEEP_SECONDS` applies every part whether it changed or not, which repairs what events missed.

Stopping the loop, or killing it, leaves the data plane as it is; a new loop adopts it: its first round is a sweep that
finds everything in place.

Failures do not stop the loop: what failed is tried again after a growing pause, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from twinbore.agent import lifecycle, recorder
from twinbore.agent.engines import ORDER, EngineSet
from twinbore.model.desired import BgpPlan, HostPlan
from twinbore.model.observed import Changes, Failure
from twinbore.model.snapshot import Snapshot
from twinbore.planner.gateways import HostFacts
from twinbore.planner.parting import parting
from twinbore.planner.plan import plan
from twinbore.store.database import Database
from twinbore.store.snapshot import load_snapshot

Result = TypeVar("Result")

SWEEP_SECONDS: Final = 30.0
POLL_SECONDS: Final = 1.0
"""How often the revision is read, for writers in other processes."""
REST_FACTOR: Final = 6.0
REST_SECONDS: Final = 3.0
"""After a round: so many times as long as it has computed, and no longer than that."""

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Agent:
    """Drives the engines of one host. `clock` gives the time of day, in UTC."""

    def __init__(
        self,
        database: Database,
        engines: EngineSet,
        facts: HostFacts,
        deleted_visible: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._engines = engines
        self._facts = facts
        self._deleted_visible = deleted_visible
        self._clock = clock
        self._log = structlog.get_logger("agent")
        self._wake = asyncio.Event()
        self._touched = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dirty: set[str] = set(ORDER)
        self._applied: dict[str, object] = {}
        self._computed = 0.0
        self._revision = -1
        self._retry = 0
        self._rounds = asyncio.Condition()
        self.round_revision = -1
        self.failures: tuple[Failure, ...] = ()
        database.on_revision(self._on_revision)

    def touch(self, engine: str) -> None:
        """Something may have changed in an engine: look at it soon."""
        self._dirty.add(engine)
        self._touched.set()
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Start the engines and reconcile until `stop` is set; then let go of them. Raises `EngineError`."""
        self._loop = asyncio.get_running_loop()
        for name in ORDER:
            await self._engines.named(name).start()
        stopper = asyncio.create_task(stop.wait())
        next_sweep = self._loop.time()
        try:
            while not stop.is_set():
                sweep = self._loop.time() >= next_sweep
                if sweep:
                    next_sweep = self._loop.time() + SWEEP_SECONDS
                if sweep or self._wake.is_set() or await self._moved():
                    self._wake.clear()
                    self._touched.clear()
                    if await self._guarded_round(sweep):
                        self._wake.set()
                        continue
                    await self._rest(stopper)
                pause = RETRY_SECONDS[min(self._retry, len(RETRY_SECONDS)) - 1] if self._retry else POLL_SECONDS
                waker = asyncio.create_task(self._wake.wait())
                await asyncio.wait({stopper, waker}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                waker.cancel()
                if self._retry and not self._wake.is_set():
                    self._dirty.update(ORDER)
                    self._wake.set()
        finally:
            stopper.cancel()
            for name in reversed(ORDER):
                await self._engines.named(name).close()

    async def _rest(self, stopper: asyncio.Task[bool]) -> None:
        """Leave the interpreter to the API for a while: many resources that are made in a row share a round.

        What the engines tell ends the rest at once.
        """
        toucher = asyncio.create_task(self._touched.wait())
        pause = min(REST_FACTOR * self._computed, REST_SECONDS)
        self._computed = 0.0
        await asyncio.wait({stopper, toucher}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        toucher.cancel()

    async def wait_for(self, revision: int, seconds: float) -> bool:
        """Wait until a round has applied at least `revision`; False when it took longer than `seconds`."""
        async with self._rounds:
            try:
                await asyncio.wait_for(self._rounds.wait_for(lambda: self.round_revision >= revision), seconds)
            except TimeoutError:
                return False
        return True

    async def _guarded_round(self, sweep: bool) -> bool:
        """One round; True when another must follow at once."""
        try:
            again = await self.round(sweep=sweep)
        except Exception:
            self._log.exception("round failed")
            self._retry += 1
            return False
        self._retry = self._retry + 1 if self.failures else 0
        return again

    async def round(self, *, sweep: bool) -> bool:
        """Plan, apply, observe, record. True when what was recorded changes the plan."""
        snapshot = await self._compute(self._read)
        self._revision = snapshot.revision
        desired = await self._compute(plan, snapshot, self._facts)
        changes = await self._apply(desired, sweep=sweep)
        for sentence in changes.done:
            self._log.info(sentence)
        for failure in changes.failed:
            self._log.warning("engine failure", subject=failure.subject, reason=failure.message)
        self.failures = changes.failed
        seen = recorder.Observations(
            esp=await self._engines.esp.observe(),
            ike=await self._engines.ipsec.observe(),
            bgp=await self._engines.bgp.observe(),
        )
        recorded = await self._compute(self._record, snapshot, seen, changes.failed, sweep)
        for sentence in recorded.sentences:
            self._log.info(sentence)
        async with self._rounds:
            self.round_revision = snapshot.revision
            self._rounds.notify_all()
        return recorded.plan_changed

    async def _compute(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do it in a thread, and take note of how long it keeps the interpreter busy."""

        def timed() -> tuple[Result, float]:
            begun = time.thread_time()
            return work(*arguments), time.thread_time() - begun

        result, seconds = await asyncio.to_thread(timed)
        self._computed += seconds
        return result

    async def _apply(self, desired: HostPlan, *, sweep: bool) -> Changes:
        dirty, self._dirty = self._dirty, set()
        if dirty & {"esp", "ipsec"}:
            # charon ends with twinbore-esp, and a tunnel interface made anew needs its SAs: look at both.
            dirty |= {"esp", "ipsec"}
        due = [n for n in ORDER if sweep or n in dirty or self._applied.get(n) != getattr(desired, n)]
        changes = await self._part(desired)
        failed: set[str] = set()
        for name in due:
            result = await self._engines.named(name).apply(getattr(desired, name))
            changes += result
            if result.failed:
                failed.add(name)
        for name in reversed(due):
            result = await self._engines.named(name).prune(getattr(desired, name))
            changes += result
            if result.failed:
                failed.add(name)
        for name in due:
            if name in failed:
                self._applied.pop(name, None)
            else:
                self._applied[name] = getattr(desired, name)
        return changes

    async def _part(self, desired: HostPlan) -> Changes:
        """Close the BGP sessions that are about to lose their place."""
        applied = self._applied.get("bgp")
        if not isinstance(applied, BgpPlan) or applied == desired.bgp:
            return Changes()
        remaining = parting(applied, desired.bgp)
        return Changes() if remaining == applied else await self._engines.bgp.apply(remaining)

    def _read(self) -> Snapshot:
        with self._database.read() as tx:
            return load_snapshot(tx)

    def _record(
        self, snapshot: Snapshot, seen: recorder.Observations, failures: tuple[Failure, ...], sweep: bool
    ) -> recorder.Recorded:
        now = self._clock()
        recorded = recorder.compare(snapshot, seen, now, failures)
        if recorded or sweep or lifecycle.needs_settling(snapshot):
            with self._database.write(bump=False) as tx:
                recorder.write(tx, recorded)
                for sentence in lifecycle.settle(tx, snapshot, failures, now):
                    self._log.info(sentence)
                if sweep:
                    lifecycle.purge(tx, now, self._deleted_visible)
        return recorded

    async def _moved(self) -> bool:
        def current() -> int:
            with self._database.read() as tx:
                return tx.revision()

        return await asyncio.to_thread(current) != self._revision

    def _on_revision(self, _revision: int) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)
