"""What a device's software can negotiate, for each phase of each IKE version.

A family's data says it once for all (`encryption`, `integrity`, `groups`) and then only where a phase or a version
differs; the more specific list wins, and replaces the other as a whole:

    [capabilities.example]
    encryption = ["AES128", "AES256", "AES256-GCM-16"]
    integrity = ["SHA1", "SHA2-256"]
    groups = [2, 14, 20]
    phase1.encryption = ["AES128", "AES256"]
    ikev1.groups = [2, 14]
    phase1-ikev1.integrity = ["SHA1"]

IKEv1 has no AES-GCM for its own messages (RFC 5282 is for IKEv2), whatever a list says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from twinbore.model.options import (
    ENCRYPTION_ALGORITHMS,
    IKE_VERSIONS,
    INTEGRITY_ALGORITHMS,
    PHASE1_DH_GROUPS,
    PHASE2_DH_GROUPS,
)

PHASES: Final = (1, 2)
KINDS: Final[Mapping[str, frozenset[Any]]] = {
    "encryption": frozenset(ENCRYPTION_ALGORITHMS),
    "integrity": frozenset(INTEGRITY_ALGORITHMS),
    "groups": frozenset(PHASE1_DH_GROUPS) | frozenset(PHASE2_DH_GROUPS),
}
"""Kind of algorithm → what may stand in a list of it: AWS's spellings."""
SPECIFIC: Final = (
    "phase1",
    "phase2",
    *IKE_VERSIONS,
    *(f"phase{n}-{version}" for n in PHASES for version in IKE_VERSIONS),
)


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What can be negotiated in one phase of one IKE version, in AWS's spellings; order says nothing."""

    encryption: frozenset[str]
    integrity: frozenset[str]
    groups: frozenset[int]


Capabilities = Mapping[tuple[int, str], Algorithms]
"""(phase, IKE version) → algorithms."""


def read_capabilities(name: str, data: Mapping[str, Any]) -> Capabilities:
    """The capabilities of a family's table `name`. Raises `ValueError` for what the table may not have."""
    unknown = set(data) - set(KINDS) - set(SPECIFIC)
    if unknown:
        raise ValueError(
            f"capabilities.{name} has {', '.join(sorted(unknown))}; there are {', '.join((*KINDS, *SPECIFIC))}"
        )
    return {(phase, version): _algorithms(name, data, phase, version) for phase in PHASES for version in IKE_VERSIONS}


def _algorithms(name: str, data: Mapping[str, Any], phase: int, version: str) -> Algorithms:
    found: dict[str, frozenset[Any]] = {}
    for kind, known in KINDS.items():
        values: frozenset[Any] = frozenset()
        for layer in (data, *(data.get(key, {}) for key in (f"phase{phase}", version, f"phase{phase}-{version}"))):
            values = frozenset(layer.get(kind, values))
        if not values or not values <= known:
            raise ValueError(f"capabilities.{name}: {kind} of phase {phase} with {version} is {sorted(values)}")
        found[kind] = values
    if phase == 1 and version == "ikev1":
        found["encryption"] = frozenset(v for v in found["encryption"] if not is_aead(v))
    return Algorithms(**found)


def is_aead(encryption: str) -> bool:
    """Whether an encryption algorithm brings its own integrity (AES-GCM)."""
    return "GCM" in encryption
