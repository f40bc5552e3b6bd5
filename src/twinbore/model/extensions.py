"""Twinbore's own options: what AWS has no parameter for is a tag whose key starts with `twinbore:`.

A stock client can set such an option where it sets tags, at creation and later, and AWS itself would take it as a mere
tag. So that a misspelt option is never silently without effect, the prefix is ours: `problem` refuses unknown keys and
bad values, and the API asks it wherever tags are written. Readers (`bfd_of`, …) may therefore trust what is stored.

Options of a VPN connection:
* `twinbore:bfd`: BFD on its BGP sessions (AWS's VPN has none). `on` is 300x3, that is a packet every 300 ms and 3 that
  may be missed; `<milliseconds>x<multiplier>` sets both; `off` is the default.
* `twinbore:outside-address-1`, `twinbore:outside-address-2`: the outside address of the tunnel, out of its pool. Chosen
  at creation; an address stays with its connection until that is deleted, so the tag cannot be changed later.

Options of a customer gateway:
* `twinbore:dns-name`: the router is where this name leads to, instead of at a fixed address.
* `twinbore:ike-identity`: how the router calls itself in IKE, where that is not its address. Without an address and a
  name, a router may call from anywhere: it is known by its identity and its pre-shared key.

Options of both: `twinbore:device-…`, what a router's configuration depends on (see `site`).

References: RFC 5880 (BFD: Desired Min TX Interval, Detect Mult), RFC 5881 (single hop); RFC 7296 section 3.5
(identification: address, fully qualified domain name, RFC 822 address); RFC 1123 section 2.1 (host names).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from twinbore.model import site
from twinbore.model.desired import Bfd

PREFIX: Final = "twinbore:"
BFD_KEY: Final = "twinbore:bfd"
BFD_DEFAULT: Final = Bfd(300, 3)
BFD_RULE: Final = (
    "on (300x3), off, or <milliseconds>x<multiplier> with 50 to 10000 milliseconds and a multiplier of 2 to 20, "
    "e.g. 100x3"
)
OUTSIDE_KEYS: Final = ("twinbore:outside-address-1", "twinbore:outside-address-2")
OUTSIDE_RULE: Final = "an IPv4 address in dotted decimal form, out of the tunnel's pool of outside addresses"
DNS_KEY: Final = "twinbore:dns-name"
DNS_RULE: Final = "a fully qualified domain name of at most 253 characters, e.g. router.example.net"
IDENTITY_KEY: Final = "twinbore:ike-identity"
IDENTITY_RULE: Final = (
    "what the router sends as its IKE identity: a domain name (router.example.net), a mail address "
    "(router@example.net) or an IPv4 address (10.0.0.2)"
)

_BFD: Final = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]?)", re.ASCII)
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}", re.ASCII)
_LAST_LABEL: Final = re.compile(r"[0-9]+", re.ASCII)
_MAILBOX: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}", re.ASCII)
MAX_NAME: Final = 253


def problem(resource_type: str, key: str, value: str) -> str | None:
    """The rule that a tag breaks as an option of this resource type, in words; None for a good one and for any tag."""
    if not key.startswith(PREFIX):
        return None
    rules = _RULES.get(resource_type, {})
    if key not in rules:
        there = ", ".join(sorted(rules)) if rules else "none"
        return f"an option of a {resource_type} (tags with the prefix {PREFIX} are Twinbore's options; there: {there})"
    good, rule = rules[key]
    return None if good(value) else rule


def bfd_of(tags: Mapping[str, str]) -> Bfd | None:
    """BFD timers that a connection's tags ask for; None where BFD is off."""
    value = tags.get(BFD_KEY, "off")
    return BFD_DEFAULT if value == "on" else _parse_bfd(value)


def chosen_outside(tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The outside addresses of tunnel 1 and 2 that a connection's tags ask for."""
    first, second = (tags.get(key) for key in OUTSIDE_KEYS)
    return first, second


def _parse_bfd(value: str) -> Bfd | None:
    match = _BFD.fullmatch(value)
    if match is None:
        return None
    interval, multiplier = int(match[1]), int(match[2])
    return Bfd(interval, multiplier) if 50 <= interval <= 10000 and 2 <= multiplier <= 20 else None


def _is_bfd(value: str) -> bool:
    return value in ("on", "off") or _parse_bfd(value) is not None


def _is_address(value: str) -> bool:
    try:
        return str(IPv4Address(value)) == value
    except AddressValueError:
        return False


def _is_name(value: str) -> bool:
    """A name with a dot, whose last label is not a number: neither a short name nor something like an address."""
    if len(value) > MAX_NAME or "." not in value or _NAME.fullmatch(value) is None:
        return False
    return _LAST_LABEL.fullmatch(value.rpartition(".")[2]) is None


def _is_identity(value: str) -> bool:
    mailbox, at, domain = value.rpartition("@")
    if at:
        return _MAILBOX.fullmatch(mailbox) is not None and _is_name(domain)
    return _is_address(value) or _is_name(value)


_SITE_RULES: Final = {site.PREFIX + name: site.good(name) for name in site.OPTIONS}
_RULES: Final[Mapping[str, Mapping[str, tuple[Callable[[str], bool], str]]]] = {
    "vpn-connection": {BFD_KEY: (_is_bfd, BFD_RULE)}
    | dict.fromkeys(OUTSIDE_KEYS, (_is_address, OUTSIDE_RULE))
    | _SITE_RULES,
    "customer-gateway": {DNS_KEY: (_is_name, DNS_RULE), IDENTITY_KEY: (_is_identity, IDENTITY_RULE)} | _SITE_RULES,
}
"""Resource type → option → what its value must be, as a test and in words."""
