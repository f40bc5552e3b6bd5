"""State machines: one table for each fact, and the only function that moves between states.

AWS's state names are used as they stand. A transition that is not in the table is a programming error and raises
`IllegalTransition`: nothing ever jumps from `deleted` back to `available` unnoticed.

References: EC2 API reference, `CustomerGateway.State`, `VpnGateway.State`, `VpcAttachment.State`,
`VpnConnection.State`, `VpnStaticRoute.State`, `Vpc.State`, `Subnet.State`, `RouteTableAssociationState`,
`NetworkInterface.Status`, `VpcCidrBlockState`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PENDING: Final = "pending"
AVAILABLE: Final = "available"
MODIFYING: Final = "modifying"
DELETING: Final = "deleting"
DELETED: Final = "deleted"
ATTACHING: Final = "attaching"
ATTACHED: Final = "attached"
DETACHING: Final = "detaching"
DETACHED: Final = "detached"
ASSOCIATING: Final = "associating"
ASSOCIATED: Final = "associated"
DISASSOCIATING: Final = "disassociating"
DISASSOCIATED: Final = "disassociated"
IN_USE: Final = "in-use"
UP: Final = "UP"
DOWN: Final = "DOWN"

Transitions = Mapping[str, frozenset[str]]


class IllegalTransition(ValueError):
    """A state was about to change in a way that its table does not have."""


RESOURCE: Final[Transitions] = {
    PENDING: frozenset({AVAILABLE, DELETING}),
    AVAILABLE: frozenset({DELETING}),
    DELETING: frozenset({DELETED}),
    DELETED: frozenset(),
}
"""Customer gateway, virtual private gateway and static route."""

CONNECTION: Final[Transitions] = {
    **RESOURCE,
    AVAILABLE: frozenset({MODIFYING, DELETING}),
    MODIFYING: frozenset({AVAILABLE, DELETING}),
}
"""VPN connection. `modifying` is not in the API reference, but it is what AWS shows while a change is carried out, and
what Terraform's provider waits on."""

LIVING: Final = (PENDING, AVAILABLE, MODIFYING)
"""States in which a VPN connection has tunnels that work or shall."""

ATTACHMENT: Final[Transitions] = {
    ATTACHING: frozenset({ATTACHED, DETACHING}),
    ATTACHED: frozenset({DETACHING}),
    DETACHING: frozenset({DETACHED}),
    DETACHED: frozenset({ATTACHING}),
}
"""Attachment of a virtual private gateway to a VPC."""

CIDR_BLOCK: Final[Transitions] = {
    ASSOCIATING: frozenset({ASSOCIATED, DISASSOCIATING}),
    ASSOCIATED: frozenset({DISASSOCIATING}),
    DISASSOCIATING: frozenset({DISASSOCIATED}),
    DISASSOCIATED: frozenset(),
}
"""Association of a secondary block with a VPC; with `disassociated` its row goes."""

TUNNEL: Final[Transitions] = {
    DOWN: frozenset({UP}),
    UP: frozenset({DOWN}),
}
"""Telemetry of one tunnel."""


def advance(table: Transitions, current: str, target: str) -> str:
    """`target`, when the table has the step `current` → `target`; raises `IllegalTransition` otherwise."""
    if target not in table.get(current, frozenset()):
        raise IllegalTransition(f"no transition from {current!r} to {target!r}")
    return target
