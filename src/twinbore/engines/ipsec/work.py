"""What a changed or removed connection does to its SAs: end them, or negotiate new ones first.

Negotiating first (make before break) works where this side may start: IKEv2 and a known peer. charon builds a child SA
under the new settings, in the old IKE SA if that still fits, in a new one otherwise; then the old SAs go. When the peer
does not take part within `NEGOTIATION_SECONDS`, the old SAs go all the same, because their parameters are no longer
allowed, and the customer comes back under the new ones.

Reference: RFC 7296 section 2.8 (rekeying, make before break).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twinbore.engines.ipsec.charon_config import V1_SUFFIX
from twinbore.engines.ipsec.status import INSTALLED, IkeSa, ike_sas
from twinbore.engines.ipsec.vici import ViciError, ViciSession

NEGOTIATION_SECONDS: Final = 10
TERMINATION_SECONDS: Final = 3
_REPLY_SECONDS: Final = 10.0


async def terminate(session: ViciSession, connection: str) -> int:
    """End every IKE SA of a connection, telling the peer; a silent peer is not waited for. Returns how many."""
    sas = await list_sas(session, connection)
    for sa in sas:
        await _terminate(session, "ike-id", sa.unique_id)
    return len(sas)


async def renegotiate(session: ViciSession, connection: str, *, may_initiate: bool) -> int:
    """Replace the SAs of a connection by ones under its present settings, or end them.

    Returns how many IKE SAs were ended without a successor: 0 when the tunnel stayed up, or was not up.
    """
    old = await list_sas(session, connection)
    if not old:
        return 0
    if may_initiate and not connection.endswith(V1_SUFFIX):
        await _initiate_and_wait(session, connection)
    old_children = {_number(child) for sa in old for child in sa.children}
    new = await list_sas(session, connection)
    successors = {sa.unique_id for sa in new if _has_new_child(sa, old_children)}
    for sa in new:
        if sa.unique_id not in successors:
            await _terminate(session, "ike-id", sa.unique_id)
            continue
        for number in old_children & {_number(child) for child in sa.children}:
            await _terminate(session, "child-id", number)
    return 0 if successors else len(old)


async def initiate(session: ViciSession, connection: str) -> None:
    """Start the negotiation and return at once. Raises `ViciError`."""
    await session.request("initiate", {"ike": connection, "child": connection, "timeout": "-1"})


async def list_sas(session: ViciSession, connection: str | None = None) -> list[IkeSa]:
    """The IKE SAs of one connection, or all of them."""
    return ike_sas(await session.stream("list-sas", "list-sa", {"ike": connection} if connection else {}))


async def _initiate_and_wait(session: ViciSession, connection: str) -> None:
    message = {"ike": connection, "child": connection, "timeout": str(NEGOTIATION_SECONDS * 1000)}
    try:
        await session.request("initiate", message, NEGOTIATION_SECONDS + _REPLY_SECONDS)
    except ViciError:
        # Refused or no answer in time: the SAs, read again by the caller, say how far it came.
        return


async def _terminate(session: ViciSession, kind: str, number: int) -> None:
    message = {kind: str(number), "force": "yes", "timeout": str(TERMINATION_SECONDS * 1000)}
    try:
        await session.request("terminate", message, TERMINATION_SECONDS + _REPLY_SECONDS)
    except ViciError:
        # It ended by itself meanwhile, or the peer did not confirm in time; charon has forgotten it either way.
        return


def _has_new_child(sa: IkeSa, old: set[int]) -> bool:
    return any(child.get("state") in INSTALLED and _number(child) not in old for child in sa.children)


def _number(child: Mapping[str, Any]) -> int:
    return int(child.get("uniqueid", 0))
