"""Observed state: what the engines report of the world, as values that can be stored and compared.

Observations are facts, not judgements: whether a tunnel is `UP` is decided from them in one place
(`telemetry.tunnel_status`), never in an engine.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Something an engine could not do: what it concerns, why, and what the operator can do about it."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What one `apply` or `prune` did, a sentence each, and what it could not do. Falsy when nothing happened."""

    done: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.done or self.failed)

    def __add__(self, other: Changes) -> Changes:
        return Changes(self.done + other.done, self.failed + other.failed)


@dataclass(frozen=True, slots=True)
class IkeStatus:
    """State of one tunnel's IKE SA and child SA as charon has it.

    Algorithms are AWS's spellings (`AES128-GCM-16`, `SHA2-256`, 14); None while nothing is negotiated, and for the
    integrity of an AEAD cipher. `last_error` is the last reason in words, or empty. `remote_address` is where the peer
    is seen from, `host:port`.

    `outdated`: the SAs were made under settings that were changed since. `renewal_seconds` is when they will be
    replaced at the latest; None when that is up to the customer.
    """

    name: str
    ike_established: bool
    child_installed: bool
    ike_version: str | None = None
    phase1_encryption: str | None = None
    phase1_integrity: str | None = None
    phase1_dh_group: int | None = None
    phase2_encryption: str | None = None
    phase2_integrity: str | None = None
    phase2_dh_group: int | None = None
    remote_address: str | None = None
    nat_detected: bool = False
    last_error: str = ""
    outdated: bool = False
    renewal_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class EspStatus:
    """State of one tunnel's interface: SAs in the data plane and counters.

    `carrying` is true while an inbound and an outbound SA for the `if_id` are installed in the data plane (they may
    outlive charon). `resuming` is true for a moment after SAs were lost with the data plane's process, while new ones
    are negotiated: the interface shall stay as it is. Bytes and packets are of inner packets: `rx` from the customer
    after decryption, `tx` to the customer before encryption. `drops` counts by reason.
    """

    if_id: int
    present: bool
    up: bool
    carrying: bool
    resuming: bool = False
    rx_bytes: int = 0
    rx_packets: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    drops: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BgpStatus:
    """State of one BGP session. `state` is the RFC 4271 name (Idle … Established); `accepted` counts prefixes."""

    domain: str
    session: str
    state: str
    accepted: int
    advertised: int
    last_error: str = ""

    @property
    def established(self) -> bool:
        return self.state == "Established"


@dataclass(frozen=True, slots=True, order=True)
class LearnedRoute:
    """A prefix that a routing domain can carry: learned by BGP from a session, or a connection's static route.

    `best` marks the path that the kernel uses. `session` is the BGP session's name, or the tunnel interface for a
    static route. `as_path` is the sequence of ASNs as the customer sent it.
    """

    domain: str
    prefix: str
    session: str
    as_path: tuple[int, ...]
    med: int | None
    best: bool


@dataclass(frozen=True, slots=True)
class BgpObservation:
    """All sessions and learned routes of the host's routing domains."""

    sessions: tuple[BgpStatus, ...] = ()
    routes: tuple[LearnedRoute, ...] = ()
