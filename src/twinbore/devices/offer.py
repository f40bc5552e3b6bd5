"""What a device is configured to offer: one suite for each phase, out of what the tunnel allows and the device can do.

One suite and not a list, so that what stands in the configuration is what is negotiated, and so that one template
serves devices that can list algorithms and those that cannot. Which one:

* no sample type: the strongest that both can do;
* `recommended`: the same, but never one that NIST no longer approves for new use: SHA-1, groups below 14 and the
  groups 22 to 24 (small subgroups, RFC 8247 section 2.4);
* `compatibility`: the weakest that both can do, AWS's minimum (AES128, SHA1, group 2) for a connection with default
  options. What the least of all devices can load.

Elliptic curves come before large MODP groups, which cost 10 to 100 times the time for no more strength, and P-384
before P-521 as in the gateway's own order of preference.

References: NIST SP 800-57 part 1, table 2 (comparable strengths), SP 800-131A; RFC 8247; RFC 3526, 5114, 5903.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from twinbore.devices.capabilities import Algorithms, is_aead
from twinbore.model.keywords import GROUPS
from twinbore.model.options import DPD_INTERVAL_SECONDS, TunnelOptions

ENCRYPTION_BY_STRENGTH: Final = ("AES256-GCM-16", "AES256", "AES128-GCM-16", "AES128")
INTEGRITY_BY_STRENGTH: Final = ("SHA2-512", "SHA2-384", "SHA2-256", "SHA1")
GROUPS_BY_STRENGTH: Final = tuple(GROUPS)
ENCRYPTION_BY_AGE: Final = ("AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16")
GROUPS_BY_AGE: Final = tuple(sorted(GROUPS))

T = TypeVar("T")

_WEAK: Final = frozenset({"SHA1", 2, 5, 22, 23, 24})


@dataclass(frozen=True, slots=True)
class Suite:
    """The algorithms of one phase in AWS's spellings, and the lifetime in seconds.

    With AES-GCM the integrity algorithm is the pseudo-random function in phase 1 and unused in phase 2.
    """

    encryption: str
    integrity: str
    group: int
    lifetime_seconds: int

    @property
    def is_gcm(self) -> bool:
        return is_aead(self.encryption)

    @property
    def key_bits(self) -> int:
        """Of the cipher: 128 or 256."""
        return 256 if "256" in self.encryption else 128

    @property
    def hash_bits(self) -> int:
        """Of the integrity algorithm: 160 (SHA-1), 256, 384 or 512."""
        return 160 if self.integrity == "SHA1" else int(self.integrity.removeprefix("SHA2-"))


@dataclass(frozen=True, slots=True)
class Offer:
    """What one tunnel's end on the device offers. Times in seconds."""

    phase1: Suite
    phase2: Suite
    dpd_interval: int
    dpd_timeout: int

    @property
    def dpd_retries(self) -> int:
        """Unanswered requests until the peer counts as dead."""
        return max(1, self.dpd_timeout // self.dpd_interval)


class NothingInCommon(ValueError):
    """Phases without a common suite; `changes` says for each what the tunnel would have to allow."""

    def __init__(self, changes: Sequence[str]) -> None:
        self.changes = tuple(changes)
        super().__init__("; ".join(self.changes))


def offer(options: TunnelOptions, device: tuple[Algorithms, Algorithms], sample_type: str | None) -> Offer:
    """What the device offers; `device` is what it can do in phase 1 and in phase 2. Raises `NothingInCommon`."""
    changes: list[str] = []
    phase1 = _suite(
        1,
        (options.phase1_encryption_algorithms, options.phase1_integrity_algorithms, options.phase1_dh_group_numbers),
        device[0],
        sample_type,
        changes=changes,
        lifetime=options.phase1_lifetime_seconds,
    )
    phase2 = _suite(
        2,
        (options.phase2_encryption_algorithms, options.phase2_integrity_algorithms, options.phase2_dh_group_numbers),
        device[1],
        sample_type,
        changes=changes,
        lifetime=options.phase2_lifetime_seconds,
    )
    if phase1 is None or phase2 is None:
        raise NothingInCommon(changes)
    return Offer(phase1, phase2, DPD_INTERVAL_SECONDS, options.dpd_timeout_seconds)


def _suite(
    phase: int,
    allowed: tuple[Collection[str], Collection[str], Collection[int]],
    device: Algorithms,
    sample_type: str | None,
    *,
    changes: list[str],
    lifetime: int,
) -> Suite | None:
    oldest = sample_type == "compatibility"
    acceptable = _not_weak if sample_type == "recommended" else _anything

    def first(name: str, order: Sequence[T], values: Collection[T], can: Collection[T]) -> T | None:
        possible = [value for value in order if value in can and acceptable(value)]
        found = next((value for value in possible if value in values), None)
        if found is None:
            there = ", ".join(str(value) for value in order if value in values)
            one_of = ", ".join(map(str, possible)) or "none that exists"
            missing.append(f"Phase{phase}{name} to allow one of {one_of} (now {there})")
        return found

    missing: list[str] = []
    encryption = first(
        "EncryptionAlgorithms", ENCRYPTION_BY_AGE if oldest else ENCRYPTION_BY_STRENGTH, allowed[0], device.encryption
    )
    if phase == 2 and encryption is not None and is_aead(encryption):
        integrity: str | None = _beside_gcm(allowed[1])
    else:
        integrity = first(
            "IntegrityAlgorithms", INTEGRITY_BY_STRENGTH[:: -1 if oldest else 1], allowed[1], device.integrity
        )
    group = first("DHGroupNumbers", GROUPS_BY_AGE if oldest else GROUPS_BY_STRENGTH, allowed[2], device.groups)
    changes += missing
    if encryption is None or integrity is None or group is None:
        return None
    return Suite(encryption, integrity, group, lifetime)


def _beside_gcm(integrity: Collection[str]) -> str:
    """The integrity algorithm that stands beside AES-GCM in phase 2, where none is used: the tunnel's strongest."""
    return next(value for value in INTEGRITY_BY_STRENGTH if value in integrity)


def _not_weak(value: object) -> bool:
    return value not in _WEAK


def _anything(_value: object) -> bool:
    return True
