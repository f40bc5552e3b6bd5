"""Which BGP sessions end before anything else is changed. Pure.

A session that moves to another routing domain, or to other addresses, loses its interface or its address when that is
done; then its BIRD could no longer tell the peer, who would wait until its hold timer has run out. So it is closed
first, with a NOTIFICATION, and the peer connects anew at once.

Reference: RFC 4271 section 6.7 (Cease), RFC 4486 (subcode 3, peer de-configured).
"""

from __future__ import annotations

from dataclasses import replace

from twinbore.model.desired import BgpPlan, BgpSession


def parting(applied: BgpPlan, desired: BgpPlan) -> BgpPlan:
    """`applied` without the sessions that are somewhere else, or nowhere, in `desired`."""
    places = {_place(domain.name, session) for domain in desired.domains for session in domain.sessions}
    return BgpPlan(
        tuple(
            replace(domain, sessions=tuple(s for s in domain.sessions if _place(domain.name, s) in places))
            for domain in applied.domains
        )
    )


def _place(domain: str, session: BgpSession) -> tuple[str, ...]:
    return domain, session.name, session.interface, session.local_address, session.peer_address
