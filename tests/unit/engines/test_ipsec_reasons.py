"""Why a tunnel is down: recorded log events of strongSwan 5.9.8 for each way in which a negotiation fails."""

from __future__ import annotations

import pytest

from tests.unit.engines.tunnels import tunnel
from twinbore.engines.ipsec.reasons import Reasons

NAME = tunnel().name
BEGIN = (
    "received packet: from 198.51.100.1[500] to 203.0.113.1[500] (612 bytes)",
    "198.51.100.1 is initiating an IKE_SA",
)
AUTHENTICATING = (
    *BEGIN,
    "selected proposal: IKE:AES_GCM_16_256/PRF_HMAC_SHA2_512/ECP_384",
    "looking for peer configs matching 203.0.113.1[203.0.113.1]...198.51.100.1[198.51.100.1]",
)


def reasons(*tunnels) -> Reasons:
    made = Reasons()
    made.expect(tunnels or (tunnel(), tunnel(2)))
    return made


def feed(into: Reasons, *lines: str, name: str = "(unnamed)", number: str = "1") -> None:
    for line in lines:
        into.feed("log", {"group": "IKE", "ikesa-name": name, "ikesa-uniqueid": number, "msg": line})


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            (*AUTHENTICATING, "tried 1 shared key for '203.0.113.1' - '198.51.100.1', but MAC mismatched"),
            "the pre-shared keys differ: the customer gateway uses another one",
        ),
        (
            (*BEGIN, "invalid ID_V1 payload length, decryption failed?", "could not decrypt payloads"),
            "a message could not be decrypted: most likely the pre-shared keys differ",
        ),
        (
            (*AUTHENTICATING, "received AUTHENTICATION_FAILED notify error"),
            "the customer gateway refused our authentication: the pre-shared keys or the identities differ",
        ),
        (
            (
                *BEGIN,
                "received proposals: IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024",
                "configured proposals: IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_384",
                "received proposals unacceptable",
            ),
            "phase 1: no proposal in common; the customer gateway offers "
            "IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024",
        ),
        (
            (*BEGIN, "received proposals: IKE:3DES_CBC/HMAC_MD5_96/PRF_HMAC_MD5/MODP_1024", "no proposal found"),
            "phase 1: no proposal in common; the customer gateway offers "
            "IKE:3DES_CBC/HMAC_MD5_96/PRF_HMAC_MD5/MODP_1024",
        ),
        (
            (
                *AUTHENTICATING,
                "received proposals: ESP:AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ",
                "no acceptable proposal found",
                "failed to establish CHILD_SA, keeping IKE_SA",
            ),
            "phase 2: no proposal in common; the customer gateway offers ESP:AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ",
        ),
        (
            (*BEGIN, "received proposals: ESP:NULL", "no matching proposal found, sending NO_PROPOSAL_CHOSEN"),
            "phase 2: no proposal in common; the customer gateway offers ESP:NULL",
        ),
        (
            (
                *BEGIN,
                "looking for peer configs matching 203.0.113.1[203.0.113.1]...198.51.100.1[192.168.7.7]",
                "no matching peer config found",
            ),
            "the customer gateway calls itself 192.168.7.7; its identity must be 198.51.100.1",
        ),
        (
            (*AUTHENTICATING, "traffic selectors 10.2.0.0/16 === 0.0.0.0/0 unacceptable"),
            "phase 2: the customer gateway asks for traffic between 10.2.0.0/16 (here) and 0.0.0.0/0 (there), which "
            "the connection's CIDRs do not allow",
        ),
        (
            (*AUTHENTICATING, "unable to install inbound and outbound IPsec SA (SAD) in kernel"),
            "the ESP engine refused the negotiated SAs; see charon's log",
        ),
        (
            (*BEGIN, "Aggressive Mode PSK disabled for security reasons"),
            "the customer gateway uses IKEv1 aggressive mode; only main mode is allowed",
        ),
        (
            (*AUTHENTICATING, "giving up after 5 retransmits", "establishing IKE_SA failed, peer not responding"),
            "the customer gateway does not answer",
        ),
        (
            (*AUTHENTICATING, "received DELETE for IKE_SA vpn-0123456789abcdef0-1[9]"),
            "the customer gateway closed the connection",
        ),
        (
            (*BEGIN, "deleting half open IKE_SA with 198.51.100.1 after timeout"),
            "the customer gateway began IKE, but did not go on: most likely our answers do not reach it",
        ),
        (
            ("no IKE config found for 203.0.113.1...198.51.100.1, sending NO_PROPOSAL_CHOSEN",),
            "the customer gateway uses an IKE version that is not allowed; allowed: ikev1 or ikev2",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_reason_in_words(lines: tuple[str, ...], reason: str) -> None:
    known = reasons()
    feed(known, *lines)
    assert known.of(NAME) == reason
    assert known.of(tunnel(2).name) == ""


def test_order_of_events_does_not_matter() -> None:
    lines = (*AUTHENTICATING, "tried 1 shared key for '203.0.113.1' - '198.51.100.1', but MAC mismatched")
    known = reasons()
    feed(known, *reversed(lines))
    assert known.of(NAME) == "the pre-shared keys differ: the customer gateway uses another one"


def test_a_named_ike_sa_needs_no_address() -> None:
    known = reasons()
    feed(known, "received NO_PROPOSAL_CHOSEN notify error", name=f"{NAME}.v1")
    assert known.of(NAME) == "the customer gateway accepts none of our proposals"


def test_a_weak_reason_gives_way() -> None:
    known = reasons()
    feed(known, *BEGIN, "could not decrypt payloads", "deleting half open IKE_SA with 198.51.100.1 after timeout")
    assert known.of(NAME).startswith("a message could not be decrypted")


def test_a_child_sa_that_comes_up_clears_the_reason() -> None:
    known = reasons()
    known.note(NAME, "trouble")
    known.feed("child-updown", {NAME: {"child-sas": {}}})
    assert known.of(NAME) == "trouble"
    known.feed("child-updown", {"up": "yes", NAME: {"child-sas": {}}})
    assert known.of(NAME) == ""


def test_a_customer_without_a_fixed_address_is_found_by_our_address() -> None:
    known = reasons(tunnel(remote_address=None, remote_identity=None))
    feed(known, "received packet: from 192.0.2.77[1500] to 203.0.113.1[500] (612 bytes)", "could not decrypt payloads")
    assert "pre-shared keys differ" in known.of(NAME)


def test_waiting_says_for_whom_and_who_came_instead() -> None:
    known = reasons()
    assert known.waiting(NAME) == "waiting for the customer gateway 198.51.100.1 to start IKE"
    known.reset()
    assert known.waiting(NAME) == (
        "waiting for the customer gateway 198.51.100.1 to start IKE; nothing has come from it yet"
    )
    feed(known, "no IKE config found for 203.0.113.1...192.0.2.9, sending NO_PROPOSAL_CHOSEN")
    assert known.waiting(NAME) == (
        "nothing came from the customer gateway 198.51.100.1; 192.0.2.9 tried to reach this tunnel instead"
    )
    assert known.of(NAME) == ""
    assert "is being started" in reasons(tunnel(initiate=True)).waiting(NAME)


def test_reasons_of_removed_tunnels_and_of_an_earlier_charon_are_forgotten() -> None:
    known = reasons()
    feed(known, *BEGIN)
    known.reset()
    feed(known, "could not decrypt payloads")
    assert known.of(NAME) == ""
    known.note(NAME, "trouble")
    known.expect([tunnel(2)])
    known.expect([tunnel(), tunnel(2)])
    assert known.of(NAME) == ""


def test_a_long_offer_is_cut() -> None:
    known = reasons()
    feed(known, *BEGIN, "received proposals: " + "IKE:AES_CBC_128, " * 100, "no proposal found")
    assert len(known.of(NAME)) < 400
    assert known.of(NAME).endswith("…")


def test_lines_without_an_ike_sa_are_passed_over() -> None:
    known = reasons()
    known.feed("log", {"group": "CFG", "msg": "could not decrypt payloads"})
    known.feed("ike-updown", {NAME: {}})
    assert known.of(NAME) == ""
