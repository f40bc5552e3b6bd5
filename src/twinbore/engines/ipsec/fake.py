"""The IPsec engine in memory: records what it was given, reports what a test tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from twinbore.model.desired import IkeTunnel, IpsecPlan
from twinbore.model.observed import Changes, IkeStatus


class FakeIpsecEngine:
    """`Engine[IpsecPlan, tuple[IkeStatus, ...]]` without charon. Tests set the peers' behaviour."""

    def __init__(self, *, on_event: Callable[[], None] = lambda: None) -> None:
        self.tunnels: dict[str, IkeTunnel] = {}
        self.running = False
        self._on_event = on_event
        self._statuses: dict[str, IkeStatus] = {}

    async def start(self) -> None:
        self.running = True

    async def apply(self, desired: IpsecPlan) -> Changes:
        done = []
        for tunnel in desired.tunnels:
            old = self.tunnels.get(tunnel.name)
            if old != tunnel:
                done.append(f"{'changed' if old else 'loaded'} IKE connection {tunnel.name}")
                self.tunnels[tunnel.name] = tunnel
        return Changes(tuple(done))

    async def prune(self, desired: IpsecPlan) -> Changes:
        gone = sorted(self.tunnels.keys() - {tunnel.name for tunnel in desired.tunnels})
        for name in gone:
            del self.tunnels[name]
            self._statuses.pop(name, None)
        return Changes(tuple(f"removed IKE connection {name}" for name in gone))

    async def observe(self) -> tuple[IkeStatus, ...]:
        return tuple(self._statuses.get(name, IkeStatus(name, False, False)) for name in sorted(self.tunnels))

    async def close(self) -> None:
        """Nothing to let go of."""

    async def teardown(self) -> Changes:
        done = tuple(f"removed IKE connection {name}" for name in sorted(self.tunnels))
        stopped = ("stopped charon",) if self.running else ()
        self.tunnels.clear()
        self._statuses.clear()
        self.running = False
        return Changes(done + stopped)

    def establish(self, name: str) -> None:
        """The customer gateway brought the tunnel up, with the first of each algorithm that its options allow."""
        tunnel = self.tunnels[name]
        options = tunnel.options
        phase1, phase2 = options.phase1_encryption_algorithms[0], options.phase2_encryption_algorithms[0]
        self._set(
            IkeStatus(
                name=name,
                ike_established=True,
                child_installed=True,
                ike_version=options.ike_versions[-1],
                phase1_encryption=phase1,
                phase1_integrity=None if "GCM" in phase1 else options.phase1_integrity_algorithms[0],
                phase1_dh_group=options.phase1_dh_group_numbers[0],
                phase2_encryption=phase2,
                phase2_integrity=None if "GCM" in phase2 else options.phase2_integrity_algorithms[0],
                phase2_dh_group=options.phase2_dh_group_numbers[0],
                remote_address=f"{tunnel.remote_address or '192.0.2.1'}:500",
            )
        )

    def lose_child(self, name: str, reason: str) -> None:
        """Phase 2 went, the IKE SA stayed."""
        self._set(replace(self._statuses[name], child_installed=False, last_error=reason))

    def lose(self, name: str, reason: str) -> None:
        """The tunnel went down."""
        self._set(IkeStatus(name, False, False, last_error=reason))

    def _set(self, status: IkeStatus) -> None:
        self._statuses[status.name] = status
        self._on_event()
