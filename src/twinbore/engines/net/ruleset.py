"""The nftables ruleset of one namespace as text: a pure function of the desired `PacketFilter`.

Shape: one verdict map finds the chain of the interface that a packet came in on, so the cost does not grow with the
number of interfaces; the chain checks the source. Every reason to drop has a named counter for each interface, so that
what is dropped can be explained. Sources are checked before connection tracking and routing (priority raw), in the
prerouting hook, so that packets to the namespace itself are checked too.

The MSS option of SYN segments is lowered in the forward hook, for both directions of an interface, and never raised.

References: nft(8); RFC 2827 (ingress filtering); RFC 6691 (MSS).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import Final

from twinbore.model.desired import PacketFilter

TABLE: Final = "twinbore"
NOT_ALLOWED: Final = "source_not_allowed"
DENIED: Final = "source_denied"

_DEVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}\Z")
_MSS_MIN, _MSS_MAX = 88, 65495
_IPV6_HEADER_EXCESS = 20
"""Octets by which IPv6's header is longer than IPv4's."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A named counter's value."""

    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A rendered ruleset: chains as text, the names of its counters, and how many rules the kernel will show."""

    chains: str
    counters: tuple[str, ...]
    rules: int

    @property
    def fingerprint(self) -> str:
        """Short digest of the content; kept in the table's comment."""
        return hashlib.sha256(repr((self.chains, self.counters)).encode()).hexdigest()[:32]

    def script(self, values: Mapping[str, Counter]) -> str:
        """The nft script that replaces the table in one transaction; counters start at `values`."""
        lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
        lines.append(f'  comment "{self.fingerprint}"')
        for name in self.counters:
            value = values.get(name, Counter())
            lines.append(f"  counter {name} {{ packets {value.packets} bytes {value.bytes} }}")
        return "\n".join(lines) + "\n" + self.chains + "}\n"


def counter_name(reason: str, device: str) -> str:
    """The counter of one reason on one interface."""
    return f"{reason}.{device}"


def split_counter_name(name: str) -> tuple[str, str]:
    """Reason and interface of a counter's name."""
    reason, _, device = name.partition(".")
    return reason, device


def render(packet_filter: PacketFilter) -> Ruleset:
    """The ruleset of a namespace. Raises ValueError for what nft could not be given."""
    allowed = {_device(name): _prefixes(prefixes) for name, prefixes in packet_filter.allowed_sources}
    denied = {_device(name): _prefixes(prefixes) for name, prefixes in packet_filter.denied_sources}
    devices = sorted({*allowed, *denied})
    lines: list[str] = []
    counters: list[str] = []
    rules = 0
    for device in devices:
        lines.append(f"  chain from_{device} {{")
        if denied.get(device):
            counters.append(counter_name(DENIED, device))
            lines.append(f"    ip saddr {_set(denied[device])} counter name {counters[-1]} drop")
            rules += 1
        if device in allowed:
            if allowed[device]:
                lines.append(f"    ip saddr {_set(allowed[device])} return")
                rules += 1
            counters.append(counter_name(NOT_ALLOWED, device))
            lines.append(f"    counter name {counters[-1]} drop")
            rules += 1
        lines.append("  }")
    if devices:
        verdicts = ", ".join(f'"{device}" : jump from_{device}' for device in devices)
        lines.append("  chain sources {")
        lines.append("    type filter hook prerouting priority raw; policy accept;")
        lines.append(f"    iifname vmap {{ {verdicts} }}")
        lines.append("  }")
        rules += 1
    clamps = _clamps(packet_filter.clamp_mss)
    if clamps:
        lines.append("  chain mss {")
        lines.append("    type filter hook forward priority mangle; policy accept;")
        lines += [f"    {rule}" for rule in clamps]
        lines.append("  }")
        rules += len(clamps)
    return Ruleset("".join(line + "\n" for line in lines), tuple(counters), rules)


def _clamps(clamp_mss: Iterable[tuple[str, int]]) -> list[str]:
    by_size: dict[int, list[str]] = {}
    for device, size in clamp_mss:
        if not _MSS_MIN <= size <= _MSS_MAX:
            raise ValueError(f"MSS {size} of {device}: must be from {_MSS_MIN} to {_MSS_MAX}")
        by_size.setdefault(size, []).append(f'"{_device(device)}"')
    return [
        f"meta nfproto {family} {key} {_set(sorted(devices))} "
        f"tcp flags & (syn | rst) == syn tcp option maxseg size > {mss} tcp option maxseg size set {mss}"
        for size, devices in sorted(by_size.items())
        for family, mss in (("ipv4", size), ("ipv6", size - _IPV6_HEADER_EXCESS))
        for key in ("iifname", "oifname")
    ]


def _set(prefixes: Iterable[str]) -> str:
    return "{ " + ", ".join(prefixes) + " }"


def _prefixes(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Without overlaps, which nft refuses in a set of intervals."""
    networks = []
    for prefix in prefixes:
        try:
            networks.append(IPv4Network(prefix))
        except ValueError as error:
            raise ValueError(f"source {prefix!r}: must be an IPv4 prefix without host bits") from error
    return tuple(str(network) for network in collapse_addresses(networks))


def _device(name: str) -> str:
    if not _DEVICE.match(name):
        raise ValueError(f"interface name {name!r}: must match {_DEVICE.pattern.removesuffix(chr(92) + 'Z')}")
    return name
