"""The real net engine: `Reconciler` behind the engines' interface, one call at a time, in a worker thread.

When a link, a route or a rule of ours disappears (a workload's namespace ended, somebody deleted something), the kernel
tells, and `on_event` is called. What cannot be heard is repaired by the agent's sweep.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from twinbore.engines import netns as namespaces
from twinbore.engines.base import EngineError
from twinbore.engines.kernel_events import (
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV4_RULE,
    RTNLGRP_LINK,
    Collector,
    KernelEvents,
    route_protocol,
)
from twinbore.engines.net.ledger import Ledger
from twinbore.engines.net.observation import NetObservation
from twinbore.engines.net.reconcile import Reconciler
from twinbore.engines.net.routing import ROUTE_PROTOCOL
from twinbore.engines.netlink import RTM_DELLINK, RTM_DELROUTE, RTM_DELRULE, in_worker
from twinbore.model.desired import NetPlan
from twinbore.model.observed import Changes

COLLECT_SECONDS: Final = 0.05

_NFT_PATH: Final = "/usr/sbin:/usr/bin:/sbin"


class NetEngine:
    """Namespaces, links, addresses, routes, rules and packet filters of one host.

    `run_dir` is the engine's own directory. `underlay` is part of every engine's construction: nothing of this engine
    is in the underlay. `on_event` is called on the event loop. `nft` is the program's path; None looks for it.
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        underlay: str | None = None,  # noqa: ARG002
        on_event: Callable[[], None] = lambda: None,
        nft: Path | None = None,
    ) -> None:
        self._run_dir = run_dir
        self._nft = nft
        self._reconciler: Reconciler | None = None
        self._collector = Collector(COLLECT_SECONDS, lambda _: on_event())
        self._events: KernelEvents | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Check privileges and programs. What a former agent made is in the ledger, and found by `apply`."""
        found = shutil.which(self._nft or "nft", path=_NFT_PATH)
        if found is None:
            raise EngineError("nft is missing: install it with apt-get install nftables")
        if os.geteuid() != 0:
            raise EngineError("network namespaces need root: start the agent as root (CAP_SYS_ADMIN, CAP_NET_ADMIN)")
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._reconciler = Reconciler(Ledger(self._run_dir / "netns"), Path(found))
        groups = (RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE)
        self._events = KernelEvents(groups, _concerns_net, self._collector.add)

    async def apply(self, desired: NetPlan) -> Changes:
        """Create and repair everything of the plan."""
        async with self._turn:
            changes = await in_worker(self._started().apply, desired)
            for namespace in desired.namespaces:
                if self._events is not None and namespaces.exists(namespace.name):
                    await self._events.add(namespace.name, namespace.name)
            return changes

    async def prune(self, desired: NetPlan) -> Changes:
        """Remove everything of ours that is not in the plan."""
        async with self._turn:
            changes = await in_worker(self._started().prune, desired)
            if self._events is not None:
                self._events.keep({namespace.name for namespace in desired.namespaces})
            return changes

    async def observe(self) -> NetObservation:
        """Ports and dropped packets."""
        async with self._turn:
            return await in_worker(self._started().observe)

    async def close(self) -> None:
        """Stop listening; everything that was made stays."""
        self._collector.close()
        if self._events is not None:
            self._events.close()
            self._events = None

    async def teardown(self) -> Changes:
        """Remove every namespace of the ledger, and with it all that is in it and the other ends of its links."""
        if self._reconciler is None:
            await self.start()
        try:
            return await self.prune(NetPlan())
        finally:
            await self.close()

    def _started(self) -> Reconciler:
        if self._reconciler is None:
            raise EngineError("the net engine was not started: call start() first")
        return self._reconciler


def _concerns_net(kind: int, message: bytes) -> bool:
    """Something went away that may have been ours; what we add ourselves is no news."""
    if kind in (RTM_DELLINK, RTM_DELRULE):
        return True
    return kind == RTM_DELROUTE and route_protocol(message) == ROUTE_PROTOCOL
