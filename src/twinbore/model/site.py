"""What a customer's site is like, as far as its router's configuration depends on it. Pure.

A connection does not say how the router's interfaces are called or which networks are behind it, so that AWS's samples
guess, and have to be edited before they can be loaded. Here it is a set of options, tags with the prefix
`twinbore:device-` like the other options of `extensions`: of the customer gateway for the router, and of a VPN
connection for what differs from connection to connection. The connection's win. `twinbore device render` takes the
same options under the same names.

Decisions:
* Nothing is announced to the cloud that was not asked for, a default route least of all: it would draw all traffic of
  the VPC to the site wherever no static default route stands in its route table.
* Source NAT is off for what goes through the tunnels: the other side sees the real addresses.

References: AWS Site-to-Site VPN User Guide, "Customer gateway device", whose examples ask for the same values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Final

PREFIX: Final = "twinbore:device-"
DEFAULT_ROUTE: Final = "0.0.0.0/0"
LANGUAGES: Final = ("en", "ja")
KEY_FORMS: Final = ("clear", "redacted", "reference")
PREFERENCES: Final = ("1", "2", "none")
SWITCH: Final = ("on", "off")
MAX_PREFIXES: Final = 100

_INTERFACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Site:
    """Options of a router's configuration; None where the device type's default, or the connection, decides.

    `announce`: IPv4 prefixes behind the router, for the cloud to know; `0.0.0.0/0` among them is a default route that
    was asked for. `preferred_tunnel`: 1, 2, or 0 where traffic may take both. `keys`: `clear`, `redacted`, or
    `reference`, a word in the key's place that says whose it is, for a program that puts the key in.
    """

    outside_interface: str | None = None
    inside_interface: str | None = None
    announce: tuple[str, ...] | None = None
    nat: bool = False
    behind_nat: bool = False
    preferred_tunnel: int = 1
    keys: str = "clear"
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Option:
    """One option: the member of `Site`, how its text is read (None: it breaks the rule), and the rule in words."""

    field: str
    read: Callable[[str], object | None]
    rule: str


def _interface(text: str) -> str | None:
    return text if _INTERFACE.fullmatch(text) else None


def _prefixes(text: str) -> tuple[str, ...] | None:
    try:
        networks = [IPv4Network(word) for word in text.split()]
    except (AddressValueError, NetmaskValueError, ValueError):
        return None
    written = tuple(dict.fromkeys(str(network) for network in networks))
    return written if len(written) == len(text.split()) <= MAX_PREFIXES else None


def _one_of(words: tuple[str, ...]) -> Callable[[str], str | None]:
    return lambda text: text if text in words else None


def _switch(text: str) -> bool | None:
    return text == "on" if text in SWITCH else None


def _preference(text: str) -> int | None:
    return PREFERENCES.index(text) + 1 if text in PREFERENCES[:2] else (0 if text == "none" else None)


_INTERFACE_RULE: Final = (
    "an interface's name on the device: at most 63 letters, digits, spaces and . _ : / -, beginning with a letter or "
    "digit"
)

OPTIONS: Final[Mapping[str, Option]] = {
    "outside-interface": Option("outside_interface", _interface, _INTERFACE_RULE),
    "inside-interface": Option("inside_interface", _interface, _INTERFACE_RULE),
    "announce": Option(
        "announce",
        _prefixes,
        f"IPv4 prefixes without host bits, each once, at most {MAX_PREFIXES}, with spaces between them, e.g. "
        "10.1.0.0/16 10.2.0.0/16; 0.0.0.0/0 announces a default route",
    ),
    "nat": Option("nat", _switch, "on or off"),
    "behind-nat": Option("behind_nat", _switch, "on or off"),
    "preferred-tunnel": Option("preferred_tunnel", _preference, "1, 2 or none"),
    "keys": Option("keys", _one_of(KEY_FORMS), "one of " + ", ".join(KEY_FORMS)),
    "language": Option("language", _one_of(LANGUAGES), "one of " + ", ".join(LANGUAGES)),
}
"""Option, without the prefix → what it is. Every member of `Site` has one."""


def good(name: str) -> tuple[Callable[[str], bool], str]:
    """Whether a text is good for the option `name`, as a test, and the rule in words."""
    option = OPTIONS[name]
    return (lambda text: option.read(text) is not None), option.rule


def site_of(*layers: Mapping[str, str]) -> Site:
    """The site that tags describe; later layers win. Keys without the prefix `twinbore:device-` are not looked at.

    Raises `ValueError` with name, value and rule for a value that breaks its rule.
    """
    values: dict[str, object] = {}
    for name, option in OPTIONS.items():
        for tags in layers:
            if PREFIX + name in tags:
                values[option.field] = read(name, tags[PREFIX + name])
    return Site(**values)  # type: ignore[arg-type] # each option reads what its member holds: see the test of OPTIONS


def read(name: str, text: str) -> object:
    """The value of option `name` from its text. Raises `ValueError` with name, value and rule."""
    option = OPTIONS[name]
    value = option.read(text)
    if value is None:
        raise ValueError(f"{name} is {text!r}; it must be {option.rule}")
    return value
