"""Which of a virtual private gateway's prefixes a route table takes: as many as the quota allows.

AWS gives a route table 100 propagated routes at most and recommends to announce a default route instead of more. What
happens to the rest it does not say; here the least specific prefixes come first, so that a default route is never the
one that is left out, and the choice does not depend on the order in which prefixes were learned.

Reference: Amazon VPC User Guide, "Amazon VPC quotas" (propagated routes per route table).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network


def propagated(prefixes: Iterable[str], limit: int) -> list[str]:
    """At most `limit` of the prefixes, in the order of their addresses."""
    networks = sorted({IPv4Network(p) for p in prefixes}, key=lambda n: (n.prefixlen, n.network_address))
    return [str(n) for n in sorted(networks[:limit])]
