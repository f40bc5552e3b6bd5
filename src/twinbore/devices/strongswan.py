"""Tunnel options in strongSwan's words: the proposals of swanctl.conf.

* Combined-mode ciphers (GCM) and others never share a proposal (RFC 7296 section 3.3). With GCM in IKE, the integrity
  algorithms serve as pseudo-random functions.
* In IKEv2 a proposal lists several algorithms of a kind, of which the gateway takes one, so there are up to two
  proposals. In IKEv1 strongSwan takes the first of a kind only, so every combination is a proposal of its own.

References: swanctl.conf(5); "IKEv1 Cipher Suites" and "IKEv2 Cipher Suites" of strongSwan's documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, product

from twinbore.devices.offer import is_aead
from twinbore.model.keywords import ENCRYPTION, GROUPS, INTEGRITY
from twinbore.model.options import TunnelOptions


def ike_proposals(options: TunnelOptions) -> str:
    """`connections.<c>.proposals` for phase 1, in the options' order."""
    integrity = [INTEGRITY[name] for name in options.phase1_integrity_algorithms]
    return _proposals(
        options.ike_versions,
        options.phase1_encryption_algorithms,
        integrity,
        [f"prf{name}" for name in integrity],
        options.phase1_dh_group_numbers,
    )


def esp_proposals(options: TunnelOptions) -> str:
    """`children.<c>.esp_proposals` for phase 2, in the options' order, with groups for perfect forward secrecy."""
    integrity = [INTEGRITY[name] for name in options.phase2_integrity_algorithms]
    return _proposals(
        options.ike_versions, options.phase2_encryption_algorithms, integrity, [], options.phase2_dh_group_numbers
    )


def _proposals(
    ike_versions: tuple[str, ...],
    encryption: Iterable[str],
    integrity: list[str],
    aead_prf: list[str],
    group_numbers: Iterable[int],
) -> str:
    groups = [GROUPS[number] for number in group_numbers]
    aead = [ENCRYPTION[name] for name in encryption if is_aead(name)]
    classic = [ENCRYPTION[name] for name in encryption if not is_aead(name)]
    suites = [[aead, aead_prf, groups] if aead_prf else [aead, groups]] if aead else []
    if classic:
        suites.append([classic, integrity, groups])
    if "ikev2" in ike_versions:
        return ", ".join("-".join(chain.from_iterable(suite)) for suite in suites)
    return ", ".join("-".join(words) for suite in suites for words in product(*suite))
