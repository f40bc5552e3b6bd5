"""What a sample configuration lets a device offer: the tunnel's options, ordered and narrowed.

* `compatibility` keeps everything that the tunnel allows, the strongest first; `recommended` keeps the strongest of
  each kind only.
* IKEv1 has no AES-GCM for phase 1 (RFC 5282 is for IKEv2). Its quick mode can offer one group only, since the key
  exchange payload is sent before the answer (RFC 2409 section 5.5), and phase 1 spells out every combination of
  algorithms, so it gets one as well to stay within a packet: the strongest.

References: NIST SP 800-57 part 1, table 2 (comparable strengths); RFC 5114 (groups 22 to 24), RFC 3526, RFC 5903.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from twinbore.model.options import TunnelOptions

ENCRYPTION_BY_STRENGTH: Final = ("AES256-GCM-16", "AES256", "AES128-GCM-16", "AES128")
INTEGRITY_BY_STRENGTH: Final = ("SHA2-512", "SHA2-384", "SHA2-256", "SHA1")
GROUPS_BY_STRENGTH: Final = (21, 20, 18, 17, 16, 19, 15, 14, 24, 23, 5, 22, 2)

T = TypeVar("T")


class NothingToOffer(ValueError):
    """No algorithm that the tunnel allows exists in this IKE version."""


def offered_options(options: TunnelOptions, ike_version: str, *, strongest_only: bool) -> TunnelOptions:
    """`options` as the device offers them: one IKE version, each list from strong to weak or with one member.

    Raises `NothingToOffer` where phase 1 allows AES-GCM only and the version is ikev1.
    """

    def chosen(by_strength: Sequence[T], allowed: Collection[T]) -> tuple[T, ...]:
        found = tuple(value for value in by_strength if value in allowed)
        return found[:1] if strongest_only else found

    phase1_encryption = options.phase1_encryption_algorithms
    phase1_groups = chosen(GROUPS_BY_STRENGTH, options.phase1_dh_group_numbers)
    phase2_groups = chosen(GROUPS_BY_STRENGTH, options.phase2_dh_group_numbers)
    if ike_version == "ikev1":
        phase1_encryption = tuple(name for name in phase1_encryption if not is_aead(name))
        phase1_groups = phase1_groups[:1]
        phase2_groups = phase2_groups[:1]
    if not phase1_encryption:
        raise NothingToOffer("phase 1 allows AES-GCM only, which IKEv1 does not have")
    return replace(
        options,
        ike_versions=(ike_version,),
        phase1_encryption_algorithms=chosen(ENCRYPTION_BY_STRENGTH, phase1_encryption),
        phase1_integrity_algorithms=chosen(INTEGRITY_BY_STRENGTH, options.phase1_integrity_algorithms),
        phase1_dh_group_numbers=phase1_groups,
        phase2_encryption_algorithms=chosen(ENCRYPTION_BY_STRENGTH, options.phase2_encryption_algorithms),
        phase2_integrity_algorithms=chosen(INTEGRITY_BY_STRENGTH, options.phase2_integrity_algorithms),
        phase2_dh_group_numbers=phase2_groups,
    )


def is_aead(encryption: str) -> bool:
    """Whether an encryption algorithm brings its own integrity (AES-GCM)."""
    return "GCM" in encryption
