"""Twinbore's own options: what AWS has no parameter for is a tag whose key starts with `twinbore:`.

A stock client can set such an option where it sets tags, at creation and later, and AWS itself would take it as a mere
tag. So that a misspelt option is never silently without effect, the prefix is ours: `problem` refuses unknown keys and
bad values, and the API asks it wherever tags are written. Readers (`bfd_of`) may therefore trust what is stored.

Options:
* `twinbore:bfd` of a VPN connection: BFD on its BGP sessions (AWS's VPN has none). `on` is 300x3, that is a packet
  every 300 ms and 3 that may be missed; `<milliseconds>x<multiplier>` sets both; `off` is the default.

References: RFC 5880 (BFD: Desired Min TX Interval, Detect Mult), RFC 5881 (single hop).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from twinbore.model.desired import Bfd

PREFIX: Final = "twinbore:"
BFD_KEY: Final = "twinbore:bfd"
BFD_DEFAULT: Final = Bfd(300, 3)
BFD_RULE: Final = (
    "on (300x3), off, or <milliseconds>x<multiplier> with 50 to 10000 milliseconds and a multiplier of 2 to 20, "
    "e.g. 100x3"
)

_KEYS: Final[dict[str, frozenset[str]]] = {"vpn-connection": frozenset({BFD_KEY})}
_BFD: Final = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]?)", re.ASCII)


def problem(resource_type: str, key: str, value: str) -> str | None:
    """The rule that a tag breaks as an option of this resource type, in words; None for a good one and for any tag."""
    if not key.startswith(PREFIX):
        return None
    known = sorted(_KEYS.get(resource_type, ()))
    if key not in known:
        there = ", ".join(known) if known else "none"
        return f"an option of a {resource_type} (tags with the prefix {PREFIX} are Twinbore's options; there: {there})"
    return None if value in ("on", "off") or _parse_bfd(value) is not None else BFD_RULE


def bfd_of(tags: Mapping[str, str]) -> Bfd | None:
    """BFD timers that a connection's tags ask for; None where BFD is off."""
    value = tags.get(BFD_KEY, "off")
    return BFD_DEFAULT if value == "on" else _parse_bfd(value)


def _parse_bfd(value: str) -> Bfd | None:
    match = _BFD.fullmatch(value)
    if match is None:
        return None
    interval, multiplier = int(match[1]), int(match[2])
    return Bfd(interval, multiplier) if 50 <= interval <= 10000 and 2 <= multiplier <= 20 else None
