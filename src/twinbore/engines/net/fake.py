"""A net engine in memory: remembers the plan and tells the difference, for tests and for running without privileges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from twinbore.engines.net.observation import FilterDrops, NetObservation, PortStatus
from twinbore.model.desired import NetPlan
from twinbore.model.observed import Changes


class FakeNetEngine:
    """What is applied exists at once. `present` is the whole of it."""

    def __init__(self, *, on_event: Callable[[], None] = lambda: None) -> None:
        self.present = NetPlan()
        self.running = False
        self._on_event = on_event
        self._drops: tuple[FilterDrops, ...] = ()

    async def start(self) -> None:
        """What was present before is still there, as in the kernel."""
        self.running = True

    async def apply(self, desired: NetPlan) -> Changes:
        """Add what is missing."""
        return self._become(lambda wanted, present: present | wanted, desired)

    async def prune(self, desired: NetPlan) -> Changes:
        """Remove what is not wanted."""
        return self._become(lambda wanted, present: present & wanted, desired)

    async def observe(self) -> NetObservation:
        """Every port that was applied is running; drops are those that a test set."""
        return NetObservation(
            namespaces=tuple(namespace.name for namespace in self.present.namespaces),
            ports=tuple(sorted(PortStatus(p.netns, p.eni_id, p.device, True) for p in self.present.ports)),
            drops=self._drops,
        )

    async def close(self) -> None:
        """What is present stays."""
        self.running = False

    async def teardown(self) -> Changes:
        """Remove everything."""
        return await self.prune(NetPlan())

    def set_drops(self, *drops: FilterDrops) -> None:
        """For tests: what the packet filters dropped."""
        self._drops = drops
        self._on_event()

    def lose(self, plan: NetPlan) -> None:
        """For tests: somebody removed these things by hand."""
        self._become(lambda lost, present: present - lost, plan)
        self._on_event()

    def _become(self, combine: Callable[[set[Any], set[Any]], set[Any]], plan: NetPlan) -> Changes:
        """Set every part of `present` to what `combine` makes of the plan's part and it; tell the difference."""
        parts: dict[str, Any] = {}
        done: list[str] = []
        for part in fields(NetPlan):
            before = set(getattr(self.present, part.name))
            after = combine(set(getattr(plan, part.name)), before)
            done += [f"Created {item}" for item in sorted(after - before)]
            done += [f"Removed {item}" for item in sorted(before - after)]
            parts[part.name] = tuple(sorted(after))
        self.present = NetPlan(**parts)
        return Changes(tuple(done))
