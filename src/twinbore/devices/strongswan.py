"""Suites in strongSwan's words: the proposals of swanctl.conf and ipsec.conf.

With AES-GCM in IKE, the integrity algorithm serves as the pseudo-random function; a combined-mode cipher has no
integrity algorithm of its own (RFC 7296 section 3.3).

References: swanctl.conf(5); "IKEv1 Cipher Suites" and "IKEv2 Cipher Suites" of strongSwan's documentation.
"""

from __future__ import annotations

from twinbore.devices.offer import Suite
from twinbore.model.keywords import ENCRYPTION, GROUPS, INTEGRITY


def ike_proposal(suite: Suite) -> str:
    """Phase 1, as in `connections.<c>.proposals`."""
    integrity = INTEGRITY[suite.integrity]
    return "-".join(
        (ENCRYPTION[suite.encryption], f"prf{integrity}" if suite.is_gcm else integrity, GROUPS[suite.group])
    )


def esp_proposal(suite: Suite) -> str:
    """Phase 2, as in `children.<c>.esp_proposals`; the group is that of perfect forward secrecy."""
    integrity = () if suite.is_gcm else (INTEGRITY[suite.integrity],)
    return "-".join((ENCRYPTION[suite.encryption], *integrity, GROUPS[suite.group]))
