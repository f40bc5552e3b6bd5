"""A tunnel's SAs give way to new ones: those that are there carry on until their successors do.

Negotiating first (make before break, RFC 7296 section 2.8) works where this side may call: IKEv2 and a known peer.
charon re-keys an SA under the settings that it was made with, so a changed setting needs an IKE SA of its own, beside
the old one. What else happens is said by what is due (`fingerprints.Due`):

* RENEGOTIATE: the old SAs' parameters are no longer allowed. If the peer does not take part within
  `NEGOTIATION_SECONDS`, or cannot be called, they go all the same, and the customer comes back under the new ones.
* REAUTHENTICATE: the peer is another, or the pre-shared key. Only the new ones open an IKE SA from now on; but nobody
  can change both ends in one moment, so the old SAs carry on until the customer has done it, for `PATIENCE_SECONDS` at
  most. (Whoever wants an end at once has the tunnel replaced: that is RENEGOTIATE.)
* RENEW: only times have changed. Nothing goes without a successor.

When the successor carries, the old SAs are left to the peer for `OVERLAP_SECONDS`: packets are under way on them, and
a strongSwan peer closes them itself 10 seconds after it has seen two. One that is told by us would take it as the loss
of its connection and start another.

References: RFC 7296 section 2.8; strongSwan's swanctl.conf(5), `unique`, `close_action`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from twinbore.engines.ipsec.fingerprints import Due
from twinbore.engines.ipsec.status import IkeSa, ike_sas
from twinbore.engines.ipsec.vici import ViciError, ViciSession

NEGOTIATION_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 300.0
OVERLAP_SECONDS: Final = 15.0
TERMINATION_SECONDS: Final = 3
RETRY_SECONDS: Final = (2.0, 5.0, 10.0, 20.0, 30.0)
"""Pauses between attempts while the customer's end is being changed; the last one repeats."""

_POLL_SECONDS: Final = 0.1
_REPLY_SECONDS: Final = 10.0

Call = Callable[[IkeSa], Awaitable[None]]
"""Start IKE with the peer of an IKE SA and return at once. Raises `ViciError`."""


class Handover:
    """The end of a connection's outdated IKE SAs (`stale`, their unique ids).

    `call` is None if this side may not. `slots` bounds how many peers are called at the same time.
    """

    def __init__(
        self,
        session: ViciSession,
        connection: str,
        stale: Collection[int],
        call: Call | None,
        slots: asyncio.Semaphore,
    ) -> None:
        self._session = session
        self._connection = connection
        self._stale = frozenset(stale)
        self._call = call
        self._slots = slots

    async def run(self, due: Due) -> int | None:
        """Do what is due.

        Returns how many IKE SAs were ended without a successor; None when the old ones still carry on, for RENEW only.
        """
        succeeded = await self._find_successor(due)
        if succeeded:
            await self._wait(OVERLAP_SECONDS, self._old_are_gone)
        old, _ = await self._sas()
        if not succeeded and due is Due.RENEW:
            return None if old else 0
        for sa in old:
            await terminate(self._session, sa.unique_id)
        return 0 if succeeded else len(old)

    async def _find_successor(self, due: Due) -> bool:
        """Negotiate or wait for a successor as long as it may take. What carries nothing is not waited for."""
        old, _ = await self._sas()
        if await self._carries() or not any(sa.installed_child for sa in old):
            return await self._carries()
        if due is not Due.REAUTHENTICATE:
            return await self._attempt()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        attempt = 0
        while (left := deadline - loop.time()) > 0:
            if await self._attempt():
                return True
            pause = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
            attempt += 1
            if await self._wait(min(pause, left), self._settled):
                return await self._carries()
        return False

    async def _attempt(self) -> bool:
        """Call the peer and wait for what comes of it. An IKE SA that comes up without a child SA is of no use."""
        async with self._slots:
            return await self._negotiate()

    async def _negotiate(self) -> bool:
        old, before = await self._sas()
        if not old or self._call is None:
            return await self._carries()
        known = {sa.unique_id for sa in before}
        try:
            await self._call(old[0])
            await self._wait(NEGOTIATION_SECONDS, lambda: self._decided(known))
        except ViciError:
            # charon refused to begin: as good as a peer that does.
            return await self._carries()
        if await self._carries():
            return True
        _, new = await self._sas()
        for sa in new:
            if sa.unique_id not in known:
                await terminate(self._session, sa.unique_id)
        return False

    async def _decided(self, known: Collection[int]) -> bool:
        """Whether an attempt has come to an end, good or bad."""
        _, new = await self._sas()
        mine = [sa for sa in new if sa.unique_id not in known]
        return any(sa.installed_child for sa in new) or all(sa.established and not sa.children for sa in mine)

    async def _settled(self) -> bool:
        """Whether there is a successor, or nothing left that needs one."""
        old, new = await self._sas()
        return not old or any(sa.installed_child for sa in new)

    async def _carries(self) -> bool:
        """Whether a successor carries traffic."""
        _, new = await self._sas()
        return any(sa.installed_child for sa in new)

    async def _old_are_gone(self) -> bool:
        old, _ = await self._sas()
        return not old

    async def _wait(self, seconds: float, condition: Callable[[], Awaitable[bool]]) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline:
            if await condition():
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _sas(self) -> tuple[list[IkeSa], list[IkeSa]]:
        """The connection's IKE SAs: those that shall go, and the others."""
        sas = await list_sas(self._session, self._connection)
        return [sa for sa in sas if sa.unique_id in self._stale], [sa for sa in sas if sa.unique_id not in self._stale]


async def terminate_all(session: ViciSession, connection: str) -> int:
    """End every IKE SA of a connection, telling the peer; a silent peer is not waited for. Returns how many."""
    sas = await list_sas(session, connection)
    for sa in sas:
        await terminate(session, sa.unique_id)
    return len(sas)


async def terminate(session: ViciSession, unique_id: int) -> None:
    """End one IKE SA, telling the peer."""
    message = {"ike-id": str(unique_id), "force": "yes", "timeout": str(TERMINATION_SECONDS * 1000)}
    try:
        await session.request("terminate", message, TERMINATION_SECONDS + _REPLY_SECONDS)
    except ViciError:
        # It ended by itself meanwhile, or the peer did not confirm in time; charon has forgotten it either way.
        return


async def initiate(session: ViciSession, connection: str) -> None:
    """Start the negotiation and return at once. Raises `ViciError`."""
    await session.request("initiate", {"ike": connection, "child": connection, "timeout": "-1"})


async def list_sas(session: ViciSession, connection: str | None = None) -> list[IkeSa]:
    """The IKE SAs of one connection, or all of them."""
    return ike_sas(await session.stream("list-sas", "list-sa", {"ike": connection} if connection else {}))
