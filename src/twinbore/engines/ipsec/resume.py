"""Which tunnels are up, remembered in a file, and started from this side when charon had to be started anew.

A peer notices only by its dead peer detection that our SAs are gone, which takes half a minute, so this side begins.
A peer behind a NAT can't be reached at port 500, but at the port that its IKE SA was last seen at: the NAT keeps that
mapping for minutes, and both ends keep it alive. Such a peer is called there, from port 4500, as RFC 7296 allows for an
initiator at any time.

The file outlives the agent and charon both. One line for each tunnel: its name, and the port if it is such a one.

References: RFC 7296 section 2.23 (NAT traversal); RFC 3948 section 4 (keep-alives).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from twinbore.engines.ipsec.charon_config import NAT_TRAVERSAL_PORT
from twinbore.model.observed import IkeStatus

RESUME_SECONDS: Final = 60.0
IKE_PORT: Final = 500


class Resume:
    """The tunnels that were up when charon ended and are not up again, for `RESUME_SECONDS` from its start."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._missing: Mapping[str, int | None] = {}
        self._until = float("-inf")
        self._written: Mapping[str, int | None] | None = None

    def charon_started(self) -> None:
        """A charon without SAs: all that was up is missing."""
        self._missing = self._read()
        self._until = self._clock() + RESUME_SECONDS

    def wants(self, tunnel: str) -> bool:
        """Whether this side has to start a tunnel again."""
        return tunnel in self._missing

    def take_port(self, tunnel: str) -> int | None:
        """The port behind a NAT where the peer was seen last. Given once: another attempt goes to the usual port."""
        port = self._missing.get(tunnel)
        if port is not None:
            self._missing = {**self._missing, tunnel: None}
        return port

    def observed(self, statuses: Iterable[IkeStatus]) -> None:
        """What is up now. Written to the file when it differs from what is there."""
        up = {s.name: peer_port(s) for s in statuses if s.child_installed and s.ike_version == "ikev2"}
        still_time = self._clock() < self._until
        self._missing = {n: p for n, p in self._missing.items() if n not in up} if still_time else {}
        known = {**self._missing, **up}
        if known != self._written:
            lines = (f"{name} {port}\n" if port else f"{name}\n" for name, port in sorted(known.items()))
            self._file.write_text("".join(lines))
            self._written = known

    def forget(self) -> None:
        """Remove the file."""
        self._file.unlink(missing_ok=True)

    def _read(self) -> dict[str, int | None]:
        try:
            lines = self._file.read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {name: int(port) if port else None for name, _, port in (line.partition(" ") for line in lines if line)}


def peer_port(status: IkeStatus) -> int | None:
    """The port at which a peer must be called, if a NAT or the peer itself chose it; None if the usual one will do."""
    port = int((status.remote_address or "").rpartition(":")[2] or IKE_PORT)
    usual = {IKE_PORT} if status.nat_detected else {IKE_PORT, NAT_TRAVERSAL_PORT}
    return None if port in usual else port
