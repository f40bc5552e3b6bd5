"""The judgement over a tunnel: UP or DOWN, AWS's status message, and the reason in words.

`UP` means: IPsec is up **and** (BGP is established, or the connection is static). IPsec is up while the data plane has
SAs in both directions, whether or not charon remembers them, because that is what decides if packets pass.

References: EC2 API reference, `VgwTelemetry` (StatusMessage values as AWS shows them: "IPSEC IS DOWN", "IPSEC IS UP",
"<n> BGP ROUTES").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twinbore.model.observed import BgpStatus, EspStatus, IkeStatus
from twinbore.model.states import DOWN, UP

PAUSED_MESSAGE: Final = "IPSEC IS DOWN (PAUSED)"
"""Begins with AWS's words, for clients that look for them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` and `message` are AWS's; `detail` says in words why a tunnel is down, and is empty when it is up."""

    status: str
    message: str
    accepted_routes: int
    detail: str


def judge(
    *,
    static_routes: int | None,
    esp: EspStatus | None,
    ike: IkeStatus | None,
    bgp: BgpStatus | None,
    password: bool = False,
    paused: bool = False,
) -> Verdict:
    """The verdict over one tunnel. `static_routes` is None for a BGP connection, else how many routes it has.

    `password`: the BGP session has one. `paused`: the operator has taken the connection out of service.
    """
    if paused:
        return Verdict(DOWN, PAUSED_MESSAGE, 0, "the connection is paused (twinbore resume)")
    if esp is None or not esp.carrying:
        return Verdict(DOWN, "IPSEC IS DOWN", 0, _why_ipsec_is_down(esp, ike))
    if static_routes is not None:
        return Verdict(UP, "IPSEC IS UP", static_routes, "")
    if bgp is not None and bgp.established:
        return Verdict(UP, f"{bgp.accepted} BGP ROUTES", bgp.accepted, "")
    return Verdict(DOWN, "IPSEC IS UP", 0, _why_bgp_is_down(bgp, password))


def _why_ipsec_is_down(esp: EspStatus | None, ike: IkeStatus | None) -> str:
    if esp is None or not esp.present:
        return "the tunnel's interface is not there yet"
    if ike is not None and ike.last_error:
        return ike.last_error
    if ike is not None and ike.ike_established:
        return "IKE is established, but no child SA: the peer did not agree on phase 2"
    return "waiting for the customer gateway to start IKE"


def _why_bgp_is_down(bgp: BgpStatus | None, password: bool) -> str:
    if bgp is None:
        return "IPsec is up; the BGP session is not configured yet"
    reason = f": {bgp.last_error}" if bgp.last_error else ""
    if password and not reason:
        # The kernels of both sides drop what is signed wrongly or not at all, and tell no program.
        reason = ": the session has a password, which the customer gateway needs as well (twinbore password)"
    return f"IPsec is up; BGP is {bgp.state}{reason}"
