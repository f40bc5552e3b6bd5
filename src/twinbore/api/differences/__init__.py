"""Where the API is knowingly not AWS's, and why: members, values and filters, as data.

A member that is asked for and cannot be had is refused, and the reason here is part of the message; a member of an
answer that is listed here is absent; a filter that is listed here asks for what no resource can have, and matches
nothing. Whatever of botocore's model is not listed works, and a test walks the model to see that it does: the tables
are the only place where a difference may be hidden, and the page of the API's documentation is made of them.

Members are named by the structure of botocore's model that has them, so that one line stands for every operation with
that structure; a value of a member as `Member=value` (`*`: every value that no operation takes). A structure that is
listed stands for all that is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

from twinbore.api.differences import network, security, vpn

MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    shape: dict(chain.from_iterable(part.MEMBERS.get(shape, {}).items() for part in (vpn, network, security)))
    for shape in sorted({*vpn.MEMBERS, *network.MEMBERS, *security.MEMBERS})
}
"""Structure → member (or `Member=value`) → the reason, a sentence."""

FILTERS: Final[Mapping[str, Mapping[str, str]]] = {**vpn.FILTERS, **network.FILTERS, **security.FILTERS}
"""Operation → filter that nothing can match → the reason."""


def reason(shape: str, member: str) -> str | None:
    """Why a structure's member is not to be had, or None if it is."""
    return MEMBERS.get(shape, {}).get(member)
