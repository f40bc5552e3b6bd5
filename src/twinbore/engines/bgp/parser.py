"""What BIRD answers on its control socket, as values. The only place that knows the layout of its tables.

Layouts are those of BIRD 2.0.12 with `timeformat … iso long ms`; the unit tests hold recorded replies. A line that is
not understood is skipped, so that a newer BIRD's additional lines do no harm.

References: BIRD 2.0 source, nest/proto.c (proto_cmd_show), proto/bgp/bgp.c (bgp_show_proto_info), nest/rt-show.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from twinbore.engines.bgp.birdc import Line

_PROTOCOL: Final = 1002
_PROTOCOL_DETAIL: Final = 1006
_ROUTE: Final = 1007
_ROUTE_ATTRIBUTES: Final = (1008, 1012)

_SUMMARY = re.compile(r"(?P<name>\S+)\s+(?P<kind>\S+)\s+(?P<table>\S+)\s+(?P<state>\S+)\s+\S+ \S+\s*(?P<info>.*)")
_COUNTS = re.compile(r"Routes:\s+(?P<imported>\d+) imported,.*?(?P<exported>\d+) exported")
_PATH = re.compile(
    r"(?P<prefix>\S+)?\s+(?P<kind>unicast|blackhole|unreachable|prohibited) \[(?P<protocol>\S+) [^]]*\]"
    r"(?P<best> \*)?(?: !)? \((?P<preference>\d+)"
)
_NEXT_HOP = re.compile(r"\s+via (?P<address>\S+) on (?P<interface>\S+)")

_WORDS: Final = {
    "Socket: Connection refused": "the customer gateway refuses connections to its BGP port",
    "Socket: Connection timed out": "the customer gateway does not answer on its BGP port",
    "Socket: No route to host": "the customer gateway does not answer on its BGP port",
    "Error: Neighbor lost": "the tunnel's interface is down",
    "Error: Hold timer expired": "the customer gateway was silent for the whole hold time",
    "Received: Hold timer expired": "the customer gateway heard nothing from us for its whole hold time",
    "Error: Bad peer AS": "the customer gateway's AS number is not the configured one",
    "Received: Bad peer AS": "the customer gateway expects another AS number of us",
    "Received: Administrative shutdown": "the customer gateway's administrator shut the session down",
    "Received: Administrative reset": "the customer gateway's administrator reset the session",
    "Received: Peer de-configured": "the customer gateway no longer has this session",
    "Received: Connection rejected": "the customer gateway rejects the connection",
    "Error: BFD session down": "BFD found that the customer gateway is not reachable",
}
RFC_STATES: Final = ("Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established")
LIMIT_EXCEEDED: Final = "Route limit exceeded"


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP protocol of BIRD.

    `running` is false when BIRD has it disabled. `state` is the RFC 4271 name. `statistics` are the lines that count
    received updates and withdrawals: they change whenever the session's routes may have changed.
    """

    name: str
    running: bool
    state: str = "Idle"
    last_error: str = ""
    imported: int = 0
    exported: int = 0
    statistics: tuple[str, ...] = ()

    @property
    def limit_exceeded(self) -> bool:
        """Disabled because the peer sent more prefixes than the import limit."""
        return not self.running and LIMIT_EXCEEDED in self.last_error

    @property
    def reason(self) -> str:
        """Why the session is not established, in words; BIRD's own where we have no better ones."""
        if self.state == "Established":
            return ""
        return _WORDS.get(self.last_error, self.last_error)


@dataclass(frozen=True, slots=True)
class Path:
    """One path of a prefix in a routing table; `best` is the one in use. `as_path` is empty for a static route."""

    prefix: str
    protocol: str
    best: bool
    bgp: bool = False
    interface: str = ""
    as_path: tuple[int, ...] = ()
    med: int | None = None


@dataclass(slots=True)
class _Reading:
    """The protocol whose details are being read."""

    session: Session
    statistics: list[str] = field(default_factory=list)


def sessions(reply: Iterable[Line]) -> list[Session]:
    """The BGP sessions in the reply to `show protocols all`."""
    found: list[Session] = []
    reading: _Reading | None = None
    for line in reply:
        if line.code == _PROTOCOL:
            _finish(reading, found)
            summary = _SUMMARY.match(line.text)
            is_bgp = summary is not None and summary["kind"] == "BGP"
            reading = _Reading(_summarised(summary)) if summary is not None and is_bgp else None
        elif line.code == _PROTOCOL_DETAIL and reading is not None:
            _detail(reading, line.text)
    _finish(reading, found)
    return found


def _summarised(summary: re.Match[str]) -> Session:
    return Session(name=summary["name"], running=summary["state"] != "down")


def _finish(reading: _Reading | None, found: list[Session]) -> None:
    if reading is not None:
        found.append(replace(reading.session, statistics=tuple(reading.statistics)))


def _detail(reading: _Reading, text: str) -> None:
    key, _, value = text.strip().partition(":")
    value = value.strip()
    match key:
        case "BGP state":
            # BIRD's own additional states, Close and Down, are phases of Idle.
            reading.session = replace(reading.session, state=value if value in RFC_STATES else "Idle")
        case "Last error":
            reading.session = replace(reading.session, last_error=value)
        case "Routes":
            counts = _COUNTS.search(text)
            if counts:
                reading.session = replace(
                    reading.session, imported=int(counts["imported"]), exported=int(counts["exported"])
                )
        case "Import updates" | "Import withdraws":
            reading.statistics.append(value)


def paths(reply: Iterable[Line]) -> list[Path]:
    """The paths in the reply to `show route table … all`, in BIRD's order."""
    found: list[Path] = []
    prefix = ""
    for line in reply:
        if line.code == _ROUTE:
            path = _PATH.match(line.text)
            hop = _NEXT_HOP.match(line.text)
            if path:
                prefix = path["prefix"] or prefix
                found.append(Path(prefix, path["protocol"], path["best"] is not None))
            elif hop and found:
                found[-1] = replace(found[-1], interface=hop["interface"])
        elif line.code in _ROUTE_ATTRIBUTES and found:
            found[-1] = _attribute(found[-1], line.text.strip())
    return found


def _attribute(path: Path, text: str) -> Path:
    key, _, value = text.partition(": ")
    match key:
        case "Type":
            return replace(path, bgp=value.startswith("BGP"))
        case "BGP.as_path":
            return replace(path, as_path=tuple(int(asn) for asn in re.findall(r"\d+", value)))
        case "BGP.med":
            return replace(path, med=int(value))
    return path
