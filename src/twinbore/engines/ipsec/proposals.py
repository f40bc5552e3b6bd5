"""From the algorithms of a tunnel's options to charon's proposals, and from charon's names back to AWS's.

A proposal of charon is a set of alternatives for each kind of transform, so the cross product of the lists needs no
writing out: one proposal for the AEAD ciphers (which need a PRF in phase 1 and no integrity) and one for the others.
IKEv1 differs. There charon, when it is the one that proposes, takes only the first alternative of each kind; what it
may have to propose (when it re-keys) is therefore written out, one proposal for each combination.

Decisions:
* Our order (`model.keywords`) decides when the customer offers several.
* A group that this host's charon lacks is left out; if none remains, that is an error that says which were asked for.
* PFS is part of every phase 2 proposal, as with AWS: the customer must use one of the groups when it re-keys.

References: RFC 7296 section 3.3 (proposals), RFC 5282 (AEAD in IKEv2), RFC 3526, 5114, 5903 (groups); strongSwan's
proposal keywords; AWS Site-to-Site VPN User Guide, "Tunnel options".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from twinbore.model.keywords import AEAD, CIPHERS, GROUPS, INTEGRITY
from twinbore.model.options import TunnelOptions

_GROUP_NUMBERS: Final = {
    name.upper().replace("MODP", "MODP_").replace("ECP", "ECP_").replace("S", "_"): number
    for number, name in GROUPS.items()
}
"""charon's names in its answers (`MODP_2048_256`, `ECP_384`) → group number."""
_ENCRYPTION_NAMES: Final = {
    ("AES_CBC", "128"): "AES128",
    ("AES_CBC", "256"): "AES256",
    ("AES_GCM_16", "128"): "AES128-GCM-16",
    ("AES_GCM_16", "256"): "AES256-GCM-16",
}
_INTEGRITY_NAMES: Final = {
    "HMAC_SHA1_96": "SHA1",
    "HMAC_SHA2_256_128": "SHA2-256",
    "HMAC_SHA2_384_192": "SHA2-384",
    "HMAC_SHA2_512_256": "SHA2-512",
}


class NoProposal(ValueError):
    """Nothing of an option's values can be negotiated by this host's charon."""


@dataclass(frozen=True, slots=True)
class Support:
    """What this host's charon can negotiate: numbers of Diffie-Hellman groups."""

    groups: frozenset[int]

    @classmethod
    def from_algorithms(cls, answer: Mapping[str, Any]) -> Support:
        """From vici's `get-algorithms`."""
        return cls(
            frozenset(_GROUP_NUMBERS[name] for name in answer.get("ke", answer.get("dh", {})) if name in _GROUP_NUMBERS)
        )


EVERYTHING: Final = Support(frozenset(GROUPS))


def ike_proposals(options: TunnelOptions, support: Support, version: int) -> list[str]:
    """Phase 1 proposals for IKE version 1 or 2. Raises `NoProposal`."""
    aead = _chosen(AEAD, options.phase1_encryption_algorithms)
    ciphers = _chosen(CIPHERS, options.phase1_encryption_algorithms)
    integrity = _chosen(INTEGRITY, options.phase1_integrity_algorithms)
    groups = _groups("phase1_dh_group_numbers", options.phase1_dh_group_numbers, support)
    if version == 1:
        if not ciphers:
            raise NoProposal(
                f"phase1_encryption_algorithms {', '.join(options.phase1_encryption_algorithms)}: IKEv1 has no AEAD "
                "ciphers in phase 1; add AES128 or AES256, or allow ikev2"
            )
        return _written_out(ciphers, integrity, groups)
    return _compact([aead, [f"prf{hash_}" for hash_ in integrity], groups], [ciphers, integrity, groups])


def esp_proposals(options: TunnelOptions, support: Support, version: int) -> list[str]:
    """Phase 2 proposals for IKE version 1 or 2, each with PFS. Raises `NoProposal`."""
    aead = _chosen(AEAD, options.phase2_encryption_algorithms)
    ciphers = _chosen(CIPHERS, options.phase2_encryption_algorithms)
    integrity = _chosen(INTEGRITY, options.phase2_integrity_algorithms)
    groups = _groups("phase2_dh_group_numbers", options.phase2_dh_group_numbers, support)
    if version == 1:
        return _written_out(aead, groups) + _written_out(ciphers, integrity, groups)
    return _compact([aead, groups], [ciphers, integrity, groups])


def encryption_name(algorithm: str | None, key_size: str | None) -> str | None:
    """AWS's spelling of charon's cipher (`AES_GCM_16`, key size in bits as text); charon's own if AWS has none."""
    if algorithm is None:
        return None
    return _ENCRYPTION_NAMES.get((algorithm, key_size or ""), f"{algorithm}-{key_size}" if key_size else algorithm)


def integrity_name(algorithm: str | None) -> str | None:
    """AWS's spelling of charon's integrity algorithm; charon's own if AWS has none."""
    return None if algorithm is None else _INTEGRITY_NAMES.get(algorithm, algorithm)


def group_number(name: str | None) -> int | None:
    """The number of charon's Diffie-Hellman group; None for none, or for one that AWS does not offer."""
    return None if name is None else _GROUP_NUMBERS.get(name)


def _chosen(keywords: Mapping[str, str], values: Iterable[str]) -> list[str]:
    wanted = set(values)
    return [keyword for name, keyword in keywords.items() if name in wanted]


def _groups(field: str, numbers: tuple[int, ...], support: Support) -> list[str]:
    chosen = [keyword for number, keyword in GROUPS.items() if number in numbers and number in support.groups]
    if not chosen:
        raise NoProposal(
            f"{field} {', '.join(str(n) for n in numbers)}: the charon of this host has none of these Diffie-Hellman "
            f"groups; it has {', '.join(str(n) for n in sorted(support.groups)) or 'none at all'}"
        )
    return chosen


def _compact(*alternatives: list[list[str]]) -> list[str]:
    """One proposal for each group of transforms that has a cipher."""
    return ["-".join(keyword for kind in kinds for keyword in kind) for kinds in alternatives if kinds[0]]


def _written_out(*kinds: list[str]) -> list[str]:
    combinations = [""]
    for kind in kinds:
        combinations = [f"{left}-{keyword}" if left else keyword for left in combinations for keyword in kind]
    return combinations
