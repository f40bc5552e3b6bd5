"""What the net engine observes: facts about ports and packet filters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class PortStatus:
    """A port that exists in a VPC's namespace. `carrier`: the workload's end is up, or the TAP device is open."""

    netns: str
    eni_id: str
    device: str
    carrier: bool


@dataclass(frozen=True, slots=True, order=True)
class FilterDrops:
    """What a namespace's filter dropped on an interface for one reason (see `ruleset`), since the table was made."""

    netns: str
    device: str
    reason: str
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class NetObservation:
    """Namespaces of ours that exist, ports in them, and drops of their filters."""

    namespaces: tuple[str, ...] = ()
    ports: tuple[PortStatus, ...] = ()
    drops: tuple[FilterDrops, ...] = ()
