"""The ESP engine in memory: records what it was given, reports the SAs and counters that a test sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from twinbore.model.desired import EspPlan, TunnelInterface
from twinbore.model.observed import Changes, EspStatus


@dataclass
class FakeCounters:
    """What a test says that went through a tunnel."""

    rx_bytes: int = 0
    rx_packets: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    drops: dict[str, int] = field(default_factory=dict)


class FakeEspEngine:
    """`Engine[EspPlan, tuple[EspStatus, ...]]` without a data plane."""

    def __init__(self, *, on_event: Callable[[], None] = lambda: None) -> None:
        self.interfaces: dict[int, TunnelInterface] = {}
        self.counters: dict[int, FakeCounters] = {}
        self.running = False
        self._on_event = on_event
        self._carrying: set[int] = set()

    async def start(self) -> None:
        self.running = True

    async def apply(self, desired: EspPlan) -> Changes:
        done = []
        for wanted in desired.interfaces:
            old = self.interfaces.get(wanted.if_id)
            if old != wanted:
                done.append(f"{'changed' if old else 'made'} tunnel interface {wanted.name} in {wanted.netns}")
                self.interfaces[wanted.if_id] = wanted
        return Changes(tuple(done))

    async def prune(self, desired: EspPlan) -> Changes:
        return self._remove({interface.if_id for interface in desired.interfaces})

    async def observe(self) -> tuple[EspStatus, ...]:
        found = []
        for if_id, interface in sorted(self.interfaces.items()):
            counted = self.counters.get(if_id, FakeCounters())
            found.append(
                EspStatus(
                    if_id=if_id,
                    present=True,
                    up=interface.up,
                    carrying=if_id in self._carrying,
                    rx_bytes=counted.rx_bytes,
                    rx_packets=counted.rx_packets,
                    tx_bytes=counted.tx_bytes,
                    tx_packets=counted.tx_packets,
                    drops=tuple(sorted(counted.drops.items())),
                )
            )
        return tuple(found)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def teardown(self) -> Changes:
        changes = self._remove(set())
        stopped = ("stopped twinbore-esp",) if self.running else ()
        self.running = False
        return changes + Changes(stopped)

    def set_carrying(self, if_id: int, carrying: bool) -> None:
        """SAs of a tunnel came or went."""
        (self._carrying.add if carrying else self._carrying.discard)(if_id)
        self._on_event()

    def _remove(self, wanted: set[int]) -> Changes:
        done = []
        for if_id in sorted(self.interfaces.keys() - wanted):
            gone = self.interfaces.pop(if_id)
            self._carrying.discard(if_id)
            self.counters.pop(if_id, None)
            done.append(f"removed tunnel interface {gone.name} from {gone.netns}")
        return Changes(tuple(done))
