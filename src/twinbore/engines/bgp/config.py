"""The configuration of one routing domain's BIRD as text: a pure function of the desired domain.

Every name and number is checked before it is written, so nothing from the outside can add a statement. Equal domains
give equal text, byte for byte: the engine compares a digest to know whether BIRD has to be told.

Decisions:
* `import limit … action disable`: one prefix too many takes the session down, as AWS does; the engine enables it again
  after a pause (and BIRD itself with any later reconfiguration). Restarting at once would make the tunnel flap.
* Graceful restart is off: it would keep the routes of a dead tunnel, and so defeat failover.
* An imported route is marked with its neighbour's ASN (`learned_from`), and a session does not announce what is marked
  with its own peer's ASN. The mark, not the AS_PATH's first element, which the customer writes.
* What we use of other connections is announced too (CloudHub): learned routes, and static connections' routes, which
  have no ASN and go to every session.
* A route is accepted whatever its prefix, the default route included, but for 169.254.0.0/16: the tunnels' inside
  addresses are there, and a customer that announced one of another's would draw its traffic.
* The MED is set on everything we announce; a MED learned from another customer is not passed on (RFC 4271, 5.1.4).

References: BIRD 2.0 User's Guide, chapters 3.2 (global), 5.3 (filters), 6 (protocols bfd, bgp, kernel, pipe, static).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from twinbore.model.bgp_password import RULE, is_password
from twinbore.model.desired import BgpSession, RoutingDomain, TunnelRoute

LOG_BYTES: Final = 262144
"""Size of a log file; the one before it is kept beside it."""

ASN_MAX: Final = 2**32 - 1
LINK_LOCAL: Final = "169.254.0.0/16"
STATIC_PREFERENCE: Final = 50000
"""Above BGP's 100 by so much that a tie-break can be subtracted."""

_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}\Z")
_INTERFACE = re.compile(r"[A-Za-z0-9_]{1,15}\Z")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,50}\Z")
_LOG_PATH = re.compile(r'/[^"\n]+\Z')


class ConfigError(ValueError):
    """A value of the desired domain that BIRD could not be given; the message names field, value and rule."""


def render(domain: RoutingDomain, log_file: Path) -> str:
    """The whole configuration file. `log_file` is absolute. Raises `ConfigError`."""
    log = _matching("log file", str(log_file), _LOG_PATH)
    sections = [
        [
            f"# Routing domain {_matching('domain', domain.name, _DOMAIN)}.",
            "# Written by Twinbore: changes made by hand are overwritten.",
            f'log "{log}" {LOG_BYTES} "{log}.1" {{ info, remote, warning, error, auth, fatal, bug, trace }};',
            "timeformat log iso long ms;",
            "timeformat protocol iso long ms;",
            "timeformat route iso long ms;",
            f"router id {_address('router id', domain.router_id)};",
            "attribute int learned_from;",
            "ipv4 table adverts;",
        ],
        ["protocol device { scan time 20; }"],
        ["protocol kernel {", "  scan time 20;", "  ipv4 { import none; export all; };", "}"],
        _adverts(domain.advertised),
    ]
    if any(session.bfd for session in domain.sessions):
        sections.append(["protocol bfd { }"])
    sections += [list(_static(*item)) for item in _by_interface(domain.static_routes)]
    if domain.sessions:
        sections.append(_template(domain.asn))
    for session in sorted(domain.sessions):
        sections.append(list(_session(session)))
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _adverts(prefixes: Iterable[str]) -> list[str]:
    routes = [f"  route {_prefix('advertised prefix', p)} blackhole;" for p in sorted(prefixes)]
    return ["protocol static advertised {", "  ipv4 { table adverts; };", *routes, "}"]


def _by_interface(routes: Iterable[TunnelRoute]) -> Iterator[tuple[str, int, list[TunnelRoute]]]:
    groups: dict[tuple[int, str], list[TunnelRoute]] = {}
    for route in sorted(routes):
        groups.setdefault((route.tie_break, route.interface), []).append(route)
    for (tie_break, interface), members in sorted(groups.items()):
        yield interface, tie_break, members


