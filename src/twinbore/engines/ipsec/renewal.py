"""When SAs that run with former times are replaced by ones with the present times. Pure.

A change of times alone is no reason to touch an SA that carries traffic. charon re-keys an SA with the times that it
was made with, though, for as long as it lives; so at the time of the next re-keying, a little before charon would do
it, the engine replaces the IKE SA instead. If the new times are shorter, that is when they would have had it re-keyed.

Where this side cannot call the peer, nothing is replaced: the customer's next negotiation brings the new times.

Reference: strongSwan's src/libcharon/plugins/vici/README.md, event `list-sa` (times are in seconds, left or past).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from twinbore.engines.ipsec.status import IkeSa
from twinbore.model.options import TunnelOptions

AHEAD_SECONDS: Final = 90.0
"""How long before charon's re-keying: more than two of the agent's sweeps."""


def renewal_seconds(sas: Iterable[IkeSa], stale: Collection[int], options: TunnelOptions) -> float | None:
    """Seconds until the outdated IKE SAs (`stale`, unique ids) shall be replaced; None when there are none."""
    margin = options.rekey_margin_time_seconds
    found = []
    for sa in sas:
        if sa.unique_id not in stale:
            continue
        times = [_left(sa.section), options.phase1_lifetime_seconds - margin - _number(sa.section, "established")]
        for child in sa.children:
            times += [_left(child), options.phase2_lifetime_seconds - margin - _number(child, "install-time")]
        found.append(min(times))
    return max(0.0, min(found) - AHEAD_SECONDS) if found else None


def _left(section: Mapping[str, Any]) -> float:
    """Seconds until charon re-keys it. What it does not re-key has no such time."""
    return _number(section, "rekey-time") if "rekey-time" in section else float("inf")


def _number(section: Mapping[str, Any], name: str) -> float:
    return float(section.get(name, 0))
