"""Which handovers are under way: one task for each connection, beside the engine's `apply`.

* The newest outdated IKE SA of a connection decides what is done. Those before it have their successor in it, so they
  are only left to end.
* SAs with former times are replaced when it is time for that (`renewal`). A peer that does not take part is asked again
  after `RENEWAL_PAUSE_SECONDS`, or after charon has re-keyed the SA in the old way.
* When charon ends, everything under way is void: its SAs go with it, and their numbers are given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from twinbore.engines.ipsec import handover
from twinbore.engines.ipsec.charon_config import V1_SUFFIX
from twinbore.engines.ipsec.fingerprints import Due, Fingerprint
from twinbore.engines.ipsec.handover import Handover
from twinbore.engines.ipsec.renewal import renewal_seconds
from twinbore.engines.ipsec.resume import peer_port
from twinbore.engines.ipsec.status import IkeSa, ike_status
from twinbore.engines.ipsec.vici import ViciError, ViciSession, ViciUnreachable
from twinbore.model.desired import IkeTunnel

PARALLEL_CALLS: Final = 8
RENEWAL_PAUSE_SECONDS: Final = 30.0

CallPeer = Callable[[ViciSession, IkeTunnel, int | None], Awaitable[None]]
"""Start IKE with a tunnel's peer, at a port of its own or at the usual one."""

log = structlog.get_logger("ipsec")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A handover that came to an end: nothing is due any more on IKE SAs `numbers`.

    `broken`: they were ended without a successor.
    """

    connection: str
    numbers: frozenset[int]
    broken: bool


class Handovers:
    """All handovers of one charon. `vici` is its socket; `finished` is told of each that came to an end."""

    def __init__(
        self,
        vici: Path,
        call: CallPeer,
        finished: Callable[[Outcome], None],
        clock: Callable[[], float],
    ) -> None:
        self._vici = vici
        self._call = call
        self._finished = finished
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._refused: dict[str, float] = {}
        self._slots = asyncio.Semaphore(PARALLEL_CALLS)

    def __contains__(self, connection: str) -> bool:
        """Whether a handover of this connection is under way."""
        return connection in self._tasks

    def begin(self, connection: str, entry: Fingerprint, tunnel: IkeTunnel | None, sas: Collection[IkeSa]) -> None:
        """Begin what is due on a connection, of whose IKE SAs these are there. Not while one is under way."""
        if not entry.stale:
            return
        newest, due = entry.stale[-1]
        outdated = frozenset(entry.due)
        if due is Due.RENEW and not self._is_time(connection, newest, tunnel, sas):
            outdated -= {newest}
        if outdated:
            work = self._run(connection, outdated, due, tunnel)
            task = asyncio.get_running_loop().create_task(work, name=f"ipsec-{connection}")
            self._tasks[connection] = task
            task.add_done_callback(lambda _: self._tasks.pop(connection, None))

    async def cancel(self, connection: str) -> None:
        """Leave a connection's SAs as they are at this moment."""
        await _cancelled([task for name, task in self._tasks.items() if name == connection])

    async def cancel_all(self) -> None:
        """Leave all SAs as they are."""
        await _cancelled(list(self._tasks.values()))

    def forget(self) -> None:
        """charon ended."""
        for task in self._tasks.values():
            task.cancel()
        self._refused.clear()

    def _is_time(self, connection: str, number: int, tunnel: IkeTunnel | None, sas: Collection[IkeSa]) -> bool:
        """Whether an IKE SA with former times shall be replaced now."""
        if tunnel is None or not may_call(tunnel, connection):
            return False
        if self._clock() - self._refused.get(connection, float("-inf")) < RENEWAL_PAUSE_SECONDS:
            return False
        return renewal_seconds(sas, {number}, tunnel.options) == 0

    async def _run(self, connection: str, outdated: frozenset[int], due: Due, tunnel: IkeTunnel | None) -> None:
        session = ViciSession(self._vici)
        call = self._caller(session, connection, tunnel)
        try:
            ended = await Handover(session, connection, outdated, call, self._slots).run(due)
        except (ViciUnreachable, ViciError) as error:
            log.warning("a changed connection's SAs could not be replaced", connection=connection, error=str(error))
            return
        finally:
            session.close()
        if ended is None:
            self._refused[connection] = self._clock()
        else:
            self._refused.pop(connection, None)
            self._finished(Outcome(connection, outdated, ended > 0))

    def _caller(self, session: ViciSession, connection: str, tunnel: IkeTunnel | None) -> handover.Call | None:
        """How a connection's peer is called, if this side may: where its IKE SA is, as long as its address is that."""
        if tunnel is None or not may_call(tunnel, connection):
            return None

        async def call(sa: IkeSa) -> None:
            moved = sa.section.get("remote-host") != tunnel.remote_address
            await self._call(session, tunnel, None if moved else peer_port(ike_status(connection, [sa], "", "")))

        return call


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def may_call(tunnel: IkeTunnel, connection: str) -> bool:
    """Whether this side may start IKE on a connection of the tunnel: IKEv2, and a peer whose address is known."""
    return tunnel.remote_address is not None and not connection.endswith(V1_SUFFIX)


def by_connection(sas: Collection[IkeSa]) -> Mapping[str, list[IkeSa]]:
    """IKE SAs by the connection that they are of."""
    found: dict[str, list[IkeSa]] = {}
    for sa in sas:
        found.setdefault(sa.connection, []).append(sa)
    return found
