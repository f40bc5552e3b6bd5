"""From vici's `list-sas` to the state of each tunnel. Pure.

Decisions:
* A tunnel may have several IKE SAs for a moment (re-keying, a customer that starts anew before the old SA has died).
  The one that counts is an established one with an installed child SA, the newest of those; then any established one.
* A child SA that is being re-keyed still carries traffic, so it counts as installed.

Reference: strongSwan's src/libcharon/plugins/vici/README.md, event `list-sa`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from twinbore.engines.ipsec.charon_config import tunnel_name
from twinbore.engines.ipsec.proposals import encryption_name, group_number, integrity_name
from twinbore.model.observed import IkeStatus

Section: TypeAlias = Mapping[str, Any]

ESTABLISHED: Final = frozenset({"ESTABLISHED", "REKEYING", "REKEYED"})
ENDING: Final = frozenset({"DELETING", "DESTROYING"})
INSTALLED: Final = frozenset({"INSTALLED", "REKEYING", "UPDATING"})


@dataclass(frozen=True, slots=True)
class IkeSa:
    """One IKE SA of a `list-sa` event. `children` are its child SAs' sections."""

    connection: str
    unique_id: int
    state: str
    section: Section

    @property
    def tunnel(self) -> str:
        return tunnel_name(self.connection)

    @property
    def established(self) -> bool:
        return self.state in ESTABLISHED

    @property
    def children(self) -> tuple[Section, ...]:
        return tuple(self.section.get("child-sas", {}).values())

    @property
    def installed_child(self) -> Section | None:
        """The newest child SA that carries traffic."""
        installed = [child for child in self.children if child.get("state") in INSTALLED]
        return max(installed, key=lambda child: int(child.get("uniqueid", 0)), default=None)


def ike_sas(events: Iterable[Section]) -> list[IkeSa]:
    """The IKE SAs in the messages that `list-sas` streamed, without those that are being taken down."""
    found = []
    for event in events:
        for name, section in event.items():
            sa = IkeSa(name, int(section.get("uniqueid", 0)), section.get("state", ""), section)
            if sa.state not in ENDING:
                found.append(sa)
    return found


def best(sas: Iterable[IkeSa]) -> IkeSa | None:
    """The IKE SA that stands for its tunnel."""
    return max(sas, key=lambda sa: (sa.installed_child is not None, sa.established, sa.unique_id), default=None)


def ike_status(name: str, sas: Iterable[IkeSa], reason: str, waiting: str) -> IkeStatus:
    """The state of one tunnel from its IKE SAs.

    `reason` is what went wrong last, or empty; `waiting` says what the tunnel waits for while nothing went wrong.
    """
    sa = best(sas)
    if sa is None or not sa.established:
        return IkeStatus(name, False, False, last_error=reason or waiting)
    ike, child = sa.section, sa.installed_child
    return IkeStatus(
        name=name,
        ike_established=True,
        child_installed=child is not None,
        ike_version=f"ikev{ike.get('version', '2')}",
        phase1_encryption=encryption_name(ike.get("encr-alg"), ike.get("encr-keysize")),
        phase1_integrity=integrity_name(ike.get("integ-alg")),
        phase1_dh_group=group_number(ike.get("dh-group")),
        phase2_encryption=encryption_name(child.get("encr-alg"), child.get("encr-keysize")) if child else None,
        phase2_integrity=integrity_name(child.get("integ-alg")) if child else None,
        phase2_dh_group=group_number(child.get("dh-group")) if child else None,
        remote_address=f"{ike.get('remote-host', '')}:{ike.get('remote-port', '500')}",
        nat_detected=any(ike.get(flag) == "yes" for flag in ("nat-local", "nat-remote")),
        last_error="" if child else reason,
    )
