"""Tunnel options: what one tunnel of a VPN connection negotiates, with AWS's defaults and ranges.

One table (`LIMITS` and the enumerations below) is the only place where a default or a range stands; the API validates
against it, the planner hands the options on and the IPsec engine maps them to charon.

Invariants:
* A `TunnelOptions` value is complete: every member that AWS has a default for is set, so that what Describe shows is
  what charon gets.
* Inside addresses and the pre-shared key are not options here: they belong to the tunnel (see `resources.VpnTunnel`),
  since they are allocated, not negotiated.

References: AWS Site-to-Site VPN User Guide, "Tunnel options for your Site-to-Site VPN connection"; EC2 API reference,
`VpnTunnelOptionsSpecification` and `ModifyVpnTunnelOptionsSpecification`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

ENCRYPTION_ALGORITHMS: Final = ("AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16")
INTEGRITY_ALGORITHMS: Final = ("SHA1", "SHA2-256", "SHA2-384", "SHA2-512")
PHASE1_DH_GROUPS: Final = (2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24)
PHASE2_DH_GROUPS: Final = (2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24)
IKE_VERSIONS: Final = ("ikev1", "ikev2")
DPD_TIMEOUT_ACTIONS: Final = ("clear", "none", "restart")
STARTUP_ACTIONS: Final = ("add", "start")

DPD_INTERVAL_SECONDS: Final = 10
"""AWS asks a silent peer every 10 seconds (sample configurations: interval 10, retries 3)."""

PRE_SHARED_KEY: Final = re.compile(r"(?!0)[A-Za-z0-9._]{8,64}\Z")
PRE_SHARED_KEY_RULE: Final = (
    "8 to 64 characters, letters, digits, periods (.) and underscores (_) only, and must not start with zero (0)"
)


@dataclass(frozen=True, slots=True)
class Range:
    """An inclusive range of whole numbers with the default inside it."""

    low: int
    high: int
    default: int

    def __contains__(self, value: int) -> bool:
        return self.low <= value <= self.high


LIMITS: Final[dict[str, Range]] = {
    "phase1_lifetime_seconds": Range(900, 28800, 28800),
    "phase2_lifetime_seconds": Range(900, 3600, 3600),
    "rekey_margin_time_seconds": Range(60, 1800, 270),
    "rekey_fuzz_percentage": Range(0, 100, 100),
    "replay_window_size": Range(64, 2048, 1024),
    "dpd_timeout_seconds": Range(30, 86400, 40),
}
"""Ranges of the numeric options. The margin's upper end is half of the phase 2 lifetime: see `problems`."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """CloudWatchLogOptions of one tunnel: which logs are written, where to, and how (json or text)."""

    log_enabled: bool = False
    log_group_arn: str | None = None
    log_output_format: str = "json"
    bgp_log_enabled: bool = False
    bgp_log_group_arn: str | None = None
    bgp_log_output_format: str = "json"


@dataclass(frozen=True, slots=True)
class TunnelOptions:
    """The negotiated parameters of one tunnel. Times in seconds, window in packets."""

    ike_versions: tuple[str, ...] = IKE_VERSIONS
    phase1_encryption_algorithms: tuple[str, ...] = ENCRYPTION_ALGORITHMS
    phase1_integrity_algorithms: tuple[str, ...] = INTEGRITY_ALGORITHMS
    phase1_dh_group_numbers: tuple[int, ...] = PHASE1_DH_GROUPS
    phase2_encryption_algorithms: tuple[str, ...] = ENCRYPTION_ALGORITHMS
    phase2_integrity_algorithms: tuple[str, ...] = INTEGRITY_ALGORITHMS
    phase2_dh_group_numbers: tuple[int, ...] = PHASE2_DH_GROUPS
    phase1_lifetime_seconds: int = LIMITS["phase1_lifetime_seconds"].default
    phase2_lifetime_seconds: int = LIMITS["phase2_lifetime_seconds"].default
    rekey_margin_time_seconds: int = LIMITS["rekey_margin_time_seconds"].default
    rekey_fuzz_percentage: int = LIMITS["rekey_fuzz_percentage"].default
    replay_window_size: int = LIMITS["replay_window_size"].default
    dpd_timeout_seconds: int = LIMITS["dpd_timeout_seconds"].default
    dpd_timeout_action: str = "clear"
    startup_action: str = "add"
    enable_tunnel_lifecycle_control: bool = False
    log_options: LogOptions = field(default_factory=LogOptions)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a set of options is refused: the member's name, the value given and the rule it breaks."""

    field: str
    value: object
    rule: str


def problems(options: TunnelOptions) -> list[Problem]:
    """Every rule of AWS's table that `options` breaks, in the order of the table; empty when they are valid.

    `Problem.field` is the dataclass member's name; the caller turns it into its own spelling.
    """
    found: list[Problem] = []
    for name, allowed in (
        ("ike_versions", IKE_VERSIONS),
        ("phase1_encryption_algorithms", ENCRYPTION_ALGORITHMS),
        ("phase1_integrity_algorithms", INTEGRITY_ALGORITHMS),
        ("phase1_dh_group_numbers", PHASE1_DH_GROUPS),
        ("phase2_encryption_algorithms", ENCRYPTION_ALGORITHMS),
        ("phase2_integrity_algorithms", INTEGRITY_ALGORITHMS),
        ("phase2_dh_group_numbers", PHASE2_DH_GROUPS),
    ):
        values = getattr(options, name)
        if not values:
            found.append(Problem(name, values, "at least one value of " + _listed(allowed)))
        found += [Problem(name, v, "one of " + _listed(allowed)) for v in values if v not in allowed]
    for name, limit in LIMITS.items():
        value = getattr(options, name)
        if value not in limit:
            found.append(Problem(name, value, f"a whole number from {limit.low} to {limit.high}"))
    if options.phase2_lifetime_seconds >= options.phase1_lifetime_seconds:
        found.append(
            Problem(
                "phase2_lifetime_seconds",
                options.phase2_lifetime_seconds,
                f"less than the phase 1 lifetime ({options.phase1_lifetime_seconds})",
            )
        )
    half = options.phase2_lifetime_seconds // 2
    if options.rekey_margin_time_seconds > half:
        found.append(
            Problem(
                "rekey_margin_time_seconds",
                options.rekey_margin_time_seconds,
                f"at most half of the phase 2 lifetime ({half})",
            )
        )
    for name, words in (("dpd_timeout_action", DPD_TIMEOUT_ACTIONS), ("startup_action", STARTUP_ACTIONS)):
        value = getattr(options, name)
        if value not in words:
            found.append(Problem(name, value, "one of " + _listed(words)))
    if options.startup_action == "start" and "ikev2" not in options.ike_versions:
        found.append(Problem("startup_action", "start", "start needs ikev2 among the IKE versions"))
    return found


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(str(v) for v in values)