def _static(interface: str, tie_break: int, routes: list[TunnelRoute]) -> Iterator[str]:
    """A route is there while the next hop is reachable on the interface, that is while the interface is up."""
    device = _matching("interface", interface, _INTERFACE)
    yield f"protocol static static_{device}_{_number('tie-break', tie_break, 0, 9999)} {{"
    yield f"  ipv4 {{ preference {STATIC_PREFERENCE - tie_break}; }};"
    for route in routes:
        hop = _address("next hop", route.next_hop)
        yield f"  route {_prefix('static route', route.prefix)} via {hop}%'{device}';"
    yield "}"


def _template(asn: int) -> list[str]:
    return [
        "template bgp tunnel {",
        f"  local as {_number('ASN', asn, 1, ASN_MAX)};",
        "  debug { states };",
        "  direct;",
        "  check link no;",
        "  connect delay time 1;",
        "  connect retry time 2;",
        "  error wait time 2, 10;",
        "  error forget time 30;",
        "  graceful restart off;",
        "  long lived graceful restart off;",
        "}",
    ]


def _session(session: BgpSession) -> Iterator[str]:
    name = _matching("session", session.name, _SYMBOL)
    asn = _number("peer ASN", session.peer_asn, 1, ASN_MAX)
    local, peer = _address("local address", session.local_address), _address("peer address", session.peer_address)
    hold = _number("hold time", session.hold_time, 3, 65535)
    yield f"ipv4 table in_{name};"
    yield f"protocol bgp {name} from tunnel {{"
    yield f'  interface "{_matching("interface", session.interface, _INTERFACE)}";'
    yield f"  local {local};"
    yield f"  neighbor {peer} as {asn};"
    yield f"  hold time {hold};"
    yield f"  keepalive time {_number('keepalive time', session.keepalive_time, 1, hold)};"
    if session.password:
        if not is_password(session.password):
            raise ConfigError(f"password of {name}: must be {RULE}")
        yield f'  password "{session.password}";'
    if session.bfd:
        interval = _number("BFD interval", session.bfd.interval_ms, 10, 60000)
        multiplier = _number("BFD multiplier", session.bfd.multiplier, 2, 255)
        yield f"  bfd {{ interval {interval} ms; multiplier {multiplier}; }};"
    yield "  ipv4 {"
    yield f"    table in_{name};"
    yield f"    cost {_number('tie-break', session.tie_break, 0, 9999) + 1};"
    yield "    import filter {"
    yield f"      if net ~ [ {LINK_LOCAL}+ ] then reject;"
    yield f"      learned_from = {asn};"
    yield "      accept;"
    yield "    };"
    yield f"    import limit {_number('import limit', session.import_limit, 1, 1000000)} action disable;"
    yield "    export filter {"
    yield f"      if defined(learned_from) && learned_from = {asn} then reject;"
    yield f"      bgp_med = {_number('MED', session.med, 0, ASN_MAX)};"
    yield "      accept;"
    yield "    };"
    yield "    next hop self;"
    yield "  };"
    yield "}"
    yield f"protocol pipe announce_{name} {{ table adverts; peer table in_{name}; export all; import none; }}"
    yield f"protocol pipe learn_{name} {{"
    yield f'  table in_{name}; peer table master4; export where proto = "{name}"; import all;'
    yield "}"


def _matching(field: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise ConfigError(f"{field} {value!r}: must match {pattern.pattern.removesuffix(chr(92) + 'Z')}")
    return value


def _number(field: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ConfigError(f"{field} {value}: must be from {low} to {high}")
    return value


def _address(field: str, value: str) -> str:
    try:
        return str(IPv4Address(value))
    except ValueError as error:
        raise ConfigError(f"{field} {value!r}: must be an IPv4 address") from error


def _prefix(field: str, value: str) -> str:
    try:
        return str(IPv4Network(value))
    except ValueError as error:
        raise ConfigError(f"{field} {value!r}: must be an IPv4 prefix without host bits") from error
