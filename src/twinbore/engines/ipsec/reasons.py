"""Why a tunnel is down, in words, from charon's log events.

vici tells that an IKE SA went, not why; the log line that says why is an event, too, with the IKE SA's number. This is
the one place where charon's texts are recognised (those of strongSwan 5.9 and 6.0; the tests have recorded samples). A
text that is not recognised costs an explanation, never a tunnel.

How a line finds its tunnel: by the connection's name, if charon has chosen one; before that, by the addresses of the
packet that began the IKE SA. Events of one IKE SA may come out of order, so what is known of it is gathered until both
the tunnel and the reason are there.

Reference: strongSwan's src/libcharon (sa/ikev1, sa/ikev2, bus listeners) for the texts; RFC 7296 section 3.10.1 for
the notifications' names.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from twinbore.engines.ipsec.charon_config import tunnel_name
from twinbore.model.desired import IkeTunnel

_UNNAMED: Final = "(unnamed)"
_SA_LIMIT: Final = 4096
_OFFER_CHARACTERS: Final = 300

_PACKET: Final = re.compile(r"received packet: from (?P<remote>\S+)\[\d+\] to (?P<local>\S+)\[\d+\]")
_OFFER: Final = re.compile(r"received proposals: (?P<offer>.*)", re.DOTALL)
_LOOKING: Final = re.compile(r"looking for .*matching \S+?\.\.\.\S+?\[(?P<identity>.*)\]$")
_NO_CONFIG: Final = re.compile(r"no IKE config found for (?P<local>\S+?)\.\.\.(?P<remote>[^\s,]+)")

STRONG: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (
            r"shared keys? for .* but MAC mismatched",
            "the pre-shared keys differ: the customer gateway uses another one",
        ),
        (
            r"could not decrypt payloads",
            "a message could not be decrypted: most likely the pre-shared keys differ",
        ),
        (
            r"received AUTHENTICATION_FAILED (notify error|error notify)",
            "the customer gateway refused our authentication: the pre-shared keys or the identities differ",
        ),
        (
            r"received proposals unacceptable|^no proposal found",
            "phase 1: no proposal in common; the customer gateway offers {offer}",
        ),
        (
            r"no acceptable proposal found|no matching proposal found",
            "phase 2: no proposal in common; the customer gateway offers {offer}",
        ),
        (
            r"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
            "phase 2: the customer gateway accepts none of our proposals",
        ),
        (
            r"received NO_PROPOSAL_CHOSEN (notify error|error notify)",
            "the customer gateway accepts none of our proposals",
        ),
        (
            r"no matching peer config found|no peer config found",
            "the customer gateway calls itself {identity}; its identity must be {expected}",
        ),
        (
            r"traffic selectors (?P<local>.+) === (?P<remote>.+) unacceptable",
            "phase 2: the customer gateway asks for traffic between {local} (here) and {remote} (there), which the "
            "connection's CIDRs do not allow",
        ),
        (
            r"received TS_UNACCEPTABLE notify",
            "phase 2: the customer gateway refused our traffic selectors",
        ),
        (r"unable to install .*IPsec SA", "the ESP engine refused the negotiated SAs; see charon's log"),
        (r"Aggressive Mode PSK disabled", "the customer gateway uses IKEv1 aggressive mode; only main mode is allowed"),
        (r"DPD check timed out", "the customer gateway stopped answering (dead peer detection)"),
        (r"giving up after \d+ retransmits", "the customer gateway does not answer"),
        (r"received DELETE for IKE_SA", "the customer gateway closed the connection"),
    )
)
"""(text of a log line, the reason in words). Groups of the text and what else is known fill the braces."""

WEAK: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"deleting half open IKE_SA .*after timeout"),
        "the customer gateway began IKE, but did not go on: most likely our answers do not reach it",
    ),
)
"""Reasons that give way to any other of the same IKE SA."""


@dataclass
class _Known:
    """What is known of one IKE SA so far."""

    tunnel: str | None = None
    offer: str = "nothing that charon knows"
    identity: str = "something else"
    strong: tuple[str, dict[str, str]] | None = None
    weak: str = ""


@dataclass
class Reasons:
    """The last reason of each tunnel. Fed with vici's events, asked by tunnel."""

    _tunnels: dict[str, IkeTunnel] = field(default_factory=dict)
    _by_address: dict[tuple[str, str | None], str] = field(default_factory=dict)
    _sas: OrderedDict[str, _Known] = field(default_factory=OrderedDict)
    _reasons: dict[str, str] = field(default_factory=dict)
    _strangers: dict[str, str] = field(default_factory=dict)
    _from_the_start: bool = False

    def expect(self, tunnels: Iterable[IkeTunnel]) -> None:
        """The tunnels that are wanted now; reasons of others are forgotten."""
        self._tunnels = {tunnel.name: tunnel for tunnel in tunnels}
        self._by_address = {(t.local_address, t.remote_address): t.name for t in self._tunnels.values()}
        self._reasons = {name: text for name, text in self._reasons.items() if name in self._tunnels}

    def reset(self) -> None:
        """A new charon, listened to from its start: its IKE SAs are numbered anew."""
        self._sas.clear()
        self._from_the_start = True

    def note(self, tunnel: str, text: str) -> None:
        """A reason that comes from us."""
        self._reasons[tunnel] = text

    def of(self, tunnel: str) -> str:
        """What went wrong last, or empty."""
        return self._reasons.get(tunnel, "")

    def waiting(self, tunnel: str) -> str:
        """What a tunnel waits for with which nothing went wrong yet; never empty."""
        wanted = self._tunnels.get(tunnel)
        if wanted is None:
            return "the tunnel is not configured"
        peer = f" {wanted.remote_address}" if wanted.remote_address else ""
        stranger = self._strangers.get(wanted.local_address)
        if stranger and wanted.remote_address:
            return f"nothing came from the customer gateway{peer}; {stranger} tried to reach this tunnel instead"
        if wanted.initiate:
            return f"IKE with the customer gateway{peer} is being started"
        seen_all = "; nothing has come from it yet" if self._from_the_start else ""
        return f"waiting for the customer gateway{peer} to start IKE{seen_all}"

    def feed(self, event: str, message: Mapping[str, Any]) -> None:
        """One vici event: `log`, `ike-updown` or `child-updown`; others are ignored."""
        if event == "log":
            self._log(message)
        elif event == "child-updown" and message.get("up") == "yes":
            for name in message:
                self._reasons.pop(tunnel_name(name), None)

    def _log(self, message: Mapping[str, Any]) -> None:
        number, text = message.get("ikesa-uniqueid"), message.get("msg", "")
        if number is None:
            return
        known = self._sas.setdefault(number, _Known())
        while len(self._sas) > _SA_LIMIT:
            self._sas.popitem(last=False)
        name = message.get("ikesa-name", _UNNAMED)
        if name != _UNNAMED:
            known.tunnel = tunnel_name(name)
        self._learn(known, text)
        for pattern, words in STRONG:
            if match := pattern.search(text):
                known.strong = (words, match.groupdict())
        for pattern, words in WEAK:
            if pattern.search(text):
                known.weak = words
        self._conclude(known)

    def _learn(self, known: _Known, text: str) -> None:
        if match := _PACKET.search(text):
            found = self._find(match["local"], match["remote"])
            known.tunnel = known.tunnel or found
        elif match := _OFFER.search(text):
            known.offer = _shorten(match["offer"])
        elif match := _LOOKING.search(text):
            known.identity = match["identity"]
        elif match := _NO_CONFIG.search(text):
            found = self._find(match["local"], match["remote"])
            if found is None:
                self._strangers[match["local"]] = match["remote"]
            else:
                allowed = " or ".join(self._tunnels[found].options.ike_versions)
                known.tunnel = found
                known.strong = (f"the customer gateway uses an IKE version that is not allowed; allowed: {allowed}", {})

    def _find(self, local: str, remote: str) -> str | None:
        return self._by_address.get((local, remote)) or self._by_address.get((local, None))

    def _conclude(self, known: _Known) -> None:
        wanted = self._tunnels.get(known.tunnel or "")
        if wanted is None:
            return
        if known.strong is not None:
            words, groups = known.strong
            expected = wanted.remote_identity or "any"
            facts = {"offer": known.offer, "identity": known.identity, "expected": expected, **groups}
            self._reasons[wanted.name] = words.format_map(facts)
        elif known.weak:
            self._reasons[wanted.name] = known.weak


def _shorten(offer: str) -> str:
    return offer if len(offer) <= _OFFER_CHARACTERS else offer[: _OFFER_CHARACTERS - 1] + "…"
